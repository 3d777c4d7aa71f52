"""`mts3 data record`: let a policy run in an environment, and write what happened."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mts3.cli.data_action import ACTIONS, print_summary, split_options, whole
from mts3.cli.verb import Verb
from mts3.data import Dataset
from mts3.errors import UserError

_USAGE = """\
record env=ID output=FILE.npz [policy=random] [episodes=N] [steps=N] [seed=N] [flatten=true]
                 [sample_time=SECONDS]"""
_ABOUT = """\
let a policy (random, zero, or MODULE:FUNCTION of yours) run in a gymnasium environment. flatten=true lays
out Dict and Tuple spaces, channel by channel; sample_time gives seconds per step where the environment has
no clock (a guess is said)"""
_OPTIONS = ("env", "policy", "episodes", "steps", "seed", "output", "sample_time", "flatten")


def run(arguments: list[str]) -> None:
    """Record, and say what was recorded."""
    names, options = split_options(arguments, _OPTIONS)
    if names:
        raise UserError(f"record takes no name, got '{names[0]}'; see mts3 data --help")
    print_summary(record_data(options))
    print(f"file: {options['output']}")


def record_data(options: Mapping[str, Any]) -> Dataset:
    """Record into options["output"] and return what was recorded.

    Raises:
        UserError: for a missing or unusable option.
    """
    for key, what in (("env", "ID, of gymnasium"), ("output", "FILE.npz, the file to write")):
        if key not in options:
            raise UserError(f"record needs {key}={what}")
    flatten = options.get("flatten", "false")
    if flatten not in ("true", "false"):
        raise UserError(f"flatten={flatten}; expected true or false")
    numbers = {key: whole(key, str(options[key])) for key in ("episodes", "steps", "seed") if key in options}
    from mts3.data.gym.recorder import record

    # A policy of the user's lies where the user is; the console script does not look there.
    sys.path.insert(0, str(Path.cwd()))
    try:
        return record(
            options["env"],
            options.get("policy", "random"),
            output=options["output"],
            sample_time=options.get("sample_time"),
            flatten=flatten == "true",
            **numbers,
        )
    finally:
        sys.path.remove(str(Path.cwd()))


ACTIONS.register("record")(Verb(6, _ABOUT, lambda: _USAGE, run))
