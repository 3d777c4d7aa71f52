"""Whether what `config.yaml` of a run folder holds is a configuration."""

from __future__ import annotations

from typing import Any

from mts3.cli.config import check_types, default_config, typed
from mts3.cli.needed import check_needed
from mts3.cli.process import AUTO
from mts3.errors import UserError

_SECTIONS = ("data", "model", "train", "trainer", "logger", "evaluate")
_PRESENT = ("data.name", "data.path", "data.columns", "trainer.accelerator", "train.target")
_LATER = {"backend": AUTO, "threads": AUTO, "overwrite": False, "resume": False}  # a run of an earlier version has none


def checked_config(config: Any) -> dict[str, Any]:
    """A configuration as it was read, with what later versions added.

    Raises:
        UserError: naming the first key that is missing, unknown or of another type.
    """
    if not isinstance(config, dict):
        raise UserError("it holds no configuration")
    config = _LATER | {str(key): value for key, value in config.items()}
    defaults = default_config()
    for section in _SECTIONS:
        if not isinstance(config.get(section), dict):
            raise UserError(f"{section} is missing, or holds no keys")
    check_types(config, typed(defaults))
    check_needed(config, defaults)
    for key in _PRESENT:
        if key.partition(".")[2] not in config[key.partition(".")[0]]:
            raise UserError(f"{key} is missing")
    for section in ("model", "trainer", "logger"):  # these become names of arguments
        if not all(isinstance(name, str) for name in config[section]):
            raise UserError(f"{section} has a key that is no text")
    return config
