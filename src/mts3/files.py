"""Write aside, then rename: a file is whole or it is not there."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mts3.errors import UserError

# Processes are known by number on one machine; several may write into one folder of a network.
_HERE = re.sub(r"[^A-Za-z0-9]", "-", socket.gethostname())[:32]
_ASIDE = re.compile(rf"\..*\.{re.escape(_HERE)}-(\d+)\.part(\..*)?", re.DOTALL)


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to; on success it replaces `path` in one step, on failure it is removed.

    What a process that was killed left beside `path`, half written, is removed too.

    Raises:
        UserError: when the disk is full or the folder cannot be written (nothing is left behind, an older file stays).
    """
    path = Path(path)
    # The suffix stays last: numpy and matplotlib choose a format, or append one, by it.
    aside = path.with_name(f".{path.stem}.{_HERE}-{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path.parent, path)
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free some space or name another folder"
        ) from error
    finally:
        with suppress(OSError):  # where there is no folder there is nothing to remove
            aside.unlink()


def remove_stale(folder: Path, of: Path | None = None) -> None:
    """Remove half-written files whose writers, processes of this machine, have ended.

    Args:
        folder: Where to look; it need not exist.
        of: The file they were to become; None for any.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _ASIDE.fullmatch(entry.name)
            ours = of is None or (entry.name.startswith(f".{of.stem}.{_HERE}-") and entry.name.endswith(of.suffix))
            if found and ours and not _runs(int(found[1])):
                with suppress(OSError):
                    os.unlink(entry.path)


def _runs(process: int) -> bool:
    """Whether there is a process of that number; where the system cannot be asked without harm, yes."""
    if os.name != "posix":  # on Windows the same call ends the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no number of a process
        return True
    return True
