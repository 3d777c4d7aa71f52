"""The command `mts3`: verbs, help and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import mts3.cli.verbs  # noqa: F401 - each registers itself
from mts3 import __version__
from mts3.cli.report import DONE, heeding_sigterm, reporting
from mts3.cli.verb import VERBS, in_order
from mts3.errors import unknown_name

_OVERVIEW = """\
usage: mts3 COMMAND [key=value ...]

Learn world models at several time scales from recorded data, and predict far ahead with honest uncertainty.

{commands}

  mts3 COMMAND --help    what a command takes and writes
  mts3 --version

example: mts3 train data=tiago model=mts3
"""
# OpenMP's threads spin while they wait, and a neighbour who wants the core waits with them: a step becomes many times
# slower. The variables are read when PyTorch is loaded, which is why nothing here imports it.
SLEEPING = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
_HELP_FLAGS = {"-h", "--help"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows `mts3`; None takes it from the command line.
    Returns: 0 done, 1 ours, 2 the user's mistake, 130 interrupted, 143 terminated.
    """
    if not any(name in os.environ for name in (*SLEEPING, "GOMP_SPINCOUNT")):  # the user's own choice stands
        os.environ.update(SLEEPING)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in _HELP_FLAGS:
        commands = "\n".join(f"  {name:12}{verb.summary}" for name, verb in in_order(VERBS))
        print(_OVERVIEW.format(commands=commands), end="")
        return DONE
    if given[0] == "--version":
        print(f"mts3 {__version__}")
        return DONE
    name, *rest = given
    with heeding_sigterm():
        return reporting(f"mts3 {name}" if name in VERBS else "mts3", lambda: _run(name, rest))


def _run(name: str, arguments: list[str]) -> int | None:
    verb = VERBS[name]
    flags = {argument for argument in arguments if argument.startswith("-")}
    allowed = _HELP_FLAGS | verb.flags
    if flags - allowed:
        raise unknown_name("flag", min(flags - allowed), allowed)
    if flags & _HELP_FLAGS:
        print(verb.help(), end="")
        return DONE
    return verb.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
