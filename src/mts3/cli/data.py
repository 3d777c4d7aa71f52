"""`mts3 data ACTION`: the action, its names and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mts3.cli.data_actions  # noqa: F401 - each registers itself
from mts3.cli.data_action import ACTIONS
from mts3.cli.mapping import COLUMNS, mapping_value
from mts3.cli.verb import in_order
from mts3.data.columns import KEYS
from mts3.errors import UserError, unknown_name

_EXAMPLE = "mts3 data import log1.csv log2.csv output=robot.npz obs=[x,y] actions=[throttle] time=stamp"


def data(arguments: list[str]) -> None:
    """Run `mts3 data ACTION ...`.

    Raises:
        UserError: for anything the action cannot do.
    """
    if not arguments:
        actions = ", ".join(name for name, _ in in_order(ACTIONS))
        raise UserError(f"what about data? say mts3 data {actions}; see mts3 data --help")
    action = ACTIONS[arguments[0]]
    action.run(*_split_options(arguments[1:], action.options))


def help_text() -> str:
    """The help of all actions."""
    actions = in_order(ACTIONS)
    usages = [f"mts3 data {action.usage}" for _, action in actions]
    abouts = [f"{name:10}{action.about}".replace("\n", "\n" + " " * 12) for name, action in actions]
    return "usage: {}\n\n{}\n\nexample: {}\n".format(
        "\n".join(usages).replace("\n", "\n       "), "\n".join(f"  {about}" for about in abouts), _EXAMPLE
    )


def _split_options(arguments: list[str], known: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
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
            options[key] = _value(key, value)
    return names, options


def _value(key: str, text: str) -> Any:
    if key == "seed":
        if not text.isdecimal():
            raise UserError(f"seed={text} is no whole number >= 0")
        return int(text)
    return mapping_value(key, text) if key in KEYS else text
