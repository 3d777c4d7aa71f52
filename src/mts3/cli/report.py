"""Errors -> one line and an exit code."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from mts3.errors import UserError

DONE, OURS, USERS_MISTAKE, INTERRUPTED = 0, 1, 2, 130
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def reporting(command: str, run: Callable[[], None]) -> int:
    """Run a command and return its exit code.

    0 done; 2 the user's mistake, said in one line on stderr; 130 interrupted; 1 a training that diverged, in one line.
    Anything else is ours and keeps its traceback.
    """
    try:
        run()
    except UserError as error:
        return _say(command, error, USERS_MISTAKE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # from writers that are not ours, such as the loggers
        if error.errno not in _DISK:
            raise
        return _say(command, f"cannot write: {error}; free some space or name another folder", USERS_MISTAKE)
    except RuntimeError as error:
        from mts3.train import TrainingDiverged

        if not isinstance(error, TrainingDiverged):
            raise
        return _say(command, error, OURS)
    return DONE


def note(message: str) -> None:
    """One line on stderr, from the first of the processes that train together."""
    from mts3.train import is_main_process

    if is_main_process():
        print(message, file=sys.stderr)


def _say(command: str, message: object, code: int) -> int:
    print(f"{command}: {' '.join(str(message).split())}", file=sys.stderr)
    return code
