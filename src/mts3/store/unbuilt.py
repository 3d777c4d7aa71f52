"""A model before it is built: the names and shapes of its tensors, without memory for any of them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from mts3.types import Tensor

MOST_TENSORS = 5_000
"""Of a model: far more than any of ours has, and few enough to be counted in a second."""
UNKNOWN_MEMORY = 2**50  # bytes; where the system does not say, only the absurd is refused


@dataclass(frozen=True)
class Unbuilt:
    """What a model would consist of.

    Attributes:
        shapes: Of every tensor of its `state_dict`, with whether it holds floating point numbers.
        bytes: Of all of them together.
        empty: A parameter without a number in it, if there is one: a size is 0.
    """

    shapes: dict[str, tuple[tuple[int, ...], bool]]
    bytes: int
    empty: str | None


def unbuilt(make: Callable[[], nn.Module]) -> Unbuilt:
    """What `make()` would build, found out without allocating it.

    Raises:
        ValueError: if it has more than `MOST_TENSORS` tensors, or one whose size no number tells. Whatever `make`
            raises for arguments it refuses passes through.
    """
    count = 0

    def counted(*registered: Any) -> None:
        nonlocal count
        count += 1
        if count > MOST_TENSORS:
            raise ValueError(f"it would have more than {MOST_TENSORS} tensors; choose smaller sizes")

    hooks = [
        register_module_parameter_registration_hook(counted),
        register_module_buffer_registration_hook(counted),
    ]
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd size is about to be refused, or warned of when it is built
            module = make()
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        if "overflow" not in str(error).lower():
            raise
        raise ValueError("a size is beyond any memory; choose smaller sizes") from error
    finally:
        for hook in hooks:
            hook.remove()
    tensors = module.state_dict()
    empty = next((name for name, parameter in module.named_parameters() if not parameter.numel()), None)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    return Unbuilt(shapes_of(tensors), size, empty)


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], bool]]:
    """The shape of each tensor, and whether it holds floating point numbers."""
    return {name: (tuple(tensor.shape), tensor.is_floating_point()) for name, tensor in tensors.items()}


def check_memory(make: Callable[[], nn.Module]) -> None:
    """Refuse a model that this machine cannot hold, or with a size of 0, before anything is allocated.

    Raises:
        ValueError: with the size it would have, or the parameter that would be empty. Whatever `make` raises for
            arguments it refuses passes through.
    """
    model = unbuilt(make)
    if model.empty:
        raise ValueError(f"its {model.empty} would be empty; every size must be at least 1")
    needed = model.bytes
    if 2 * needed > memory_bytes():  # training keeps a moving average of the weights beside them
        raise ValueError(
            f"its parameters and their moving average would take {_words(2 * needed)}, this machine has "
            f"{_words(memory_bytes())} of memory; choose smaller sizes"
        )


def memory_bytes() -> int:
    """Main memory of this machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return UNKNOWN_MEMORY


def _words(size: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} PB"
