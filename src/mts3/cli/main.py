"""The command `mts3`: verbs, help and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from mts3.cli.report import DONE, heeding_sigterm, reporting
from mts3.errors import unknown_name

HELP = """\
usage: mts3 COMMAND [key=value ...]

Learn world models at several time scales from recorded data, and predict far ahead with honest uncertainty.

  train       train a model, evaluate it on the test part, write a run folder
  evaluate    evaluate the model of a run folder, on its own test part or on other data
  benchmark   several models on several data sets, with several seeds: tables and a figure
  data        list, make, show, check, import and record data sets

  mts3 COMMAND --help    what a command takes and writes
  mts3 --version

example: mts3 train data=tiago model=mts3
"""
COMMANDS = ("train", "evaluate", "benchmark", "data")
# OpenMP's threads spin while they wait, and a neighbour who wants the core waits with them: a step becomes many times
# slower. The variables are read when PyTorch is loaded, which is why nothing here imports it.
SLEEPING = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
_HELP_FLAGS = {"-h", "--help"}
_SWEEP_FLAGS = {"-m", "--multirun"}


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
        print(HELP, end="")
        return DONE
    if given[0] == "--version":
        from mts3 import __version__

        print(f"mts3 {__version__}")
        return DONE
    verb, rest = given[0], given[1:]
    codes: list[int] = []
    with heeding_sigterm():
        code = reporting(f"mts3 {verb}" if verb in COMMANDS else "mts3", lambda: codes.append(_run(verb, rest)))
    return max([code, *codes])


def _run(verb: str, arguments: list[str]) -> int:
    if verb not in COMMANDS:
        raise unknown_name("command", verb, COMMANDS)
    flags = {argument for argument in arguments if argument.startswith("-")}
    values = [argument for argument in arguments if argument not in flags]
    allowed = _HELP_FLAGS | _SWEEP_FLAGS if verb == "train" else _HELP_FLAGS
    if flags - allowed:
        raise unknown_name("flag", min(flags - allowed), allowed)
    # Imported here: Lightning takes seconds, and the help needs none of it.
    if flags & _HELP_FLAGS:
        return _help(verb)
    if verb == "train":
        return _train(values, sweep=bool(flags & _SWEEP_FLAGS))
    if verb == "benchmark":
        from mts3.cli.benchmark import benchmark

        return benchmark(values)
    if verb == "evaluate":
        from mts3.cli.evaluate import evaluate

        evaluate(values)
    else:
        from mts3.cli.data import data

        data(values)
    return DONE


def _train(values: list[str], sweep: bool) -> int:
    from mts3.cli.overrides import prepare
    from mts3.cli.resume import asked

    overrides = prepare(values)
    if sweep:
        from mts3.cli.sweep import run_sweep
        from mts3.cli.train import train

        return run_sweep("mts3 train", overrides, train)
    run = asked(overrides)  # a slip is answered before Lightning is imported
    from mts3.cli.train import train

    train(run.config, run.run_dir)
    return DONE


def _help(verb: str) -> int:
    from mts3.cli.help import text

    print(text(verb), end="")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
