"""Times as files write them -> seconds: numbers, dates, or a date in one column and the time of day in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mts3.data.readers.values.time_numbers import number_times, since_first, stated_unit
from mts3.data.readers.values.time_text import EXPECTED, NONE, seconds_since_first, text_times
from mts3.data.rows.codes import as_number, as_numbers, cells
from mts3.data.rows.columns import TIME_UNITS, Columns
from mts3.data.rows.raw import Times, Written
from mts3.errors import UserError


def seconds(
    arrays: Sequence[np.ndarray], columns: Columns, path: Path, units: Mapping[str, str] | None = None
) -> Times:
    """Seconds, from the first row on where the file counts from elsewhere; NaN where a time is missing.

    Numbers are seconds unless `time_unit`, the column's name ("t_ms", "time [ms]") or its unit says otherwise, or they
    are as large as seconds, ms, us or ns since 1970, days of a spreadsheet or of MATLAB, or dates such as
    20240131125900. Dates are ISO 8601, 2024/05/01, 01.05.2024 or 01-May-24, with slashes where the column tells days
    from months, with or without a time of day, AM or PM, and a zone; or as `time_format` says.

    Args:
        arrays: One (R,) array a column of `columns.time`; of two the second one is the time of day.
        columns: Its time, time_unit and time_format count.
        path: For errors.
        units: The unit of each column, where the file says so.

    Raises:
        UserError: for what is none of these, or could be read in two ways.
    """
    name = " and ".join(columns.time)
    if len(arrays) > 2:
        raise UserError(
            f"time={list(columns.time)} names {len(arrays)} columns; expected one, or a date and a time of day"
        )
    if len(arrays) == 2:
        return _date_and_clock(arrays, columns, path, units or {})
    (values,) = arrays
    given = columns.time_unit
    if values.dtype.kind == "M":
        if given or columns.time_format:
            raise UserError(f"time column '{name}' of {path} holds dates already; leave time_unit and time_format out")
        fine = np.datetime_data(values.dtype)[0] in ("ns", "ps", "fs", "as")
        stamps = values.astype("datetime64[ns]" if fine else "datetime64[us]")
        return Times(seconds_since_first(stamps), Written(local=True, from_first=True))
    if values.dtype.kind == "m":
        return Times(np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "s")))
    if values.dtype.kind in "UTO":
        text = cells(values, NONE, name, path)
        numeric = None if columns.time_format else _numbers(text)
        if numeric is None:
            _refuse_unit(given, text, name, path)
            return text_times(text, name, path, columns.time_format)
        values = numeric
    if values.dtype.kind not in "fiub":
        raise UserError(f"time column '{name}' of {path} is of type {values.dtype}; expected {EXPECTED}")
    if columns.time_format:
        return text_times(_digits(values), name, path, columns.time_format)
    values = values if values.dtype.kind == "f" else values.astype(np.int64)
    return number_times(values, name, path, given, (units or {}).get(name, ""))


def _date_and_clock(arrays: Sequence[np.ndarray], columns: Columns, path: Path, units: Mapping[str, str]) -> Times:
    """From two columns: a date and a time of day; or seconds and what goes beyond them, as ROS writes times."""
    name = " and ".join(columns.time)
    said = [stated_unit(column, units.get(column, "")) for column in columns.time]
    first, second = (
        _numbers(cells(array, NONE, column, path)) if array.dtype.kind in "UTO" else array
        for array, column in zip(arrays, columns.time, strict=True)
    )
    if first is not None and second is not None and columns.time_format is None and "M" not in (
        first.dtype.kind, second.dtype.kind
    ):  # fmt: skip
        if said[0] is not None and said[1] is not None and said[0] != said[1]:
            parts = [since_first(v) * TIME_UNITS[unit] for v, unit in zip((first, second), said, strict=True) if unit]
            words = f"time '{name}': {said[0]} and {said[1]} together"
            return Times(parts[0] + parts[1], Written(words, from_first=True))
        known = second[np.isfinite(second)]
        if len(known) and known.min() >= 0 and known.max() < 1 and (known % 1).any():
            words = f"time '{name}': days, as spreadsheets count them"
            return Times((since_first(first) + second) * TIME_UNITS["d"], Written(words, local=True, from_first=True))
    _refuse_unit(columns.time_unit, cells(arrays[0], NONE, name, path), name, path)
    date, clock = (_as_text(array, column, path) for array, column in zip(arrays, columns.time, strict=True))
    widest = max(map(len, clock), default=0)
    if all(cell.isdigit() or cell == NONE for cell in clock) and widest in (3, 4, 5, 6):
        # A number loses its leading zeros: 90500 is 09:05:00.
        clock = [cell if cell == NONE else cell.zfill(widest + widest % 2) for cell in clock]
    both = [NONE if NONE in (a, b) else f"{a} {b}" for a, b in zip(date, clock, strict=True)]
    return text_times(both, name, path, columns.time_format)


def _numbers(values: np.ndarray) -> np.ndarray | None:
    """(R,) whole numbers where all cells are, with all their digits; else float64; None where one is no number."""
    first = next((cell for cell in values if cell != NONE), NONE)
    if as_number(first) is None:
        return None
    try:
        return values.astype(np.int64)
    except (ValueError, TypeError, OverflowError):
        return as_numbers(values)


def _as_text(values: np.ndarray, name: str, path: Path) -> list[str]:
    if values.dtype.kind == "M":
        days = values.astype("datetime64[D]")
        return [NONE if np.isnat(day) else str(day) for day in days]
    return _digits(values) if values.dtype.kind in "fiub" else cells(values, NONE, name, path).tolist()


def _digits(values: np.ndarray) -> list[str]:
    """Numbers as text; whole ones without a point."""
    return [NONE if not np.isfinite(v) else str(int(v)) if v == int(v) else repr(float(v)) for v in values.tolist()]


def _refuse_unit(given: str | None, text: Sequence[str] | np.ndarray, name: str, path: Path) -> None:
    if given is not None:
        row = next((row for row, cell in enumerate(text) if cell != NONE and as_number(cell) is None), 0)
        raise UserError(
            f"time column '{name}' of {path} has '{text[row]}' in data row {row + 1}, no number; time_unit={given} "
            "says what numbers count in: leave it out, or say how dates are written with time_format"
        )
