"""Write aside, then rename: a file is whole or it is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mts3.errors import UserError


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to; on success it replaces `path` in one step, on failure it is removed.

    Raises:
        UserError: when the disk is full or the folder cannot be written (nothing is left behind, an older file stays).
    """
    path = Path(path)
    # The suffix stays last: numpy and matplotlib choose a format, or append one, by it.
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free some space or name another folder"
        ) from error
    finally:
        with suppress(OSError):  # where there is no folder there is nothing to remove
            aside.unlink()
