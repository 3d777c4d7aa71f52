"""Values of the column mapping as a user types them, alike in every command: names are text, whatever they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mts3.data.rows.columns import KEYS, LISTS, REPAIRS, SECONDS, WHOLE
from mts3.errors import UserError

COLUMNS = "data.columns."
"""What stands before a key of the mapping in `mts3 train`."""
_QUOTES = "\"'"
_PAIRS = {"[": "]", "(": ")", "{": "}"}


def mapping_value(key: str, text: str) -> Any:
    """The value of one key.

    obs, actions, time and missing are a list, [x,y], or a name alone. Names may hold blanks, digits and pairs of
    brackets; what holds a comma, a single bracket or quotes is put in quotes. A bare null is no value.

    Args:
        key: One of `mts3.data.rows.columns.KEYS`.
        text: What follows the equals sign.

    Raises:
        UserError: for what is no number of seconds or rows, neither true nor false, or quotes that do not end.
    """
    if text.strip() == "null":
        return None
    if key in LISTS:
        return list(_names(key, text.strip()))
    if key in SECONDS or key in WHOLE:
        convert, what = (float, "seconds") if key in SECONDS else (int, "a whole number of rows")
        try:
            return convert(text)
        except ValueError:
            raise UserError(f"{key}={text} is no number; give {what}") from None
    if key in REPAIRS:
        if text not in ("true", "false"):
            raise UserError(f"{key}={text}; expected true or false")
        return text == "true"
    return _unquoted(text) if text.strip() else text


def as_override(key: str, text: str) -> str:
    """The same value in the language of Hydra.

    Raises:
        UserError: as for `mapping_value`.
    """
    value = mapping_value(key, text)
    if isinstance(value, list):
        return f"[{','.join(map(quoted, value))}]"
    if isinstance(value, str):
        return quoted(value)
    return "null" if value is None else str(value).lower()


def is_key(key: str) -> bool:
    """Whether an option of `mts3 train` is a key of the mapping, with its prefix."""
    return key.startswith(COLUMNS) and key.removeprefix(COLUMNS) in KEYS


def quoted(text: str) -> str:
    """Text in the language of Hydra, whatever it holds."""
    # Inside quotes a backslash is itself, unless quotes follow it.
    return '"' + re.sub(r"(\\+)$", r"\1\1", re.sub(r'(\\*)"', r'\1\1\\"', text)) + '"'


def _names(key: str, text: str) -> Iterator[str]:
    if text.startswith("[") and _closes_at(text, 0) == len(text) - 1:
        text = text[1:-1]
    start = 0
    for place, sign in [*_outside(text, 0), (len(text), ",")]:
        if place < 0:
            raise UserError(f'{key}={text}: the quotes {sign} do not end; expected names as in {key}=[x,"y, z"]')
        if sign == ",":
            if name := _unquoted(text[start:place]):
                yield name
            start = place + 1


def _outside(text: str, place: int, opening: str = "") -> Iterator[tuple[int, str]]:
    """Signs outside quotes, which count at the start of a name alone, with their places: -1 for quotes that do not end.

    Without an `opening` bracket, after which names start too, what pairs of brackets hold is left out as well.
    """
    fresh = True  # whether nothing of the present name was read yet
    while place < len(text):
        sign = text[place]
        if sign in _QUOTES and fresh:
            place = _end_of_quotes(text, place)
        elif sign in _PAIRS and not opening:
            place = _closes_at(text, place) or place
        yield place, sign
        if place < 0:
            return
        fresh = sign in (",", opening) or (fresh and sign == " ")
        place += 1


def _closes_at(text: str, start: int) -> int | None:
    """Where the bracket at `start` is closed; None if it is not."""
    depth, opening = 0, text[start]
    for place, sign in _outside(text, start, opening):
        depth += (sign == opening) - (sign == _PAIRS[opening])
        if depth == 0:
            return place
    return None


def _end_of_quotes(text: str, start: int) -> int:
    found = re.compile(rf"(?:\\.|[^\\{text[start]}])*{text[start]}").match(text, start + 1)
    return found.end() - 1 if found else -1


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] in _QUOTES and _end_of_quotes(text, 0) == len(text) - 1:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
