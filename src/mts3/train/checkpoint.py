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
from mts3.expected import Each, Kind, check
from mts3.models import load
from mts3.train.module import TrainingModule
from mts3.train.run_folder import COUNT, MOST, STATE, RunFolder
from mts3.types import Tensor

_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc|\.?dev|\.?post)\d*)*(\+[\w.]+)?")
_OPTIONS = ("params", "lr", "betas", "eps", "weight_decay")  # of AdamW in every version of torch


def _twice(*names: str) -> dict[str, Any]:
    return dict.fromkeys(("current", "total"), dict.fromkeys(names, COUNT))


_STEPS, _ITEMS = _twice("ready", "completed"), _twice("ready", "completed", "started", "processed")
# What Lightning counts: epochs, batches and steps. Its other loops are not used.
_LOOP = {
    "state_dict": {},
    "epoch_progress": _ITEMS,
    "epoch_loop.state_dict": Kind(  # not every version counts there
        "state of a loop", lambda state: isinstance(state, dict) and COUNT.fits(state.get("_batches_that_stepped", 0))
    ),
    "epoch_loop.batch_progress": _ITEMS,
    "epoch_loop.scheduler_progress": _STEPS,
    "epoch_loop.val_loop.state_dict": {},
    "epoch_loop.val_loop.batch_progress": _ITEMS,
    "epoch_loop.automatic_optimization.state_dict": {},
    "epoch_loop.automatic_optimization.optim_progress": {
        "optimizer": {"step": _STEPS, "zero_grad": _twice("ready", "completed", "started")}
    },
    "epoch_loop.manual_optimization.state_dict": {},
    "epoch_loop.manual_optimization.optim_step_progress": _STEPS,
}


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
        check(saved, {"state_dict": {}})
        _check_model(path, saved["state_dict"], module)
        check(saved, _expected(folder))
        _check_optimizer(saved, module)
        state = saved["callbacks"][folder.state_key]
        if not state["best_epoch"] and state["best_val_crps"] != math.inf:
            raise ValueError("best_val_crps of the run folder belongs to no epoch")
    except UserError:
        raise
    except ValueError as error:
        raise UserError(
            f"the checkpoint {path} is damaged or incomplete ({error}); train again with overwrite=true"
        ) from error
    if state["best_epoch"]:
        load(folder.path)


def _expected(folder: RunFolder) -> dict[str, Any]:
    """All but the weights, and how its parts go together."""
    rates = Each(Kind("number", lambda rate: _alike(rate, 0.0)))
    return {
        "pytorch-lightning_version": Kind("version", lambda text: isinstance(text, str) and _VERSION.fullmatch(text)),
        **{"epoch": COUNT, "global_step": COUNT, "loops": {"fit_loop": _LOOP}},
        "optimizer_states": Each({"param_groups": Each(Kind("group of AdamW", _is_group)), "state": {}}),
        "lr_schedulers": Each({"base_lrs": rates, "_last_lr": rates, "last_epoch": COUNT, "_step_count": COUNT}),
        "callbacks": {folder.state_key: STATE},
    }


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
            raise ValueError(f"{name} holds values that are NaN or infinite")


def _check_optimizer(saved: Mapping[str, Any], module: TrainingModule) -> None:
    """One optimizer, with the moments of the parameters that are trained, and schedules of its groups."""
    if len(saved["optimizer_states"]) != 1:
        raise ValueError(f"optimizer_states holds {len(saved['optimizer_states'])} optimizers")
    groups, moments = (saved["optimizer_states"][0][part] for part in ("param_groups", "state"))
    trained = [parameter.shape for parameter in module.parameters() if parameter.requires_grad]
    numbers = [number for group in groups for number in group["params"]]
    for state in moments.values():
        check(state, dict.fromkeys(("exp_avg", "exp_avg_sq", "step"), Kind("finite tensor", _is_finite)), "moments")
        if state["exp_avg"].shape != state["exp_avg_sq"].shape or state["step"].numel() != 1 or not state["step"] > 0:
            raise ValueError("optimizer_states hold moments of other shapes")
    others = Counter(state["exp_avg"].shape for state in moments.values()) - Counter(trained)
    if others or numbers != list(range(len(trained))) or not moments.keys() <= set(numbers):
        raise ValueError("optimizer_states are those of another model")
    for schedule in saved["lr_schedulers"]:
        if schedule.get("lr_lambdas") != [None] * len(groups):
            raise ValueError("lr_lambdas of lr_schedulers hold something else")
        if not len(schedule["base_lrs"]) == len(schedule["_last_lr"]) == len(groups):
            raise ValueError(f"lr_schedulers hold no {len(groups)} learning rates")


def _is_group(group: Any) -> bool:
    """Of AdamW: what every version has, and of the rest what it has and we know."""
    (ours,) = AdamW([torch.zeros(())]).state_dict()["param_groups"]
    return isinstance(group, dict) and all(
        _alike(group.get(key), ours[key]) for key in {*_OPTIONS, *(ours.keys() & group.keys())}
    )


def _alike(value: Any, ours: Any) -> bool:
    """Whether a value has the type of ours, and is finite if it is a number."""
    if isinstance(ours, float):
        return type(value) in (int, float) and math.isfinite(value) and abs(value) < MOST
    if isinstance(ours, tuple):
        return isinstance(value, (tuple, list)) and len(value) == len(ours) and all(map(_alike, value, ours))
    return type(value) is type(ours) and (not isinstance(ours, bool) or value == ours)


def _is_finite(value: Any) -> bool:
    return isinstance(value, Tensor) and bool(torch.isfinite(value).all())
