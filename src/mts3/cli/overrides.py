"""What the user typed after the verb, made ready for Hydra."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from mts3.cli.mapping import COLUMNS, as_override, is_key, quoted
from mts3.errors import UserError

# These go on as plain arguments: what is not in the YAML may still be one, checked by whoever receives it.
OPEN = ("model.", "trainer.", "logger.", COLUMNS)
_PATHS = ("data.path", "hydra.run.dir", "hydra.sweep.dir")


def prepare(arguments: Iterable[str]) -> list[str]:
    """Hydra overrides: paths quoted, arguments of open groups added if they are not in the group's file.

    Raises:
        UserError: for anything that is not key=value.
    """
    return [_prepare(argument) for argument in arguments]


def parse(override: str) -> Override:
    """One override, parsed.

    Raises:
        UserError: if its value cannot be read.
    """
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise UserError(
            f"cannot read '{override.lstrip('+')}' ({str(error).splitlines()[0]}); put quotes around the value: "
            f"{override.partition('=')[0].lstrip('+')}='\"...\"'"
        ) from error


def _prepare(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if not re.fullmatch(r"(\+{0,2}|~)[\w./@:-]+", key) or not (equals or key.startswith("~")):
        raise UserError(f"expected key=value, as in data=tiago or seed=1; got '{argument}'")
    if key in _PATHS and value in ("", "null"):  # neither the current folder nor a file of that name, as ./null is
        value = "null" if key == "data.path" else ""
    elif key in _PATHS and not value.startswith(("'", '"', "[")) and "${" not in value:
        # Unquoted, Hydra reads brackets, commas and equals signs of a file name as its own language.
        value = quoted(value)
    if is_key(key):
        value = as_override(key.removeprefix(COLUMNS), value)
    if key.startswith(OPEN):
        key = f"++{key}"
    return f"{key}{equals}{value}"
