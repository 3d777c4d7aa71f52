"""The formats that are read, one a file: what registers itself here, the readers know.

A new format is a new file in this folder, with a function (path, columns) -> ReadResult under `reads`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mts3.data.readers.result import ReadResult
from mts3.data.rows.columns import Columns
from mts3.registry import Registry, import_all

Reader = Callable[[Path, Columns], ReadResult]
Given = TypeVar("Given", bound=Callable[..., ReadResult])


class Format(NamedTuple):
    """What tells a format, and its reader.

    Attributes:
        read: The reader; after a `prefix` it is given an id in place of a path.
        starts: What files of the format start with, one of these; () where they start with anything.
        holds: Looks closer, at a path and the first bytes there; None: the start is enough.
        folder: What shows a folder of the format, in words; "" for a format of files.
        prefix: What comes before the id of a set that is no path, as in "minari:"; "" for none.
        hint: What to say where there is no file of a name that may be an id.
    """

    read: Callable[..., ReadResult]
    starts: tuple[bytes, ...] = ()
    holds: Callable[[Path, bytes], bool] | None = None
    folder: str = ""
    prefix: str = ""
    hint: Callable[[str], str] = lambda text: ""


FORMATS: list[Format] = []
ENDINGS: Registry[Reader] = Registry("reader of files that end in")
_places: dict[str, int] = {}


def reads(*endings: str, place: int = 100, **known_by: Any) -> Callable[[Given], Given]:
    """A decorator of the reader of a format.

    Args:
        endings: Of its files, in lower case, as in ".csv". Contents say more than an ending.
        place: Where its endings come among those of all formats, in messages that list them.
        known_by: As in `Format`.
    """

    def add(read: Given) -> Given:
        for ending in endings:
            ENDINGS.register(ending)(read)
            _places[ending] = place
        FORMATS.append(Format(read, **known_by))
        return read

    return add


def endings() -> str:
    """Of all formats, in the order in which messages list them."""
    return ", ".join(sorted(ENDINGS, key=_places.__getitem__))


import_all(__name__, list(__path__))
