"""`mts3 data list`."""

from __future__ import annotations

from typing import Any

from mts3.cli.data_action import ACTIONS, Action
from mts3.cli.data_summary import size_of
from mts3.data import describe_known
from mts3.errors import UserError

_ABOUT = "the data sets by name: channels, trajectories, rows, source"


def run(names: list[str], options: dict[str, Any]) -> None:
    """A line each."""
    if names:
        raise UserError(f"list takes nothing, got '{names[0]}'; try mts3 data show {names[0]}")
    known = describe_known()
    width = max(len(name) for name, _ in known)
    for name, summary in known:
        print(f"{name:{width}} {summary if isinstance(summary, str) else f'{size_of(summary)}; {summary.attribution}'}")


ACTIONS.register("list")(Action(1, "list", _ABOUT, (), run))
