"""Where stored arrays lie: in an npz without compression, in an HDF5 file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.readers.arrays.hdf5_values import Meaning
from mts3.errors import UserError


class NpzSource:
    """An array of an npz, stored as it is, in C order: rows are a place in the file.

    Args:
        path: The file.
        name: Of the array.
        offset: Where its first value lies.
        shape, dtype: As its header says.
    """

    def __init__(self, path: Path, name: str, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.offset, self.shape, self.dtype = path, offset, shape, dtype
        self.where = f"'{name}' of {path}"

    def read(self, prefix: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        """array[*prefix, start:stop]."""
        axes = len(prefix)
        first = sum(index * math.prod(self.shape[axis + 1 :]) for axis, index in enumerate((*prefix, start)))
        shape = (stop - start, *self.shape[axes + 1 :])
        count = math.prod(shape)
        with _readable(self.where):
            flat = np.fromfile(self.path, self.dtype, count, offset=self.offset + first * self.dtype.itemsize)
        if len(flat) < count:
            raise UserError(f"{self.where} ends before row {stop}: the file changed or was cut; write it again")
        return flat.reshape(shape)


class HDF5File:
    """An HDF5 file that is opened when it is first read, once in every process: its handles do not survive a fork."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, Any] | None = None

    def dataset(self, name: str) -> Any:
        """The dataset of that name."""
        if self._opened is None or self._opened[0] != os.getpid():
            import h5py

            self._opened = os.getpid(), h5py.File(self.path, "r")
        return self._opened[1][name]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}


class HDF5Source:
    """A dataset of an HDF5 file.

    Args:
        file: The file.
        name: Of the dataset, with its groups.
        shape, dtype: As declared.
        how: What its numbers mean.
    """

    def __init__(self, file: HDF5File, name: str, shape: tuple[int, ...], dtype: np.dtype, how: Meaning) -> None:
        self.file, self.name, self.shape, self.dtype, self.how = file, name, shape, how.dtype(dtype), how
        self.where = f"'{name}' of {file.path}"

    def read(self, prefix: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        """array[*prefix, start:stop], as values."""
        with _readable(self.where):
            stored = self.file.dataset(self.name)[(*prefix, slice(start, stop))]
        return self.how.values(stored).astype(self.dtype, copy=False)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """What a file does wrong while it is read, in one line."""
    try:
        yield
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(f"cannot read {where} any more ({error}); is the file still there, and whole?") from error
