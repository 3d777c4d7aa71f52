"""What an action of `mts3 data` is. Each file of `mts3.cli.data_actions` holds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mts3.errors import UserError
from mts3.registry import Registry


@dataclass(frozen=True)
class Action:
    """An action.

    Attributes:
        place: Where it stands among the others in the help.
        usage: What may follow `mts3 data`; further lines go on with it.
        about: What it does, in lines.
        options: What may follow as KEY=VALUE.
        run: (what is no KEY=VALUE, options) -> nothing.
    """

    place: int
    usage: str
    about: str
    options: tuple[str, ...]
    run: Callable[[list[str], dict[str, Any]], None]


ACTIONS: Registry[Action] = Registry("action")


def only(names: list[str], takes: str) -> str:
    """The one name that an action takes.

    Raises:
        UserError: if there are none, or several.
    """
    if len(names) != 1:
        raise UserError(f"{takes}, got {len(names)}; see mts3 data --help")
    return names[0]
