"""What attributes say of the numbers in a dataset: packed or missing (NetCDF), columns first (MATLAB), in which unit.

NetCDF-4 and MATLAB 7.3 files are HDF5; read without their attributes, packed whole numbers would pass for what was
measured, what is missing for a measurement, and columns for rows.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.core.stored import Rows
from mts3.data.readers.result import note_of, readable
from mts3.data.readers.values.time_numbers import UNIT_OF
from mts3.errors import UserError

# What NetCDF fills in where nothing was written and the file names no other value; bytes have none.
DEFAULT_FILL = {"f4": 9.969209968386869e36, "f8": 9.969209968386869e36, "i2": -32767, "u2": 65535, "i4": -2147483647,
                "u4": 4294967295, "i8": -9223372036854775806, "u8": 18446744073709551614}  # fmt: skip
RANGES = ("valid_range", "valid_min", "valid_max")
XARRAY = "xarray.open_dataset reads it: save what it gives with numpy.savez"
LONGEST_UNIT = 24


@dataclass(frozen=True)
class Meaning:
    """How stored numbers are meant: value = number * `scale` + `offset`.

    Attributes:
        missing: Stored numbers that stand for nothing.
        low, high: Stored numbers below or above are none.
        columns_first: The last axis counts the rows.
    """

    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[int | float, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    columns_first: bool = False

    @property
    def packed(self) -> bool:
        """Whether values are other numbers than the stored ones."""
        return (self.scale, self.offset) != (1.0, 0.0)

    @property
    def gaps(self) -> bool:
        """Whether some numbers may stand for nothing."""
        return bool(self.missing) or (self.low, self.high) != (-math.inf, math.inf)

    def dtype(self, stored: np.dtype) -> np.dtype:
        """Of the values: float64 where they are packed, or whole numbers of which some may be missing."""
        return np.dtype(np.float64) if self.packed or (self.gaps and stored.kind != "f") else stored

    def values(self, stored: np.ndarray) -> np.ndarray:
        """What the numbers mean, NaN where they stand for nothing; whole numbers stay so where none is missing."""
        stored = stored.T if self.columns_first else stored
        absent = np.zeros((), bool)
        if self.gaps:
            absent = np.isin(stored, _within(self.missing, stored.dtype)) | (stored < self.low) | (stored > self.high)
        if not self.packed and not absent.any():
            return stored
        values = stored.astype(self.dtype(stored.dtype))
        if self.packed:
            values = values * self.scale + self.offset
        values[np.broadcast_to(absent, values.shape)] = np.nan
        return values


AS_STORED = Meaning()


def meaning(dataset: Any, what: str) -> Meaning:
    """How the numbers of a dataset are meant.

    Args:
        dataset: Of h5py.
        what: For errors, as in "'obs' of log.nc".

    Raises:
        UserError: for text or nothing of MATLAB, and for attributes that can be meant in two ways.
    """
    fill = DEFAULT_FILL.get(dataset.dtype.str[1:])
    filled = fill is not None and dataset.fillvalue == dataset.dtype.type(fill)
    attributes = dict(dataset.attrs) if len(dataset.attrs) else {}
    if not attributes and not filled:
        return AS_STORED
    matlab = _text(attributes.get("MATLAB_class"))
    if matlab == "char" or np.any(attributes.get("MATLAB_empty", 0)):
        raise UserError(f"{what} is {'text' if matlab == 'char' else 'empty'}; expected numbers")
    if "_Unsigned" in attributes:
        raise UserError(f"{what} has the attribute _Unsigned, which changes what its numbers mean; {XARRAY}")
    scale, offset = (_numbers(attributes, name, what, most=1) for name in ("scale_factor", "add_offset"))
    missing = [*_numbers(attributes, "_FillValue", what), *_numbers(attributes, "missing_value", what)]
    if fill is not None and filled and "_FillValue" not in attributes:
        missing.append(fill)
    low, high = _range(attributes, dataset, what, packed=bool(scale or offset))
    return Meaning(
        scale=scale[0] if scale else 1.0,
        offset=offset[0] if offset else 0.0,
        missing=tuple(number for number in missing if number == number),  # NaN is missing in any case
        low=low,
        high=high,
        columns_first=bool(matlab) and dataset.ndim > 1,
    )


def meanings_notes(meanings: Mapping[str, Meaning], arrays: Mapping[str, Rows]) -> tuple[str, ...]:
    """What was done to the numbers of which dataset, a line each.

    Args:
        meanings: By the name of a dataset.
        arrays: Their values; those that stay in the file are not counted.
    """
    packed = [name for name, how in meanings.items() if how.packed]
    turned = [name for name, how in meanings.items() if how.columns_first]
    gaps = {
        name: int(np.isnan(array).sum())
        for name, how in meanings.items()
        if how.gaps and isinstance(array := arrays[name], np.ndarray) and array.dtype.kind == "f"
    }
    missing = [f"{name} ({count})" for name, count in gaps.items() if count]
    return (
        *note_of("unpacked by scale_factor and add_offset", packed),
        *note_of("values missing, by _FillValue, missing_value or valid_range", missing),
        *note_of("MATLAB writes columns first; their axes are turned round", turned),
    )


def unit(dataset: Any) -> str:
    """The unit of its values, "" where it says none."""
    text = _attribute(dataset, "units")
    return text if len(text) <= LONGEST_UNIT and " since " not in text else ""


def time_unit(dataset: Any, what: str) -> str | None:
    """What a dataset of times counts in, of `TIME_UNITS`, as in "hours since 2024-01-01"; None where it says nothing.

    Raises:
        UserError: for units of no fixed length.
    """
    word, since, _ = _attribute(dataset, "units").partition(" since ")
    name = UNIT_OF.get(word.strip().lower())
    if name is None and since:
        raise UserError(f"{what} counts in '{word}', which are no seconds; {XARRAY}")
    return name


def is_mere_dimension(dataset: Any) -> bool:
    """Whether NetCDF wrote it for the length of an axis alone."""
    return _attribute(dataset, "NAME").startswith("This is a netCDF dimension but not")


def _attribute(dataset: Any, name: str) -> str:
    return _text(dataset.attrs.get(name)) if len(dataset.attrs) else ""


def _range(attributes: Mapping[str, Any], dataset: Any, what: str, packed: bool) -> tuple[float, float]:
    """The smallest and the largest stored number that is one."""
    given = {name: _numbers(attributes, name, what) for name in RANGES}
    if packed and any(np.asarray(attributes[name]).dtype.kind != dataset.dtype.kind for name in RANGES if given[name]):
        raise UserError(f"{what} is packed, and its valid range may be meant before or after unpacking; {XARRAY}")
    low, high = given["valid_range"] if len(given["valid_range"]) == 2 else (-math.inf, math.inf)
    return (given["valid_min"] or [low])[0], (given["valid_max"] or [high])[0]


def _numbers(attributes: Mapping[str, Any], name: str, what: str, most: int | None = None) -> list[int | float]:
    """The numbers in an attribute, [] where it is not there."""
    if name not in attributes:
        return []
    given = np.asarray(attributes[name])
    if given.dtype.kind not in "fiu" or (most is not None and given.size > most):
        raise UserError(f"{what} has the attribute {name}={str(attributes[name])[:40]}; expected a number: {XARRAY}")
    return given.reshape(-1).tolist()


def _within(numbers: tuple[int | float, ...], kind: np.dtype) -> np.ndarray:
    """Those that an array of this type can hold, as it holds them."""
    with np.errstate(all="ignore"):
        pairs = [(number, np.asarray(number).astype(kind)) for number in numbers]
    return np.array([held for number, held in pairs if kind.kind == "f" or held == number], kind)


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.strip() if isinstance(value, str) else ""


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
        dataset: Of h5py, open for now.
        how: What its numbers mean.
    """

    def __init__(self, file: HDF5File, dataset: Any, how: Meaning) -> None:
        self.file, self.name, self.how = file, dataset.name, how
        self.shape, self.dtype = dataset.shape, how.dtype(dataset.dtype)
        self.where = f"'{dataset.name}' of {file.path}"

    def read(self, prefix: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        """array[*prefix, start:stop], as values."""
        with readable(self.where):
            stored = self.file.dataset(self.name)[(*prefix, slice(start, stop))]
        return self.how.values(stored).astype(self.dtype, copy=False)
