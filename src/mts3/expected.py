"""What a nested record read from a file must hold: said as a table, walked by one function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        words: What a value that is none of it is called, as in "number".
        fits: Whether a value is one; a missing one is None.
    """

    words: str
    fits: Callable[[Any], object]


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return type(value) in (int, float) and math.isfinite(value)


NUMBER = Kind("number", is_number)
TEXT = Kind("text", lambda value: isinstance(value, str))
NUMBERS = Kind("list of numbers", lambda value: isinstance(value, list) and bool(value) and all(map(is_number, value)))


@dataclass(frozen=True)
class Optional:
    """What may be missing or null."""

    expected: Expected


@dataclass(frozen=True)
class Each:
    """A list, each entry of which is as expected."""

    expected: Expected


Expected = Kind | Optional | Each | Mapping[str, Any]


def check(value: Any, expected: Expected, name: str = "it") -> None:
    """Compare a value with what is expected: of a mapping every key of it; keys that it does not name are passed over.

    Raises:
        ValueError: naming the first value that is missing or of another kind.
    """
    if isinstance(expected, Optional):
        if value is not None:
            check(value, expected.expected, name)
    elif isinstance(expected, Kind):
        if not expected.fits(value):
            raise ValueError(f"{name} is missing or no {expected.words}")
    elif isinstance(expected, Each):
        if not isinstance(value, list):
            raise ValueError(f"{name} is missing or no list")
        for place, entry in enumerate(value):
            check(entry, expected.expected, f"{name}[{place}]")
    elif not isinstance(value, dict):
        raise ValueError(f"{name} is missing or no object")
    else:
        for key, part in expected.items():
            check(value.get(key), part, key if name == "it" else f"{name}.{key}")
