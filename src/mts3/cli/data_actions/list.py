"""`mts3 data list`."""

from __future__ import annotations

from mts3.cli.data_action import ACTIONS, size_of, split_options
from mts3.cli.verb import Verb
from mts3.data import describe_known
from mts3.errors import UserError

_ABOUT = "the data sets by name: channels, trajectories, rows, source"


def run(arguments: list[str]) -> None:
    """A line each."""
    names, _ = split_options(arguments, ())
    if names:
        raise UserError(f"list takes nothing, got '{names[0]}'; try mts3 data show {names[0]}")
    known = describe_known()
    width = max(len(name) for name, _ in known)
    for name, summary in known:
        print(f"{name:{width}} {summary if isinstance(summary, str) else f'{size_of(summary)}; {summary.attribution}'}")


ACTIONS.register("list")(Verb(1, _ABOUT, lambda: "list", run))
