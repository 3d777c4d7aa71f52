"""One cell of text with a date, a time of day or both -> its parts. What they mean is up to the whole column.

And numbers that are written as dates, which their digits tell.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import numpy as np

MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
          "november", "december")  # fmt: skip
# Hours before UTC. Names that stand for several zones, as CST, IST and BST do, are not here.
ZONES = {"z": 0, "utc": 0, "gmt": 0, "ut": 0, "wet": 0, "west": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "eet": 2,
         "eest": 3, "jst": 9, "edt": -4, "mdt": -6, "pdt": -7}  # fmt: skip
_DAY_NAME = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_NAME = r"[a-z]{3,9}"
DATE = re.compile(
    rf"{_DAY_NAME}(?:(?P<a>\d{{1,4}})(?P<sep>[-./])(?P<b>\d{{1,2}}|{_NAME})(?P=sep)(?P<c>\d{{4}}|\d{{1,2}})"
    rf"|(?P<day>\d{{1,2}})\.?\s*(?P<month>{_NAME})\.?,?\s*(?P<year>\d{{4}})"
    rf"|(?P<month2>{_NAME})\.?\s+(?P<day2>\d{{1,2}}),?\s+(?P<year2>\d{{4}})"
    r"|(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d))(?!\d)",
    re.IGNORECASE,
)
BETWEEN = re.compile(r"\s*[T,;_:-]?\s*", re.IGNORECASE)
CLOCK = re.compile(
    r"(?:(\d{1,3})[:.h](\d\d)(?:[:.m](\d\d)(?:[.,:](\d+))?)?|(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d+))?)?)(?!\d)\s*"
    r"(?:([ap])\.?\s?m\b\.?)?\s*",
    re.IGNORECASE,
)
# "+02:00", and what Java adds in brackets.
OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d\d):?(\d\d)?(?:\[[\w/+-]+\])?", re.IGNORECASE)

# 20240131, 202401311259 and 20240131125900 by their number of digits.
CALENDAR = {8: "YYYYMMDD", 12: "YYYYMMDDHHMM", 14: "YYYYMMDDHHMMSS"}
YEARS = 1900, 2100


class Cell(NamedTuple):
    """The parts of a cell.

    Attributes:
        date: Its three fields in the order of the cell; zeros where there is none.
        form: Of the date: what separates the fields, and which is known to be what, as in "-ymd" or "/???".
        clock: Seconds of the day; 0 where none is given.
        offset: Seconds before UTC; None where no zone is given.
    """

    date: tuple[int, int, int]
    form: str
    clock: float
    offset: float | None


class UnknownZone(ValueError):
    """A name that stands for no zone, or for several."""


def parsed(text: str) -> Cell | None:
    """The parts of one cell, without blanks around it, or None where it is neither a date nor a time of day.

    Raises:
        UnknownZone: with the name.
    """
    found = DATE.match(text)
    date, form, end = (0, 0, 0), "", 0
    if found is not None:
        end = found.end()
        date, form = _fields(found[0])
        if not form:
            return None
        if end == len(text):
            return Cell(date, form, 0.0, None)
        between = BETWEEN.match(text, end)
        end = between.end() if between is not None else end
    clock = CLOCK.match(text, end)
    if clock is None:
        return None
    seconds = _seconds(clock, bool(form))
    if seconds is None:
        return None
    rest = text[clock.end() :]
    if not rest:
        return Cell(date, form, seconds, None)
    offset = _offset(rest)
    return None if offset is None else Cell(date, form, seconds, offset)


@functools.lru_cache(1024)  # a day has many rows
def _fields(date: str) -> tuple[tuple[int, int, int], str]:
    """The three fields, and their form; "" for a month that is none."""
    found = DATE.match(date)
    assert found is not None  # as in the cell
    part = found.groupdict()
    if part["sep"]:
        sep, a, b, c = part["sep"], part["a"], part["b"], part["c"]
        if b.isdigit():
            order = "ymd" if len(a) > 2 else "dmy" if sep == "." else "???" if len(c) == 4 else "??2"
            return (int(a), int(b), _year(c) if order == "dmy" else int(c)), sep + order
        month = _month(b)
        order = "ymd" if len(a) > 2 else "dmy"
        return (int(a), month, int(c) if order == "ymd" else _year(c)), f"{sep}{order}b" if month else ""
    if part["month"] or part["month2"]:
        day, name, year = (part[k] or part[f"{k}2"] for k in ("day", "month", "year"))
        month = _month(name)
        return (int(day), month, int(year)), " dmyb" if month else ""
    return (int(part["y"]), int(part["m"]), int(part["d"])), "ymd"


def _month(name: str) -> int:
    """1 to 12, by an English name or its first letters; 0 for another word."""
    short = name.lower()
    return next((i for i, month in enumerate(MONTHS, 1) if month.startswith(short) or short == "sept" == month[:4]), 0)


def _year(text: str) -> int:
    """Of two digits those of 1969 to 2068, as POSIX has it."""
    year = int(text)
    return year if len(text) > 2 else year + (2000 if year < 69 else 1900)


def two_digit_year(year: int) -> int:
    """The same for a number that may be a year of two digits."""
    return _year(f"{year:02d}")


def calendar_days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) days since 1970, and whether each is a day of the calendar."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    sound = (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("datetime64[M]") == months)
    return days.astype(np.int64), sound


def calendar_seconds(values: np.ndarray) -> np.ndarray | None:
    """(R,) seconds since 1970 of numbers that are written as dates, each of them one; else None."""
    known = np.isfinite(values)
    rows = values[known]
    whole = np.floor(rows).astype(np.int64) if np.abs(rows).max() < 1e15 else np.zeros(1, np.int64)
    digits = {len(str(int(whole.min()))), len(str(int(whole.max())))}
    if len(digits) > 1 or whole.min() < 0 or not digits <= CALENDAR.keys():
        return None
    length = digits.pop()
    second, fraction = (whole % 100 if length == 14 else 0 * whole), rows - whole
    rest = whole // 100 if length == 14 else whole
    minute, hour = (rest % 100, rest // 100 % 100) if length > 8 else (0 * rest, 0 * rest)
    rest = rest // 10_000 if length > 8 else rest
    day, month, year = rest % 100, rest // 100 % 100, rest // 10_000
    days, sound = calendar_days(year, month, day)
    sound &= (YEARS[0] <= year) & (year < YEARS[1]) & (hour <= 24) & (minute < 60) & (second <= 60)
    if not sound.all() or (length < 14 and fraction.any()):
        return None
    out = np.full(len(values), np.nan)
    out[known] = days * 86400.0 + hour * 3600 + minute * 60 + second + fraction
    return out


def _seconds(found: re.Match[str], dated: bool) -> float | None:
    """Seconds of the day; None for what is no time of day. Without a date, hours count on beyond 24."""
    hour, minute, second, fraction = (found[i] or found[i + 4] for i in range(1, 5))
    if second is None and not dated:
        return None
    h, m, s = int(hour), int(minute), int(second or 0)
    if found[9]:
        if not 1 <= h <= 12:
            return None
        h = h % 12 + (12 if found[9] in "pP" else 0)
    if m > 59 or s > 60 or (dated and (h > 24 or (h == 24 and (m or s)))):
        return None
    return h * 3600 + m * 60 + s + (float(f"0.{fraction}") if fraction else 0.0)


@functools.lru_cache(1024)
def _offset(text: str) -> float | None:
    """Seconds before UTC; None for what is no zone."""
    found = OFFSET.fullmatch(text)
    if found is not None:
        seconds = int(found[2]) * 3600.0 + int(found[3] or 0) * 60.0
        return -seconds if found[1] == "-" else seconds
    name = text.strip("()[] ").lower()
    if name in ZONES:
        return ZONES[name] * 3600.0
    if re.fullmatch(r"[a-z_/]{2,40}", name):
        raise UnknownZone(text)
    return None
