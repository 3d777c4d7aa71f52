"""Whether what `config.yaml` of a run folder holds is a configuration."""

from __future__ import annotations

from typing import Any

from mts3.cli.config import check_types, default_config, typed
from mts3.cli.process import AUTO
from mts3.errors import UserError, unknown_name

# What the commands that read a run folder look at: neither missing nor null.
_NEEDED = (
    *("seed", "split_seed", "name", "label", "train.target", "model.name", "logger.name", "trainer.accelerator"),
    *("evaluate.metric_window", "evaluate.batch_size", "data.name", "data.context_len", "data.sequence_len"),
    *("data.window_len", "data.train_stride", "data.test_stride", "data.split_fractions", "data.skip_short"),
)
_NULLABLE: dict[str, tuple[type, str]] = {
    "data.path": (str, "text"),
    "data.columns": (dict, "several keys"),
    "data.size": (str, "text"),
    "data.seed": (int, "a whole number"),
}
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
    check_types(config, typed(defaults))
    for key in _NEEDED:
        if _select(config, key) is None:
            raise UserError(f"{key} is missing")
    for key, (kind, words) in _NULLABLE.items():
        value = _select(config, key)
        if value is not None and type(value) is not kind:
            raise UserError(f"{key} must be {words} or null, got {value!r}")
    for name in config["train"]:
        if name not in defaults["train"]:
            raise unknown_name("key", f"train.{name}", [f"train.{known}" for known in defaults["train"]])
    for section in ("model", "trainer", "logger"):  # these become names of arguments
        if not all(isinstance(name, str) for name in config[section]):
            raise UserError(f"{section} has a key that is no text")
    return config


def _select(config: dict[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    value = config.get(section)
    if not name:
        return value
    return value.get(name) if isinstance(value, dict) else None
