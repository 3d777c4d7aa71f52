"""What a column of numbers counts in, as its name or its unit says: "t_ms", "time [ms]", "hours since 1990-01-01"."""

from __future__ import annotations

import re

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
