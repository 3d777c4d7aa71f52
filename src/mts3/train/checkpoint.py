"""Whether `last.ckpt` holds everything that a training goes on from: what is missing there would go unnoticed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.optim import AdamW

from mts3.errors import UserError
from mts3.models import load
from mts3.train.module import TrainingModule
from mts3.train.run_folder import RunFolder
from mts3.types import Tensor

_VERSION = r"\d+(\.\d+)*((a|b|rc|\.?dev|\.?post)\d*)*(\+[\w.]+)?"
MOST = 2**62  # of anything that is counted
_STEPS = ("ready", "completed")
_ITEMS = (*_STEPS, "started", "processed")
# What Lightning counts: epochs, batches and steps. Its other loops are not used.
_OPTIMIZER = ("epoch_loop.automatic_optimization.optim_progress", "optimizer")
_PROGRESS = {
    ("epoch_progress",): _ITEMS,
    ("epoch_loop.batch_progress",): _ITEMS,
    ("epoch_loop.val_loop.batch_progress",): _ITEMS,
    ("epoch_loop.scheduler_progress",): _STEPS,
    ("epoch_loop.manual_optimization.optim_step_progress",): _STEPS,
    (*_OPTIMIZER, "step"): _STEPS,
    (*_OPTIMIZER, "zero_grad"): (*_STEPS, "started"),
}
_STATES = (
    *("state_dict", "epoch_loop.state_dict", "epoch_loop.val_loop.state_dict"),
    *("epoch_loop.automatic_optimization.state_dict", "epoch_loop.manual_optimization.state_dict"),
)
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
_OPTIONS = ("params", "lr", "betas", "eps", "weight_decay")  # of AdamW in every version of torch


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
        weights = _part(saved, "state_dict")
    except ValueError as error:
        raise _incomplete(path, error) from error
    _check_model(path, weights, module)
    try:
        _check_numbers(saved)
        _check_optimizer(saved, module)
        _check_schedules(saved)
        state = _part(saved, "callbacks", folder.state_key)
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
    """Where in the training it was written, and by which version of Lightning."""
    if not re.fullmatch(_VERSION, _part(saved, "pytorch-lightning_version", kind=str)):
        raise ValueError("pytorch-lightning_version is no version")
    _check_counts(saved, ("epoch", "global_step"))
    loop = _part(saved, "loops", "fit_loop")
    for keys, names in _PROGRESS.items():
        for span in ("current", "total"):
            _check_counts(_part(loop, *keys, span), names)
    for name in _STATES:
        _part(loop, name)
    _check_counts({"_batches_that_stepped": 0} | loop["epoch_loop.state_dict"], ("_batches_that_stepped",))


def _check_counts(counts: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        value = counts.get(name)
        if type(value) is not int or not 0 <= value < MOST:
            raise ValueError(f"{name} is {value!r}")


def _check_optimizer(saved: Mapping[str, Any], module: TrainingModule) -> None:
    """One optimizer, with the moments of the parameters that are trained."""
    optimizers = _part(saved, "optimizer_states", kind=list)
    if len(optimizers) != 1:
        raise ValueError(f"optimizer_states holds {len(optimizers)} optimizers")
    groups, moments = _part(optimizers[0], "param_groups", kind=list), _part(optimizers[0], "state")
    (ours,) = AdamW([torch.zeros(())]).state_dict()["param_groups"]
    for group in groups:
        keys = {*_OPTIONS, *(ours.keys() & group.keys())} if isinstance(group, dict) else ()
        if not keys or not all(_alike(group.get(key), ours[key]) for key in keys):
            raise ValueError("a group of optimizer_states is none of AdamW")
    trained = [parameter.shape for parameter in module.parameters() if parameter.requires_grad]
    numbers = [number for group in groups for number in group["params"]]
    if numbers != list(range(len(trained))) or not moments.keys() <= set(numbers):
        raise ValueError("optimizer_states are those of another model")
    left = Counter(trained)
    for state in moments.values():
        if not isinstance(state, dict) or not all(_is_moment(state.get(key)) for key in _MOMENTS):
            raise ValueError("optimizer_states lack a moment, or hold one that is NaN or infinite")
        left[state["exp_avg"].shape] -= 1
        if state["exp_avg"].shape != state["exp_avg_sq"].shape or state["step"].numel() != 1 or not state["step"] > 0:
            raise ValueError("optimizer_states hold moments of other shapes")
    if min(left.values(), default=0) < 0:
        raise ValueError("optimizer_states are those of another model")


def _check_schedules(saved: Mapping[str, Any]) -> None:
    """Of as many learning rates as the optimizer has groups."""
    groups = len(saved["optimizer_states"][0]["param_groups"])
    for schedule in _part(saved, "lr_schedulers", kind=list):
        for key in ("base_lrs", "_last_lr"):
            rates = _part(schedule, key, kind=list)
            if len(rates) != groups or not all(_alike(rate, 0.0) for rate in rates):
                raise ValueError(f"{key} of lr_schedulers holds no {groups} numbers")
        if _part(schedule, "lr_lambdas", kind=list) != [None] * groups:
            raise ValueError("lr_lambdas of lr_schedulers hold something else")
        _check_counts(schedule, ("last_epoch", "_step_count"))


def _alike(value: Any, ours: Any) -> bool:
    """Whether a value has the type of ours, and is finite if it is a number."""
    if isinstance(ours, float):
        return type(value) in (int, float) and math.isfinite(value) and abs(value) < MOST
    if isinstance(ours, tuple):
        return isinstance(value, (tuple, list)) and len(value) == len(ours) and all(map(_alike, value, ours))
    return type(value) is type(ours) and (not isinstance(ours, bool) or value == ours)


def _is_moment(value: Any) -> bool:
    return isinstance(value, Tensor) and bool(torch.isfinite(value).all())


def _part(saved: Any, *keys: str, kind: type = dict) -> Any:
    """What stands under one key after the other."""
    for key in keys:
        saved, wanted = saved.get(key) if isinstance(saved, dict) else None, kind if key is keys[-1] else dict
        if not isinstance(saved, wanted):
            raise ValueError(f"{key} is missing or no {wanted.__name__}")
    return saved


def _incomplete(path: Path, reason: object) -> UserError:
    return UserError(f"the checkpoint {path} is damaged or incomplete ({reason}); train again with overwrite=true")
