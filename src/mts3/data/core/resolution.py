"""How finely numbers are kept: float32 resolves 6e-8 of a value, little of a position in metres on a map.

A recording stays in float64 where float32 would lose what its channels do; the mean is subtracted before anything
becomes float32, so that a model sees all of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mts3.data.core.stored import Rows, StoredArray, row_chunks, to_single
from mts3.errors import UserError

# float32 is good enough where it moves values by less than these shares of their standard deviation, and of the usual
# step from row to row.
OF_STD, OF_STEP = 1e-3, 1e-2
# What float32 holds exactly, or never had more digits.
EXACT = ("float32", "float16", "int8", "uint8", "int16", "uint16", "bool")
# A channel with as few values, all within this share of their size, is constant: the last digits flicker.
FEW, FLICKER = 8, 1e-5


def as_floats(array: Rows, what: str) -> Rows:
    """`array` in float32, or in float64 where float32 would lose what a channel does.

    Without a copy where it is so already; what is stored is converted when it is read.

    Args:
        array: (.., channels).
        what: For errors.

    Raises:
        UserError: for text, objects, dates or complex numbers, and for numbers beyond the range of float32.
    """
    array = array if isinstance(array, StoredArray) else np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise UserError(f"{what} are of type {array.dtype}; expected numbers: convert or leave out what is text")
    if float32_loses(array):
        for _, rows in row_chunks(array):
            to_single(rows, what)  # refuses what is beyond its range
        return array.as_type(np.float64) if isinstance(array, StoredArray) else array.astype(np.float64, copy=False)
    return array.as_type(np.float32) if isinstance(array, StoredArray) else to_single(array, what)


def float32_loses(array: Rows) -> bool:
    """Whether a channel of (.., channels) moves too little for its size to be kept in float32."""
    if array.dtype.name in EXACT or array.size == 0:
        return False
    channels = array.shape[-1]
    rounding, square, count, steps, pairs = (np.zeros(channels) for _ in range(5))
    first = None
    for _, rows in row_chunks(array, overlap=1 if array.ndim == 2 else 0):
        values = rows.reshape(-1, channels).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            lost = np.nan_to_num(values - values.astype(np.float32), posinf=0.0, neginf=0.0)
            if not lost.any():
                continue
            # About the first value of each channel: what follows is as large as its motion.
            known = np.isfinite(values)
            if first is None:
                first = np.where(known.any(0), values[known.argmax(0), range(channels)], 0.0)
            step = np.diff(values, axis=0)
            moving = np.isfinite(step) & (step != 0)
            rounding += (lost**2).sum(0)
            square += (np.where(known, values - first, 0.0) ** 2).sum(0)
            steps += (np.where(moving, step, 0.0) ** 2).sum(0)
        count += known.sum(0)
        pairs += moving.sum(0)
    moves = pairs > 0
    error = np.sqrt(rounding / np.maximum(count, 1))
    std, usual = np.sqrt(square / np.maximum(count, 1)), np.sqrt(steps / np.maximum(pairs, 1))
    return bool((moves & ((error > OF_STD * std) | (error > OF_STEP * usual))).any())


def has_few_values(arrays: Iterable[Rows], channel: int) -> bool:
    """Whether a channel of some arrays (R, C) takes no more than `FEW` values; NaN is none."""
    found = np.zeros(0)
    for array in arrays:
        for _, rows in row_chunks(array):
            values = rows[:, channel].astype(np.float64)
            found = np.unique(np.concatenate([found, values[~np.isnan(values)]]))
            if len(found) > FEW:
                return False
    return True
