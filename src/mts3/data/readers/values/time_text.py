"""A column of dates or times of day as text -> seconds. Cells are written alike; the first that is not is named.

Which field is the day is decided by the whole column: 13/05/2024 in any row decides it for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mts3.data.readers.values.date_cells import Cell, UnknownZone, calendar_days, parsed, two_digit_year
from mts3.data.rows.raw import Times, Written
from mts3.errors import UserError

NONE = "nan"
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?")
ZONE = re.compile(r"(?<=\d)\s?(Z|UTC|[+-]\d\d(:?\d\d)?)$")
# Years that nanoseconds in 64 bits reach.
NANOSECOND_YEARS = 1700, 2200
# Places of year, month and day in what a cell writes.
ORDERS = {"ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}
WORDS = {"ymd": "year/month/day", "dmy": "day/month/year", "mdy": "month/day/year"}
# Days of a recording follow one another: an order in which they jump this many times as far is not meant.
WILD = 100
EXPECTED = "seconds, or dates such as 2024-05-01T12:00:00"
ADVICE = "or say how they are written with time_format, as in time_format='%d.%m.%Y %H:%M:%S'"


class _Column(NamedTuple):
    """Its `text`, with NONE for what is missing, and where it stands."""

    text: list[str]
    name: str
    path: Path

    def bad(self, row: int, expected: str) -> UserError:
        where = f"time column '{self.name}' of {self.path} has '{self.text[row]}' in data row {row + 1}"
        return UserError(f"{where}; expected {expected}")


def text_times(text: Iterable[str], name: str, path: Path, time_format: str | None = None) -> Times:
    """Seconds from the first row on.

    Args:
        text: (R,) dates, dates with a time of day, or times of day; "nan" where one is missing.
        name, path: For words and errors.
        time_format: As `datetime.strptime` has it; None recognises it.

    Raises:
        UserError: naming the first cell that is no date, or is written in another way than the others; for dates that
            could be read in two ways.
    """
    column = _Column(list(text), name, path)
    if all(cell == NONE for cell in column.text):
        return Times(np.full(len(column.text), np.nan))
    if time_format is not None:
        stamps = [
            None if cell == NONE else _by_format(column, row, time_format) for row, cell in enumerate(column.text)
        ]
        return _from_datetimes(column, stamps)
    plain = _plain_iso(column)
    if plain is not None:
        return plain
    first = next(row for row, cell in enumerate(column.text) if cell != NONE)
    cells = _cells(column)
    if isinstance(cells, int):
        try:  # ISO 8601 as Python reads it, weeks of the year among it
            iso = [None if cell == NONE else datetime.fromisoformat(cell) for cell in column.text]
        except ValueError:
            alike = f", written like '{column.text[first]}' in data row {first + 1}" if cells > first else ""
            raise column.bad(cells, f"{EXPECTED}{alike}; {ADVICE}") from None
        return _from_datetimes(column, iso)
    return _together(column, cells)


def _plain_iso(column: _Column) -> Times | None:
    """Dates that numpy reads by itself: 2024-05-01T12:00:00.000, all in one zone or none; else None."""
    text = column.text
    first = next(cell for cell in text if cell != NONE)
    found = ZONE.search(first) if len(first) > len("2024-05-01") else None
    zone = found[0] if found is not None else ""
    if zone:
        if not all(cell.endswith(zone) or cell == NONE for cell in text):
            return None
        text = [cell.removesuffix(zone) for cell in text]
    # Cells of one length are of one shape, or numpy refuses them.
    shapes = {len(cell): cell for cell in text}
    shapes = [cell for cell in shapes.values() if cell != NONE]
    if not all(map(ISO.fullmatch, shapes)):
        return None
    array = np.array(text)
    array[array == NONE] = "NaT"
    try:
        stamps = array.astype("datetime64[us]")
    except ValueError:
        return None
    if max(map(len, shapes)) > len("2024-05-01T12:00:00.000000"):
        years = stamps[~np.isnat(stamps)].astype("datetime64[Y]").astype(np.int64) + 1970
        if years.min() < NANOSECOND_YEARS[0] or years.max() > NANOSECOND_YEARS[1]:
            return None
        stamps = array.astype("datetime64[ns]")
    return Times(seconds_since_first(stamps), Written(local=not zone, from_first=True))


def seconds_since_first(stamps: np.ndarray) -> np.ndarray:
    """(R,) seconds since the first known one of datetime64 stamps; NaN where one is missing."""
    missing = np.isnat(stamps)
    if missing.all():
        return np.full(len(stamps), np.nan)
    apart = stamps - stamps[np.argmin(missing)]
    ticks = np.timedelta64(1, "s") // np.timedelta64(1, np.datetime_data(stamps.dtype)[0])
    return np.where(missing, np.nan, apart.astype(np.int64) / int(ticks))


def _cells(column: _Column) -> list[Cell | None] | int:
    """The parts of each cell, None where it is missing; or the first row that is no date."""
    cells: list[Cell | None] = []
    for row, text in enumerate(column.text):
        try:
            cell = None if text == NONE else parsed(text)
        except UnknownZone as error:
            raise column.bad(
                row,
                f"a zone that is known and not ambiguous instead of '{error}': UTC, CET or an offset such as +01:00",
            ) from error
        if cell is None and text != NONE:
            return row
        cells.append(cell)
    return cells


def _together(column: _Column, cells: list[Cell | None]) -> Times:
    """Seconds from cells that are written alike."""
    known = np.array([cell is not None for cell in cells])
    places = np.flatnonzero(known)
    rows = [cell for cell in cells if cell is not None]
    begin = rows[0]
    for place, cell in zip(places, rows, strict=True):
        if cell.form != begin.form or (cell.offset is None) != (begin.offset is None):
            what = "all with a zone or all without one" if cell.form == begin.form else "all alike"
            first = f"'{column.text[places[0]]}' in data row {places[0] + 1}"
            raise column.bad(int(place), f"dates {what}, as {first}; {ADVICE}")
    days, order = _days(column, places, rows, begin)
    clock = np.array([cell.clock - (cell.offset or 0.0) for cell in rows])
    seconds = np.full(len(cells), np.nan)
    # Days first: a sum of seconds since 1970 has fewer digits left for their fractions.
    seconds[known] = (days - days[0]) * 86400.0 + (clock - clock[0])
    title = f"time '{column.name}'"
    words = f"{title}: times of day without a date" if not begin.form else f"{title}: dates as {order}" if order else ""
    return Times(seconds, Written(words, local=begin.offset is None, from_first=True))


def _days(column: _Column, places: np.ndarray, rows: list[Cell], begin: Cell) -> tuple[np.ndarray, str]:
    """(n,) days since 1970 of the rows at `places`, and the order of the fields in words where it had to be found."""
    if not begin.form:
        return np.zeros(len(rows), np.int64), ""
    fields = np.array([cell.date for cell in rows])
    open_order = "?" in begin.form
    if not open_order:
        names = [next(name for name in ORDERS if name in begin.form)]
    else:
        names = [name for name in ORDERS if name != "ymd" or begin.form.endswith("2")]
    found = {name: _calendar(fields, name, begin.form.endswith("2")) for name in names}
    fit = {name: days for name, (days, sound) in found.items() if sound.all()}
    if not fit:
        best = max((sound for _, sound in found.values()), key=lambda sound: int(np.argmin(sound)))
        raise column.bad(
            int(places[np.argmin(best)]), f"a day that exists, {' or '.join(WORDS[n] for n in names)}; {ADVICE}"
        )
    far = {name: int(np.abs(np.diff(days)).sum()) for name, days in fit.items()}
    fit = {name: days for name, days in fit.items() if far[name] <= WILD * max(1, min(far.values()))}
    name, days = next(iter(fit.items()))
    if any(not np.array_equal(other - other[0], days - days[0]) for other in fit.values()):
        ways = " or ".join("/".join(WORDS[n].split("/")[:2]) if n != "ymd" else WORDS[n] for n in fit)
        raise UserError(
            f"time column '{column.name}' of {column.path} starts with '{column.text[places[0]]}', which could be "
            f"{ways}; expected dates such as 2024-05-01T12:00:00, {ADVICE}"
        )
    return days, WORDS[name] if open_order and len(fit) == 1 else ""


def _calendar(fields: np.ndarray, order: str, short_years: bool) -> tuple[np.ndarray, np.ndarray]:
    """(n,) days since 1970 of (n, 3) fields in that order, and whether each is a day of the calendar."""
    year, month, day = (fields[:, place] for place in ORDERS[order])
    if short_years:
        year = np.array([two_digit_year(y) for y in range(100)])[np.minimum(year, 99)]
    return calendar_days(year, month, day)


def _by_format(column: _Column, row: int, time_format: str) -> datetime:
    try:
        return datetime.strptime(column.text[row], time_format)
    except (ValueError, re.error) as error:
        raise column.bad(row, f"what time_format='{time_format}' says ({error})") from error


def _from_datetimes(column: _Column, stamps: list[datetime | None]) -> Times:
    first, start = next((row, stamp) for row, stamp in enumerate(stamps) if stamp is not None)
    local = start.tzinfo is None
    seconds = np.full(len(stamps), np.nan)
    for row, stamp in enumerate(stamps):
        if stamp is None:
            continue
        if (stamp.tzinfo is None) != local:
            begin = f"'{column.text[first]}' in data row {first + 1}"
            raise column.bad(row, f"all dates with a zone or all without one, as {begin}")
        # One zone object may have two offsets, in summer and in winter; moments do not.
        seconds[row] = ((stamp - start) if local else (stamp.astimezone(UTC) - start)).total_seconds()
    return Times(seconds, Written(local=local, from_first=True))
