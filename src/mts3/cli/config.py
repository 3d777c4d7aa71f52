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

from mts3.cli.config_checks import AUTO, check_needed, check_types, flat, typed
from mts3.cli.overrides import OPEN, parse
from mts3.data.sets.published import how_to_get
from mts3.errors import UserError, unknown_name

CONFIGS = "mts3.configs"
_SECTIONS = ("data", "model", "train", "trainer", "logger", "evaluate")
_PRESENT = {"data": ("name", "path", "columns"), "trainer": ("accelerator",), "train": ("target",)}
_LATER = {"backend": AUTO, "threads": AUTO, "overwrite": False, "resume": False}  # a run of an earlier version has none
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
    defaults = defaults_of(*checked_choices(overrides))
    with initialize_config_module(CONFIGS, version_base="1.3"):
        full = _translated(lambda: compose("train", overrides, return_hydra_config=True), defaults)
        folders = {key: _translated(lambda k=key: OmegaConf.select(full, k), defaults) for key in _FOLDERS}
        asked = [str(key) for key in full if key != "hydra"]
        config = plain(_translated(lambda: OmegaConf.masked_copy(full, asked), {}))
    known = flat(defaults)
    for key in flat(config):
        if key not in known and not key.startswith(OPEN):
            raise unknown_name("option", key, known)
    check_types(config, typed(defaults))
    check_needed(config, defaults)
    name = config["name"]  # of a folder, not a way to another one
    if not name or name in (".", "..") or any(mark in name for mark in ("/", os.sep, os.altsep or os.sep)):
        raise UserError(
            f"name={name or ''} is no name of a run folder; give one without {os.sep}, or a whole folder with "
            "hydra.run.dir=DIR"
        )
    for key, folder in folders.items():
        if not folder:
            raise UserError(f"{key} is empty; name a folder as {key}=DIR, or leave it out")
    return Composed(config, Path(folders["hydra.run.dir"]))


def checked_config(config: Any) -> dict[str, Any]:
    """A configuration as it was read, with what later versions added.

    Raises:
        UserError: naming the first key that is missing, unknown or of another type.
    """
    if not isinstance(config, dict):
        raise UserError("it holds no configuration")
    config = _LATER | {str(key): value for key, value in config.items()}
    defaults = defaults_of()
    for section in _SECTIONS:
        if not isinstance(config.get(section), dict):
            raise UserError(f"{section} is missing, or holds no keys")
    check_types(config, typed(defaults))
    check_needed(config, defaults)
    for section, keys in _PRESENT.items():
        for key in keys:
            if key not in config[section]:
                raise UserError(f"{section}.{key} is missing")
    for section in ("model", "trainer", "logger"):  # these become names of arguments
        if not all(isinstance(name, str) for name in config[section]):
            raise UserError(f"{section} has a key that is no text")
    return config


@cache
def defaults_of(*choices: str) -> dict[str, Any]:
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
            raise unknown_name("option", unknown[1], flat(defaults)) from error
        raise UserError(text.splitlines()[0]) from error
