"""`mts3 data ACTION`."""

from __future__ import annotations

from mts3.cli.verb import VERBS, Verb, in_order
from mts3.errors import UserError

_EXAMPLE = "mts3 data import log1.csv log2.csv output=robot.npz obs=[x,y] actions=[throttle] time=stamp"


def run(arguments: list[str]) -> int | None:
    """One of the actions."""
    from mts3.cli.data_actions import ACTIONS

    if not arguments:
        actions = ", ".join(name for name, _ in in_order(ACTIONS))
        raise UserError(f"what about data? say mts3 data {actions}; see mts3 data --help")
    return ACTIONS[arguments[0]].run(arguments[1:])


def help_text() -> str:
    """Of all actions."""
    from mts3.cli.data_actions import ACTIONS

    actions = in_order(ACTIONS)
    usage = "\n".join(f"mts3 data {action.help()}" for _, action in actions).replace("\n", "\n       ")
    about = [f"  {name:10}{action.summary}".replace("\n", "\n" + " " * 12) for name, action in actions]
    return "\n".join([f"usage: {usage}", "", *about, "", f"example: {_EXAMPLE}", ""])


VERBS.register("data")(Verb(4, "list, make, show, check, import and record data sets", help_text, run))
