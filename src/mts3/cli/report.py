"""What a command says: errors as one line and an exit code, notes and tables."""

from __future__ import annotations

import errno
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mts3.errors import UserError

DONE, OURS, USERS_MISTAKE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
STOPPED = (INTERRUPTED, TERMINATED)
"""Exit codes after which nothing more is begun."""
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class Terminated(BaseException):
    """The process was asked to end (SIGTERM). The message says what that means for the run."""


@contextmanager
def heeding_sigterm() -> Iterator[None]:
    """Raise `Terminated` within the block where the system asks the process to end; a second time it just ends.

    A handler that is there already stays, and other threads than the main one have none.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def terminate(signum: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated("terminated")

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def reporting(command: str, run: Callable[[], int | None]) -> int:
    """Run a command and return its exit code: its own, or

    0 done; 2 the user's mistake, said in one line on stderr; 130 interrupted; 143 terminated, in one line; 1 a training
    that diverged, in one line. Anything else is ours and keeps its traceback.
    """
    try:
        return run() or DONE
    except UserError as error:
        return _say(command, error, USERS_MISTAKE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated as stop:
        return _say(command, stop, TERMINATED)
    except OSError as error:  # from writers that are not ours, such as the loggers
        if error.errno not in _DISK:
            raise
        return _say(command, f"cannot write: {error}; free some space or name another folder", USERS_MISTAKE)
    except RuntimeError as error:
        from mts3.train import TrainingDiverged

        if not isinstance(error, TrainingDiverged):
            raise
        return _say(command, error, OURS)


def note(message: str) -> None:
    """One line on stderr, from the first of the processes that train together."""
    from mts3.train import is_main_process

    if is_main_process():
        print(message, file=sys.stderr)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print columns side by side, the first aligned to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
        print("  ".join(cells).rstrip())


def _say(command: str, message: object, code: int) -> int:
    print(f"{command}: {' '.join(str(message).split())}", file=sys.stderr)
    return code
