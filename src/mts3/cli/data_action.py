"""What the actions of `mts3 data` share; each file of `mts3.cli.data_actions` holds one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mts3.cli.mapping import COLUMNS, mapping_value
from mts3.cli.report import print_table
from mts3.cli.verb import Verb
from mts3.data import Dataset, Summary, describe, describe_channels
from mts3.data.rows.columns import KEYS
from mts3.errors import UserError, unknown_name
from mts3.registry import Registry

ACTIONS: Registry[Verb] = Registry("action")
"""Their `help` is what may follow `mts3 data`; `run` is given what follows the name."""


def split_options(arguments: list[str], known: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Names and files, and options.

    Args:
        arguments: What follows the action.
        known: What may stand there as KEY=VALUE.
    Raises:
        UserError: for another key, or a value that cannot be read.
    """
    names: list[str] = []
    options: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        key = key.removeprefix(COLUMNS)  # as mts3 train calls them
        if not equals or Path(argument).exists():
            names.append(argument)
        elif key not in known:
            raise unknown_name("option", key, known) if known else UserError(f"unexpected '{argument}'")
        else:
            options[key] = mapping_value(key, value) if key in KEYS else whole(key, value) if key == "seed" else value
    return names, options


def name_and_options(takes: str, arguments: list[str], known: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """`split_options` of an action that takes one name."""
    names, options = split_options(arguments, known)
    if len(names) != 1:
        raise UserError(f"{takes}, got {len(names)}; see mts3 data --help")
    return names[0], options


def whole(key: str, text: str) -> int:
    """The number that an option gives.

    Raises:
        UserError: if it gives none.
    """
    if not text.isdecimal():
        raise UserError(f"{key}={text} is no whole number >= 0")
    return int(text)


def print_summary(dataset: Dataset) -> None:
    """A data set in a few lines: its size, its channels, its source."""
    summary = describe(dataset)
    print(f"{summary.name}: {size_of(summary)}")
    rows = [("channel", "kind", "unit", "mean", "std", "min", "max", "missing")]
    rows += [
        (c.name, c.kind, c.unit, *(_number(x, c.std) for x in (c.mean, c.std, c.min, c.max)), f"{c.missing:.1%}")
        for c in describe_channels(dataset)
    ]
    print_table(rows)
    if summary.attribution:
        print(f"source: {summary.attribution}")


def _number(value: float, std: float) -> str:
    """Four digits, or as many as tell the values of a channel apart that moves little for its size."""
    fine = std > 0 and abs(value) > 100 * std
    return f"{value:.{max(0, 1 - math.floor(math.log10(std)))}f}" if fine else f"{value:.4g}"


def size_of(summary: Summary) -> str:
    """ "2 trajectories, 80 rows of 1 observation and 1 action every 0.5 s"."""
    counts = {
        "trajectory trajectories": summary.trajectories,
        "row rows": summary.rows,
        "observation observations": summary.obs_dim,
        "action actions": summary.action_dim,
    }
    trajectories, rows, obs, actions = (f"{n} {words.split()[n != 1]}" for words, n in counts.items())
    missing = f", {summary.missing:.1%} missing" if summary.missing else ""
    return f"{trajectories}, {rows} of {obs} and {actions} every {summary.sample_time:g} s{missing}"
