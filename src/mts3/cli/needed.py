"""What no configuration can do without, composed or read from a run folder."""

from __future__ import annotations

from typing import Any

from mts3.errors import UserError, unknown_name

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


def check_needed(config: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Refuse a configuration that lacks a value it cannot do without, or has one of another type than it may have.

    Raises:
        UserError: naming the key.
    """
    for key, (kind, words) in _NULLABLE.items():
        value = select(config, key)
        if value is not None and type(value) is not kind:
            raise UserError(f"{key} must be {words} or null, got {value!r}")
    for key in _NEEDED:
        if select(config, key) is None:
            raise UserError(f"{key} is missing or null; give it a value")
    for name, value in config["train"].items():
        if name not in defaults["train"]:
            raise unknown_name("option", f"train.{name}", [f"train.{known}" for known in defaults["train"]])
        if value is None and defaults["train"][name] is not None:
            raise UserError(f"train.{name} is null; give it a value")


def select(config: dict[str, Any], key: str) -> Any:
    """The value of "section.name" or of "name"; None where there is none."""
    section, _, name = key.partition(".")
    value = config.get(section)
    if not name:
        return value
    return value.get(name) if isinstance(value, dict) else None
