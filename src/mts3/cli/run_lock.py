"""One process at a time writes a run folder: the system takes the lock back when its process ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mts3.cli.report import note
from mts3.errors import UserError
from mts3.run_layout import LOCK

_HELD = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)

if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: int) -> None:
        # Of the process, not of the open file: worker processes, which inherit the file, do not keep the lock.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a folder; made if it is not there, and removed again if it stays empty.

    Only the process that starts a training locks: those it starts for further devices belong to it. The file
    `.mts3-lock` goes with the lock; one that a killed process left behind locks nothing.

    Raises:
        UserError: if another process is at work there, or the folder cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder")
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked_file(folder)
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror or error}; name another folder") from error
    try:
        yield
    finally:
        _release(file, folder / LOCK)
        if new:
            with suppress(OSError):  # something was written
                folder.rmdir()


def _locked_file(folder: Path) -> int:
    while True:
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(file)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                note(f"{folder} cannot be locked ({error.strerror}): start no second run there meanwhile")
                return file
            os.close(file)
            if error.errno in _HELD:
                raise UserError(
                    f"{folder} is in use: another mts3 process trains or evaluates there; wait until it has ended, or "
                    "name another folder"
                ) from error
            raise
        with suppress(OSError):  # whoever held it before may have removed it between our opening and our locking
            if os.path.samestat(os.fstat(file), os.stat(folder / LOCK)):
                return file
        os.close(file)


def _release(file: int, path: Path) -> None:
    """Remove the file before the lock: then nobody can hold a lock on a file that is gone."""
    if os.name == "posix":
        with suppress(OSError):
            path.unlink()
    os.close(file)
    if os.name != "posix":  # an open file cannot be removed there
        with suppress(OSError):
            path.unlink()
