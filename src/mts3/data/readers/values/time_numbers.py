"""Times that are numbers -> seconds: what they count in is stated, or recognised by their size and steps.

It is stated by the user, by the name of the column or by its unit: "t_ms", "time [ms]", "hours since 1990-01-01".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mts3.data.readers.values.date_cells import CALENDAR, calendar_seconds
from mts3.data.rows.clock import TIME_TOLERANCE
from mts3.data.rows.columns import TIME_UNITS
from mts3.data.rows.raw import Times, Written
from mts3.errors import UserError

DAY = 86400
# Seconds since 1970 in 1995 and in 2100: what is as large counts from there, and nothing else that is written does.
EPOCH = 788_918_400, 4_102_444_800
# More seconds than this are no time, whatever they count from: some three thousand years.
LARGEST = 1e11
# Days of spreadsheets (since 1900) and of astronomers (modified), of MATLAB (since year 0), and of the Julian calendar.
DAYS = (30_000, 80_000), (710_000, 770_000), (2_440_000, 2_490_000)
# Seconds between the rows of logs that count in days.
INTERVALS = (60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200)
# Steps of a clock in seconds that has run for a day are no shorter.
SHORTEST = 1e-3
# Minutes by which a clock that jitters may leave whole ones; steps of 1000, 2000 or 1024 are further away.
NEAR_MINUTES = 0.05
# What a note holds where numbers count as seconds and are no likely ones; `check` looks for it.
UNLIKELY = "taken for seconds, though as large or as far apart as days or milliseconds would be (time_unit=d, ms, ..)"
ADVICE = "say what it counts in with time_unit=s, ms, us, ns, min, h or d (mts3 train: data.columns.time_unit=ms)"
# As in `mts3.data.rows.columns.TIME_UNITS`, and in words.
WORDS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds"),
    "us": ("us", "µs", "μs", "usec", "usecs", "micro", "micros", "microsecond", "microseconds"),
    "ns": ("ns", "nsec", "nsecs", "nano", "nanos", "nanosec", "nanosecond", "nanoseconds"),
    "min": ("min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
UNIT_OF = {word: unit for unit, words in WORDS.items() for word in words}
IN_WORDS = {unit: words[-1] for unit, words in WORDS.items()}
_ANY = "|".join(sorted(UNIT_OF, key=len, reverse=True))
SINCE = re.compile(rf"\b({_ANY})\s+since\b", re.IGNORECASE)
# "time [ms]", "t_ms", "t/ms", "time, ms", "stamp.sec".
AT_END = re.compile(rf"[\s_\-./,:(\[{{]\s*({_ANY})\s*[)\]}}]?\s*$", re.IGNORECASE)
# "stampMs", "timeNanos"; a single letter would be part of a word.
CAMEL = re.compile(rf"(?<=[a-z])((?:{'|'.join(w.capitalize() for w in UNIT_OF if len(w) > 1)}))$")


def number_times(values: np.ndarray, name: str, path: Path, given: str | None, unit: str = "") -> Times:
    """Seconds from numbers.

    Large numbers count from the first row, subtracted before anything is rounded: nanoseconds since 1970 have more
    digits than a float64.

    Args:
        values: (R,) whole numbers or float64, NaN where a time is missing.
        name, path: For words and errors.
        given: The unit that the user says they count in, one of TIME_UNITS; None: recognised, else seconds.
        unit: Of the column, as the file says it.

    Raises:
        UserError: for numbers that could be in several units, or are not in the one that the column's name says.
    """
    finite = np.isfinite(values)
    known = values[finite]
    if not len(known):
        return Times(np.full(len(values), np.nan))
    values = values if finite.all() else np.where(finite, values, np.nan).astype(values.dtype)
    said = given or stated_unit(name, unit)
    calendar = calendar_seconds(values) if said is None else None
    if calendar is not None:
        form = CALENDAR[len(str(int(known[0])))]
        return Times(since_first(calendar), Written(f"time '{name}': dates as {form}", local=True, from_first=True))
    starts = f"time column '{name}' of {path} starts with"
    if said is None:
        scale, words = _recognised(known, starts)
    else:
        if given is None and not (said == "d" and _as_large_as_days(known)):
            _refuse_beyond(known, said, LARGEST, starts)
        # Since when is not said: it need not be 1970.
        scale, words = TIME_UNITS[said], "" if said == "s" else IN_WORDS[said]
    large = float(np.abs(known).max()) >= EPOCH[0] or scale == DAY
    since = since_first(values) if large else values.astype(np.float64)
    # 1e-9 is no float; its inverse is.
    seconds = since / round(1 / scale) if scale < 1 else since * scale
    words = words and f"time '{name}': {words}"
    return Times(seconds, Written(words, spacing=_float32_spacing(values, known) * scale, from_first=large))


def _recognised(known: np.ndarray, starts: str) -> tuple[float, str]:
    """Seconds of what numbers count in, and that in words; "" for seconds that nobody doubts."""
    low, high = float(known.min()), float(known.max())
    for unit in ("s", "ms", "us", "ns"):
        if EPOCH[0] <= low * TIME_UNITS[unit] and high * TIME_UNITS[unit] <= EPOCH[1]:
            _refuse_unlikely(known, unit, starts)
            start = str(np.datetime64(int(float(known[0]) * TIME_UNITS[unit]), "s")).replace("T", " ")
            return TIME_UNITS[unit], f"{IN_WORDS[unit]} since 1970, from {start} on"
    if _are_days(known, starts):
        return float(DAY), "days, as spreadsheets and MATLAB count them"
    _refuse_beyond(known, "s", EPOCH[1], starts)
    whole = bool((known == np.round(known)).all()) and _step(known) >= 2
    # Rows that are a thousand seconds apart or more are whole minutes apart; thousands of something else are not.
    odd = whole and _step(known) >= 1000 and _step(known) % 60 != 0
    if odd or (_as_large_as_days(known) and _step(known) == 1):
        return 1.0, UNLIKELY
    doubtful = whole or _as_large_as_days(known)
    return 1.0, "taken for seconds (time_unit=ms, h, .. says otherwise)" if doubtful else ""


def since_first(values: np.ndarray) -> np.ndarray:
    """(R,) float64, less the first number that is known; whole numbers without rounding."""
    values = values.astype(np.int64 if values.dtype.kind in "iu" else np.float64)
    return (values - values[np.argmax(np.isfinite(values))]).astype(np.float64)


def _step(known: np.ndarray) -> float:
    """The median distance of rows one after the other, in what the numbers count in; 0 where all are one."""
    steps = np.abs(np.diff(known.astype(np.float64) if known.dtype.kind == "f" else known)).astype(np.float64)
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0


def _refuse_unlikely(known: np.ndarray, unit: str, starts: str) -> None:
    """Nothing unless a row every some thousand seconds, no whole minutes, tells of a counter of something else.

    Rows that come now and then are events, and no counter.
    """
    step = _step(known) * TIME_UNITS[unit]
    apart = np.abs(np.diff(known)) * TIME_UNITS[unit]
    regular = 2 * np.count_nonzero(np.abs(apart - step) <= TIME_TOLERANCE * step) >= len(apart)
    if step >= 1000 and regular and abs(step / 60 - round(step / 60)) > NEAR_MINUTES:
        raise UserError(
            f"{starts} {known[0]:.20g} and goes on by {_step(known):.6g}; it could "
            f"be {IN_WORDS[unit]} since 1970, or count from another start in another unit: {ADVICE}"
        )


def _refuse_beyond(known: np.ndarray, unit: str, most: float, starts: str) -> None:
    """Nothing where the numbers are times in that unit: at most so many seconds."""
    if float(np.abs(known).max()) * TIME_UNITS[unit] <= most:
        return
    raise UserError(
        f"{starts} {known[0]:.20g}, too large for {IN_WORDS[unit]}, and no date that is known here; {ADVICE}"
    )


def _as_large_as_days(known: np.ndarray) -> bool:
    return any(low <= known.min() and known.max() <= high for low, high in DAYS)


def _are_days(known: np.ndarray, starts: str) -> bool:
    """Whether numbers as large as days since 1900, say, are days.

    A clock in seconds that runs since yesterday is as large. Its steps are round in seconds, as 0.02, or it counts so
    many a second, as 30; those of days are round in seconds once they are multiplied, as those of an hour.

    Raises:
        UserError: where both may be meant, as by an hour and by 24 a second.
    """
    step, noise = _fine_step(known)
    if not _as_large_as_days(known) or step == 0 or step >= 1 or _round(step, noise):
        return False
    seconds, rate = step * DAY, 1 / step
    usual = any(abs(seconds - interval) <= max(noise * DAY, 1e-6 * interval) for interval in INTERVALS)
    frames = abs(rate - round(rate)) <= max(noise * rate**2, 1e-6 * rate)
    short = step < (1 - TIME_TOLERANCE) * SHORTEST
    if short and _round(seconds, noise * DAY):
        return True
    if short or usual:
        raise UserError(
            f"{starts} {known[0]:.12g} and goes on by {step:.6g}; it could count in "
            f"days, a row every {seconds:.6g} s, or in seconds: {ADVICE}"
        )
    return not frames and _round(seconds, noise * DAY)


def _fine_step(known: np.ndarray) -> tuple[float, float]:
    """The step of regular numbers, span over count, and how far it may be off: by their last digits, as written."""
    step, count = _step(known), len(known) - 1
    if step == 0:
        return 0.0, 0.0
    digits = next((d for d in range(16) if (np.round(known, d) == known).all()), None)
    written = 0.0 if digits is None else 10.0**-digits
    exact = 4 * float(np.spacing(np.abs(known).max()))
    apart = np.diff(known.astype(np.float64))
    if (np.abs(apart - step) <= 1.01 * written + exact).all():
        return float(known[-1] - known[0]) / count, written / count + exact
    return step, exact


def _round(step: float, noise: float) -> bool:
    """Whether a step has at most three digits, up to what it may be off by."""
    digits = 10.0 ** (np.floor(np.log10(step)) - 2)
    return abs(step / digits - round(step / digits)) * digits <= noise + 1e-9 * step


def _float32_spacing(values: np.ndarray, known: np.ndarray) -> float:
    """How far apart numbers of 7 digits lie, where the times have no more of them than that; else 0."""
    largest = float(np.abs(known).max())
    spacing = float(np.spacing(np.float32(largest)))
    if values.dtype == np.float32:
        return spacing
    # In text: what float32 can hold, or its shortest decimal; chance makes one in 128 large numbers such.
    some = np.unique(known)[:1000].astype(np.float64)
    if largest < EPOCH[0] or len(some) == len(known) or len(some) < 2:
        return 0.0
    short = all(value in (float(np.float32(value)), float(str(np.float32(value)))) for value in some.tolist())
    return spacing if short else 0.0


def stated_unit(name: str, unit: str = "") -> str | None:
    """A key of TIME_UNITS, or None where neither the name of a column nor its line of units says one.

    Args:
        name: Of the column, as in "t_ms".
        unit: As the file gives it, as in "ms" or "hours since 1990-01-01"; "" where it gives none.
    """
    unit = unit.strip().strip("[](){}").strip()
    if unit.lower() in UNIT_OF:
        return UNIT_OF[unit.lower()]
    whole = name.strip().lower()
    if len(whole) > 1 and whole in UNIT_OF:
        return UNIT_OF[whole]
    found = SINCE.search(unit) or SINCE.search(name) or AT_END.search(name) or CAMEL.search(name.strip())
    return None if found is None else UNIT_OF[found[1].lower()]
