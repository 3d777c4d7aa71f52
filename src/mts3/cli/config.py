"""Overrides -> one resolved, checked configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mts3.cli.needed import check_needed
from mts3.cli.overrides import OPEN, parse
from mts3.data.sets.published import how_to_get
from mts3.errors import UserError, unknown_name

CONFIGS = "mts3.configs"
GROUPS = {"data": "data set", "model": "model", "ablation": "ablation", "trainer": "trainer", "logger": "logger"}
_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")
T = TypeVar("T")


def data_name(name: str, path: str | None, size: str | None = None) -> str:
    """ "robot" for data.path=logs/robot.csv, "maze2d_paper" for that size: runs on different data share no folder."""
    if name == "file" and path:
        stem = Path(path).stem
        if stem in ("", ".."):  # a folder, named from where we stand
            stem = Path(path).resolve().name
        return re.sub(r"[\x00-\x1f]", "_", stem)
    return name if size in (None, "small") else f"{name}_{size}"


def run_label(model: str, ablation: str, target: str) -> str:
    """ "mts3", "mts3-no_task-delta": the model, and what of it or of its training differs from the usual."""
    return "-".join([model, *(word for word in (ablation, target) if word not in ("none", "obs"))])


def times(number: int, factor: int) -> int:
    """A window of so many windows."""
    return number * factor


for resolver in (data_name, run_label, times):
    OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


@dataclass(frozen=True)
class Composed:
    """A configuration as plain values.

    Attributes:
        config: Every key, interpolations resolved.
        run_dir: The run folder it asks for.
    """

    config: dict[str, Any]
    run_dir: Path


def composed(overrides: list[str]) -> Composed:
    """Compose `configs/train.yaml` with prepared overrides.

    Raises:
        UserError: for an unknown choice or key (with the nearest names), or a value of the wrong type.
    """
    defaults = _defaults(tuple(checked_choices(overrides)))
    with initialize_config_module(CONFIGS, version_base="1.3"):
        full = _translated(lambda: compose("train", overrides, return_hydra_config=True), defaults)
        folders = {key: _translated(lambda k=key: OmegaConf.select(full, k), defaults) for key in _FOLDERS}
        asked = [str(key) for key in full if key != "hydra"]
        config = plain(_translated(lambda: OmegaConf.masked_copy(full, asked), {}))
    _check_known(config, defaults)
    check_types(config, typed(defaults))
    check_needed(config, defaults)
    _check_name(config["name"])
    for key, folder in folders.items():
        if not folder:
            raise UserError(f"{key} is empty; name a folder as {key}=DIR, or leave it out")
    return Composed(config, Path(folders["hydra.run.dir"]))


def typed(defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults whose types other values must have: of the rest, whoever receives them says what fits."""
    # A number or a list, "auto".
    return defaults | {
        "threads": None,
        "trainer": defaults["trainer"] | {"devices": None},
        "model": defaults["model"] | {"window_len": None},
    }


def default_config() -> dict[str, Any]:
    """Every key with the value it has where nothing is asked for."""
    return _defaults(())


def _check_known(config: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Refuse a key that nothing reads; "+" puts any there."""
    known = flat_keys(defaults)
    for key in flat_keys(config):
        if key not in known and not key.startswith(OPEN):
            raise unknown_name("option", key, known)


def _check_name(name: str | None) -> None:
    """A name of a folder, not a way to another one."""
    if not name or name in (".", "..") or any(mark in name for mark in ("/", os.sep, os.altsep or os.sep)):
        raise UserError(
            f"name={name or ''} is no name of a run folder; give one without {os.sep}, or a whole folder with "
            "hydra.run.dir=DIR"
        )


@cache
def _defaults(choices: tuple[str, ...]) -> dict[str, Any]:
    """Every key with the value it has unless given. Kept: the runs of a sweep share a few, and composing takes time."""
    with initialize_config_module(CONFIGS, version_base="1.3"):
        return plain(_translated(lambda: compose("train", list(choices)), {}))


def choices_of(group: str) -> list[str]:
    """The names that `group=` takes."""
    with initialize_config_module(CONFIGS, version_base="1.3"):
        return GlobalHydra.instance().config_loader().get_group_options(group, results_filter=ObjectType.CONFIG)


def plain(config: DictConfig) -> dict[str, Any]:
    """The same as dictionaries and lists, interpolations resolved.

    Raises:
        UserError: if an interpolation leads nowhere.
    """
    values = _translated(lambda: OmegaConf.to_container(config, resolve=True), {})
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


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


def flat_keys(config: dict[str, Any], prefix: str = "") -> list[str]:
    """Every key with its dots."""
    keys = []
    for key, value in config.items():
        keys += flat_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return keys


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "several keys",
}


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    numbers = (int, float) if isinstance(default, float) else (int,)
    return isinstance(value, numbers) if isinstance(default, (int, float)) else isinstance(value, type(default))


def checked_choices(overrides: list[str]) -> list[str]:
    """The overrides that choose from a group.

    Raises:
        UserError: for an unknown choice, with the nearest names, or an override that names several values.
    """
    choices = []
    for text in overrides:
        override = parse(text)
        if override.is_sweep_override():
            shown = text.lstrip("+")
            raise UserError(
                f"{shown} names several values: add -m to run each of them, or write one list as KEY=[FIRST,SECOND]"
            )
        if override.package is not None:
            raise UserError(
                f"unknown option '{override.get_key_element()}': write {override.key_or_group}=NAME, without @"
            )
        if override.key_or_group in GROUPS:
            known, given = choices_of(override.key_or_group), str(override.value())
            if given not in known:
                error = unknown_name(GROUPS[override.key_or_group], given, known)
                raise UserError(f"{error} {how_to_get(given)}") if override.key_or_group == "data" else error
            choices.append(text)
    return choices


def _translated(action: Callable[[], T], defaults: dict[str, Any]) -> T:
    try:
        return action()
    except (HydraException, OmegaConfBaseException) as error:
        text = str(error)
        unknown = re.search(r"(?:Could not override|Key) '([^']+)'", text)
        if unknown:
            raise unknown_name("option", unknown[1], flat_keys(defaults)) from error
        raise UserError(text.splitlines()[0]) from error
