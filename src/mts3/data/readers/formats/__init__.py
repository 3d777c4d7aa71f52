"""The file formats that are read, one a file: what registers itself here, the readers know.

A reader is a function (path, columns) -> ReadResult. A new format is a new file in this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from mts3.data.readers.result import ReadResult
from mts3.data.rows.columns import Columns
from mts3.registry import Registry, import_all

Reader = Callable[[Path, Columns], ReadResult]
Given = TypeVar("Given", bound=Callable[..., ReadResult])


class Contents(NamedTuple):
    """What tells a format in a file, and its reader.

    Attributes:
        read: The reader.
        starts: What files of the format start with, one of these; () where they start with anything.
        holds: Looks closer, at the path and the first bytes; None: the start is enough.
    """

    read: Reader
    starts: tuple[bytes, ...]
    holds: Callable[[Path, bytes], bool] | None


class Folder(NamedTuple):
    """A format of folders: whether a folder is one, its reader, and what shows it, in words."""

    is_one: Callable[[Path], bool]
    read: Reader
    sign: str


class Ids(NamedTuple):
    """Sets that are called by an id: their reader (id, columns), and what to say where a file's name may be an id."""

    read: Callable[[str, Columns], ReadResult]
    hint: Callable[[str], str]


ENDINGS: Registry[Reader] = Registry("reader of files that end in")
CONTENTS: list[Contents] = []
FOLDERS: list[Folder] = []
IDS: Registry[Ids] = Registry("reader of ids after")
_places: dict[str, int] = {}


def reads_files(
    *endings: str,
    starts: tuple[bytes, ...] = (),
    holds: Callable[[Path, bytes], bool] | None = None,
    place: int = 100,
) -> Callable[[Given], Given]:
    """A decorator of the reader of a format.

    Args:
        endings: Of its files, in lower case, as in ".csv".
        starts, holds: As in `Contents`; contents say more than an ending.
        place: Where its endings come among those of all formats, when a user is told which there are.
    """

    def add(read: Given) -> Given:
        for ending in endings:
            ENDINGS.register(ending)(read)
            _places[ending] = place
        if starts or holds:
            CONTENTS.append(Contents(read, starts, holds))
        return read

    return add


def reads_folders(is_one: Callable[[Path], bool], sign: str) -> Callable[[Given], Given]:
    """The same for a format of folders; see `Folder`."""

    def add(read: Given) -> Given:
        FOLDERS.append(Folder(is_one, read, sign))
        return read

    return add


def reads_ids(prefix: str, hint: Callable[[str], str]) -> Callable[[Given], Given]:
    """The same for sets that are called `prefix` and an id; see `Ids`."""

    def add(read: Given) -> Given:
        IDS[prefix] = Ids(read, hint)
        return read

    return add


def endings() -> list[str]:
    """Of all formats, in the order in which a user is told them."""
    return sorted(ENDINGS, key=_places.__getitem__)


import_all(__name__, list(__path__))
