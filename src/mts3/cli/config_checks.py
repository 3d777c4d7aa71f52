"""Whether a configuration, composed or read from a run folder, holds what it must."""

from __future__ import annotations

from typing import Any

from mts3.errors import UserError, unknown_name

AUTO = "auto"
"""What leaves a choice to us."""
# Neither missing nor null: what every command that has a configuration looks at.
_NEEDED = (
    *("seed", "split_seed", "name", "label", "resume", "overwrite", "backend", "model.name", "logger.name"),
    *("data.context_len", "data.sequence_len", "data.window_len", "data.train_stride", "data.test_stride"),
    *("data.split_fractions", "data.skip_short", "evaluate.metric_window", "evaluate.batch_size"),
)
# Null by default, which says nothing of what may replace it.
_NULLABLE: dict[str, tuple[type, str]] = {
    "data.name": (str, "text"),
    "data.path": (str, "text"),
    "data.columns": (dict, "several keys"),
    "data.size": (str, "text"),
    "data.seed": (int, "a whole number"),
    "train.patience": (int, "a whole number"),
    "trainer.accelerator": (str, "text"),
}
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "several keys",
}


def check_needed(config: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Refuse a configuration that lacks a value it cannot do without, or has one of another type than it may have.

    Raises:
        UserError: naming the key.
    """
    for key, (kind, words) in _NULLABLE.items():
        value = _select(config, key)
        if value is not None and type(value) is not kind:
            raise UserError(f"{key} must be {words} or null, got {value!r}")
    for key in _NEEDED:
        if _select(config, key) is None:
            raise UserError(f"{key} is missing or null; give it a value")
    for name, value in config["train"].items():
        if name not in defaults["train"]:
            raise unknown_name("option", f"train.{name}", [f"train.{known}" for known in defaults["train"]])
        if value is None and defaults["train"][name] is not None:
            raise UserError(f"train.{name} is null; give it a value")


def typed(defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults whose types other values must have: of the rest, whoever receives them says what fits."""
    for key in ("threads", "trainer.devices", "model.window_len"):  # a number or a list, "auto"
        defaults = with_value(defaults, key, None)
    return defaults


def check_types(config: dict[str, Any], defaults: dict[str, Any], prefix: str = "") -> None:
    """Refuse a value of another type than the default it replaces (None replaces and is replaced by anything).

    Raises:
        UserError: naming the key, the value and the default.
    """
    for key, default in defaults.items():
        value = config.get(key)
        if isinstance(default, dict) and isinstance(value, dict):
            check_types(value, default, f"{prefix}{key}.")
        elif value is not None and default is not None and not _same_kind(value, default):
            raise UserError(f"{prefix}{key} must be like {default!r} ({_KINDS[type(default)]}), got {value!r}")


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value by its key with dots."""
    values = {}
    for key, value in config.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return values


def with_value(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The same with one value, of "section.name" or of "name", replaced or added."""
    first, _, rest = key.partition(".")
    inner = config.get(first)
    return config | {first: with_value(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}


def _select(config: Any, key: str) -> Any:
    """The value of "section.name" or of "name"; None where there is none."""
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(default, (bool, int, float)):
        return type(value) is type(default) or (type(default) is float and type(value) is int)
    return isinstance(value, type(default))
