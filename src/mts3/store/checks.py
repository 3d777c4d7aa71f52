"""What is asked of a saved model before it is built: its files may be cut, edited, or of something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import torch

from mts3.channels import Channels
from mts3.normalizer import Normalizer
from mts3.run_layout import DESCRIPTION, WEIGHTS
from mts3.types import Tensor

TARGETS = ("obs", "delta")
_KINDS: dict[str, tuple[type, ...]] = {"model": (str,), "arguments": (dict,), "target": (str,)}
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_description(description: Any) -> dict[str, Any]:
    """`model.json` as far as its keys go; which arguments a model takes is its own affair.

    Raises:
        ValueError: naming the first key that is missing or of another type.
    """
    if not isinstance(description, dict):
        raise ValueError(f"{DESCRIPTION} holds no object")
    for key, kinds in _KINDS.items():
        if not isinstance(description.get(key), kinds):
            raise ValueError(f"{DESCRIPTION} has no {key}, or one of another type: {description.get(key)!r}")
    if description["target"] not in TARGETS:
        raise ValueError(f"{DESCRIPTION} has target {description['target']!r}, expected one of {', '.join(TARGETS)}")
    if "normalizer" not in description:
        raise ValueError(f"{DESCRIPTION} has no normalizer")
    return description


def checked_normalizer(lists: Any) -> Normalizer | None:
    """The normalizer of `model.json`; None for a model that was saved without one.

    Raises:
        ValueError: if it is not lists of numbers, or a standard deviation is not above 0.
    """
    if lists is None:
        return None
    known = {entry.name: entry.default_factory is MISSING for entry in fields(Normalizer)}
    if not isinstance(lists, dict) or lists.keys() - known.keys():
        raise ValueError(f"the normalizer of model.json must be an object with {', '.join(known)}")
    for name, needed in known.items():
        if name in lists or needed:
            _check_statistic(name, lists.get(name))
    return Normalizer.from_lists(lists)


def check_lengths(normalizer: Normalizer, obs_dim: int, action_dim: int) -> None:
    """Refuse a normalizer of other channels than the model's.

    Raises:
        ValueError: naming the statistic that has another length.
    """
    lengths = {"obs": obs_dim, "action": action_dim, "reward": 1}
    for entry in fields(normalizer):
        found, expected = len(getattr(normalizer, entry.name)), lengths[entry.name.partition("_")[0]]
        if found != expected:
            raise ValueError(f"the normalizer's {entry.name} has {found} numbers, the model has {expected} channels")


def check_names(channels: Channels, obs_dim: int, action_dim: int) -> None:
    """Refuse names of other channels than the model's.

    Raises:
        ValueError: with how many there are.
    """
    names = len(channels.obs_names), len(channels.action_names)
    if names != (obs_dim, action_dim):
        raise ValueError(
            f"{DESCRIPTION} names {names[0]} observations and {names[1]} actions; the model has {obs_dim} and "
            f"{action_dim}"
        )


def check_tensors(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[tuple[int, ...], bool]]) -> None:
    """Refuse tensors of another model, or with values that are no numbers.

    Args:
        tensors: From `model.safetensors`.
        shapes: What the description says they are, see `unbuilt`.
    Raises:
        ValueError: naming the first tensor that differs.
    """
    for name in sorted(tensors.keys() | shapes.keys()):
        if name not in tensors or name not in shapes:
            where = WEIGHTS if name not in tensors else DESCRIPTION
            raise ValueError(f"{name} is missing in {where}")
        tensor, (shape, floating) = tensors[name], shapes[name]
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} is {tuple(tensor.shape)} in model.safetensors and {shape} by model.json")
        if floating != (tensor.dtype in _FLOATS):
            raise ValueError(f"{name} is {tensor.dtype} in model.safetensors")
        if floating and not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds values that are NaN or infinite")


def _check_statistic(name: str, values: Any) -> None:
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError(f"the normalizer's {name} must be a list of numbers, got {_short(values)}")
    with np.errstate(all="ignore"):  # what is too large for float32 is refused below
        array = np.asarray(values, dtype=np.float64).astype(np.float32)
    if not np.isfinite(array).all() or (name.endswith("_std") and not (array > 0).all()):
        expected = "numbers above 0" if name.endswith("_std") else "finite numbers"
        raise ValueError(f"the normalizer's {name} must hold {expected}, got {_short(values)}")


def _short(values: Any) -> str:
    text = repr(values)
    return text if len(text) < 60 else f"{text[:60]}..."
