"""Ways in which a file may be damaged: cut, replaced, a key gone or of another type."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

from mts3.errors import UserError

OTHER = (b"", b"null", b"[]", b"3", b'"x"', b"{}", b"a: 1\n", b"[" * 10_000, bytes(range(256)))
VALUES = (None, "text", [], {"a": 1}, -1, math.nan, 10**30, True)


def refusal(read: Callable[[], Any]) -> str | None:
    """The one line with which a file is refused; None if it is read."""
    try:
        read()
    except UserError as error:
        line = str(error)
    else:
        return None
    assert "\n" not in line
    return line


def cut(whole: bytes) -> Iterator[bytes]:
    """Shortened at several places, and contents of another kind."""
    size = len(whole)
    yield from (whole[:length] for length in sorted({1, size // 3, size // 2, size - 3}))
    yield from OTHER


def edited(tree: dict[str, Any], most: int = 10**9) -> Iterator[tuple[str, dict[str, Any]]]:
    """`tree` with every key once removed and once set to each of `VALUES`; the key and the value as text.

    Keys deeper than `most` stay.
    """
    for path in _paths(tree, most):
        for value in ("removed", *VALUES):
            damaged = copy.deepcopy(tree)
            node: Any = damaged
            for key in path[:-1]:
                node = node[key]
            if value == "removed":
                del node[path[-1]]
            else:
                node[path[-1]] = value
            yield f"{'.'.join(path)}={value!r}", damaged


def _paths(tree: dict[str, Any], most: int, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        yield (*before, key)
        if isinstance(value, dict) and len(before) + 1 < most:
            yield from _paths(value, most, (*before, key))
