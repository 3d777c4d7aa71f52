"""Arrays that stay in their file: slicing is lazy, `np.asarray` reads.

Recordings larger than memory are trained on sequence by sequence, looked through chunk by chunk, and never held whole.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from mts3.errors import UserError

LARGE = 512 * 2**20
"""Bytes of a file's arrays together: up to here they are read at once, which trains faster."""
CHUNK = 2**20
"""Bytes that are looked through at a time: they stay in the processor's cache."""
MOST_AT_ONCE = 8 * 2**30
"""Bytes: whoever asks for more than this at once would not get far with it."""


class RowSource(Protocol):
    """An array in a file.

    Attributes:
        shape: As in the file.
        dtype: As in the file.
        where: For errors, as in "'obs' of log.h5".
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    where: str

    def read(self, prefix: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        """array[*prefix, start:stop], in the dtype of the file."""
        ...


class StoredArray:
    """A view of an array in a file, in another type if asked for.

    Integers and slices without a step give views. Anything else, and `np.asarray`, reads.

    Attributes:
        dtype: Of what is read.
        sound: Whether somebody has looked at all values and found them usable; views inherit it.
    """

    def __init__(self, source: RowSource, prefix: tuple[int, ...] = ()) -> None:
        self._source, self._prefix = source, prefix
        # Rows from `_end` on are not in the file: they repeat the one before.
        self._start, self._stop = 0, source.shape[len(prefix)]
        self._end = self._stop
        self.dtype, self.sound = source.dtype, False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of this view."""
        return self._stop - self._start, *self._source.shape[len(self._prefix) + 1 :]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self._stop - self._start

    def as_type(self, dtype: type) -> StoredArray:
        """The same values, converted when they are read."""
        return self._but(dtype=np.dtype(dtype))

    def hold_last(self) -> StoredArray:
        """One row more, which repeats the last."""
        return self._but(_stop=self._stop + 1, _end=min(self._end, self._stop))

    def of(self, change: Callable[[RowSource], RowSource]) -> StoredArray:
        """The same view of a changed source, which nobody has looked at yet."""
        dtype = np.result_type(self.dtype, np.float32)  # which can be NaN
        return self._but(_source=change(self._source), dtype=dtype, sound=False)

    def _but(self, **changes: Any) -> StoredArray:
        view = copy.copy(self)
        vars(view).update(changes)
        return view

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (int, np.integer)) and self.ndim > 1:
            row = range(self._start, self._stop)[key]
            return StoredArray(self._source, (*self._prefix, row))._but(dtype=self.dtype, sound=self.sound)
        if isinstance(key, slice) and key.step in (None, 1):
            start, stop, _ = key.indices(len(self))
            return self._but(_start=self._start + start, _stop=self._start + max(start, stop))
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.size * self.dtype.itemsize > MOST_AT_ONCE:
            raise UserError(
                f"{self._source.where}: {self.size * self.dtype.itemsize / 2**30:.1f} GiB are wanted at once; that is "
                "done with less data alone: take fewer trajectories or channels"
            )
        array = self._read()
        return array if dtype is None else array.astype(dtype, copy=False)

    def _read(self) -> np.ndarray:
        first = min(self._start, self._end - 1)
        array = self._source.read(
            self._prefix, first, max(min(self._stop, self._end), first + 1) if len(self) else first
        )
        if len(array) < len(self):
            array = np.concatenate([array, np.repeat(array[-1:], len(self) - len(array), axis=0)])
        if self.dtype == np.float32:
            return to_single(array, self._source.where)
        return array.astype(self.dtype, copy=False)


Rows = np.ndarray | StoredArray
"""What a trajectory is made of: rows in memory or in a file."""


def to_single(array: np.ndarray, what: str) -> np.ndarray:
    """`array` in float32, without a copy where it is float32 already.

    Raises:
        UserError: for numbers beyond the range of float32.
    """
    if array.dtype == np.float32:
        return array
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if np.isinf(single).any() and not np.isinf(array).any():
        raise UserError(f"{what} exceed the range of float32 (3e38); choose larger units")
    return single


def row_chunks(array: Rows, overlap: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows) of an array, `CHUNK` bytes at a time; neighbours share `overlap` rows."""
    row_bytes = max(1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    rows = max(overlap + 1, CHUNK // row_bytes)
    for start in range(0, max(len(array) - overlap, 1), rows - overlap):
        yield start, np.asarray(array[start : start + rows])


def hold_last(array: Rows) -> Rows:
    """One row more, which repeats the last."""
    return array.hold_last() if isinstance(array, StoredArray) else np.concatenate([array, array[-1:]])


def flat(array: Rows) -> Rows:
    """(R,) of (R,) or (R, 1)."""
    return array if array.ndim == 1 else np.asarray(array).reshape(-1)
