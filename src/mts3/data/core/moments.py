"""Mean, spread and range of channels, a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mts3.data.core.stored import Rows, row_chunks

WIDE = 2048


@dataclass(frozen=True)
class Moments:
    """Of C channels, in float64; NaN is left out.

    Attributes:
        rows: All rows, a number.
        count: (C,) values that are not NaN.
        mean, std: (C,) 0 where there is none.
        min, max: (C,) infinite where there is none.
    """

    rows: int
    count: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    min: np.ndarray
    max: np.ndarray


def moments(arrays: Iterable[Rows], channels: int) -> Moments:
    """The moments over the rows of all `arrays`.

    Each chunk about its own mean, then merged: no second copy of the data, no second pass through a file, no
    cancellation far from zero (Chan, Golub & LeVeque 1983, algorithms for computing the sample variance).

    Args:
        arrays: Of any shape; values are dealt out to `channels` in turn, as the last axis does.
        channels: C; 1 takes all values together.
    """
    rows, count, mean, square = 0, np.zeros(channels), np.zeros(channels), np.zeros(channels)
    least, largest = np.full(channels, np.inf), np.full(channels, -np.inf)
    for array in arrays:
        for _, chunk in row_chunks(array):
            if chunk.size == 0:
                continue
            values = chunk.reshape(-1, channels).astype(np.float64)
            rows += len(values)
            least = np.fmin(least, _over_rows(np.fmin, values))
            largest = np.fmax(largest, _over_rows(np.fmax, values))
            gaps = np.isnan(values)
            new = len(values) - gaps.sum(0) if gaps.any() else np.full(channels, len(values))
            values[gaps] = 0.0
            own = _over_rows(np.add, values) / np.maximum(new, 1)
            values -= own
            values[gaps] = 0.0
            total, apart = np.maximum(count + new, 1), own - mean
            square += _over_rows(np.add, values * values) + apart**2 * count * new / total
            mean += apart * new / total
            count += new
    return Moments(rows, count, mean, np.sqrt(square / np.maximum(count, 1)), least, largest)


def _over_rows(reduction: np.ufunc, values: np.ndarray) -> np.ndarray:
    """A reduction over the first axis of (R, C), R >= 1: many rows side by side, for numpy is slow on short ones."""
    channels = values.shape[1]
    side_by_side = max(1, WIDE // channels)
    whole = len(values) // side_by_side * side_by_side
    if whole == 0:
        return reduction.reduce(values, 0)
    wide = reduction.reduce(values[:whole].reshape(-1, side_by_side * channels), 0).reshape(side_by_side, channels)
    return reduction.reduce(np.concatenate([wide, values[whole:]]), 0)
