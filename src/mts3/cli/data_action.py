"""What the actions of `mts3 data` share; each file of `mts3.cli.data_actions` holds one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mts3.cli.mapping import COLUMNS, mapping_value
from mts3.cli.verb import Verb
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
            options[key] = _value(key, value)
    return names, options


def name_and_options(takes: str, arguments: list[str], known: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """`split_options` of an action that takes one name."""
    names, options = split_options(arguments, known)
    if len(names) != 1:
        raise UserError(f"{takes}, got {len(names)}; see mts3 data --help")
    return names[0], options


def _value(key: str, text: str) -> Any:
    if key == "seed":
        if not text.isdecimal():
            raise UserError(f"seed={text} is no whole number >= 0")
        return int(text)
    return mapping_value(key, text) if key in KEYS else text
