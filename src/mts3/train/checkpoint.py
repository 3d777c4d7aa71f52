"""Whether `last.ckpt` holds everything that a training goes on from: what is missing there would go unnoticed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mts3.errors import UserError
from mts3.models import load
from mts3.train.module import TrainingModule
from mts3.train.run_folder import RunFolder
from mts3.types import Tensor

# What Lightning counts: batches, epochs and steps; its other loops are not used.
_COUNTED = (
    *("epoch_progress", "epoch_loop.batch_progress", "epoch_loop.scheduler_progress"),
    *("epoch_loop.val_loop.batch_progress", "epoch_loop.automatic_optimization.optim_progress"),
    *("epoch_loop.manual_optimization.optim_step_progress", "epoch_loop.state_dict"),
)
_NEEDED = {"epoch_progress": ("current", "total"), "epoch_loop.batch_progress": ("current", "total")}
_STATES = ("epoch_loop.val_loop.state_dict", "epoch_loop.automatic_optimization.state_dict", "state_dict")


def check_checkpoint(folder: RunFolder, module: TrainingModule) -> None:
    """Refuse to go on from a checkpoint that is missing, damaged, of another model or incomplete.

    Raises:
        UserError: naming what is wrong; also if the best model so far, which a resumed training may keep, is damaged.
    """
    path = folder.last
    if not path.is_file():
        raise UserError(f"nothing to resume: {path} does not exist; start without resume=true")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a foreign or cut file makes torch raise
        raise UserError(
            f"cannot read the checkpoint {path}: {type(error).__name__}; train again with overwrite=true"
        ) from error
    try:
        weights = _part(saved, "state_dict", dict)
    except ValueError as error:
        raise _incomplete(path, error) from error
    _check_model(path, weights, module)
    try:
        _check_numbers(saved)
        _check_optimizers(saved, module)
        state = _part(_part(saved, "callbacks", dict), folder.state_key, dict)
        folder.check_state(state)
    except ValueError as error:
        raise _incomplete(path, error) from error
    if state["best_epoch"]:
        load(folder.path)


def _check_model(path: Path, weights: Mapping[Any, Any], module: TrainingModule) -> None:
    ours = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    theirs = {name: tuple(value.shape) if isinstance(value, Tensor) else value for name, value in weights.items()}
    differing = sorted(str(name) for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if differing:
        there, here = (shapes.get(differing[0], "missing") for shapes in (theirs, ours))
        raise UserError(
            f"{path} holds another model: {differing[0]} is {there} there and {here} here; "
            "resume with the arguments it was trained with"
        )
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise _incomplete(path, f"{name} holds values that are NaN or infinite")


def _check_numbers(saved: Mapping[str, Any]) -> None:
    """Where in the training it was written."""
    _check_counts(saved.get("epoch"), "epoch")
    _check_counts(saved.get("global_step"), "global_step")
    loop = _part(_part(saved, "loops", dict), "fit_loop", dict)
    for name in _COUNTED:
        part = _part(loop, name, dict)
        for key in _NEEDED.get(name, ()):
            _part(part, key, dict)
        _check_counts(part, f"loops.{name}")
    for name in _STATES:
        _part(loop, name, dict)


def _check_counts(value: Any, where: str) -> None:
    """Whole numbers >= 0, true or false, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_counts(inner, f"{where}.{key}")
    elif not isinstance(value, int) or value < 0:
        raise ValueError(f"{where} is {value!r}")


def _check_optimizers(saved: Mapping[str, Any], module: TrainingModule) -> None:
    """One optimizer, with the moments of parameters that are trained, and the schedules."""
    optimizers = _part(saved, "optimizer_states", list)
    schedules = _part(saved, "lr_schedulers", list)
    if len(optimizers) != 1 or not all(isinstance(part, dict) for part in (*optimizers, *schedules)):
        raise ValueError("optimizer_states or lr_schedulers hold something else")
    groups = _part(optimizers[0], "param_groups", list)
    if not all(isinstance(group, dict) and isinstance(group.get("params"), list) for group in groups):
        raise ValueError("optimizer_states.param_groups hold something else")
    trained = sum(parameter.requires_grad for parameter in module.parameters())
    moments = _part(optimizers[0], "state", dict)
    if sum(len(group["params"]) for group in groups) != trained or len(moments) > trained:
        raise ValueError("optimizer_states are those of another model")
    for number, state in moments.items():
        if not isinstance(state, dict) or not all(_is_finite(value) for value in state.values()):
            raise ValueError(f"optimizer_states.state.{number} holds values that are no finite numbers")


def _is_finite(value: Any) -> bool:
    return (
        bool(torch.isfinite(value).all())
        if isinstance(value, Tensor)
        else type(value) in (int, float) and math.isfinite(value)
    )


def _part(saved: Any, key: str, kind: type) -> Any:
    found = saved.get(key) if isinstance(saved, dict) else None
    if not isinstance(found, kind):
        raise ValueError(f"{key} is missing or no {kind.__name__}")
    return found


def _incomplete(path: Path, reason: object) -> UserError:
    return UserError(f"the checkpoint {path} is damaged or incomplete ({reason}); train again with overwrite=true")
