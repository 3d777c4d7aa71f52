"""States are records: frozen dataclasses of tensors, of tuples of them and of further records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch

from mts3.types import Bool, Tensor


@dataclass(frozen=True)
class State:
    """What a model carries between calls."""

    @property
    def batch_size(self) -> int:
        """B, of the first tensor."""
        return len(next(tensors_of(self))[1])


def map_state(state: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A record like `state`, every tensor after `change`."""
    return rebuilt(state, {name: change(value) for name, value in tensors_of(state)})


def choose(chosen: Bool[Tensor, " B"], one: Any, other: Any) -> Any:
    """The state of `one` for the sequences where `chosen` is True, of `other` for the rest: (B) records of one model.

    With `model.initial_state(B)` as `one`, some robots of a batch start afresh while the others go on.
    """
    pairs = zip(tensors_of(one), tensors_of(other), strict=True)
    picked = {name: torch.where(_beside(chosen, left), left, right) for (name, left), (_, right) in pairs}
    return rebuilt(one, picked)


def tensors_of(state: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of a record by name, as in `slow_0_closed_mean`; what is None has none."""
    if isinstance(state, tuple):
        for number, part in enumerate(state):
            yield from tensors_of(part, f"{name}{number}_")
    elif is_dataclass(state):
        for entry in fields(state):
            yield from tensors_of(getattr(state, entry.name), f"{name}{entry.name}_")
    elif state is not None:
        yield name[:-1], state


def rebuilt(like: Any, tensors: dict[str, Tensor], name: str = "") -> Any:
    """The inverse of `tensors_of`: a record like another, with these tensors."""
    if isinstance(like, tuple):
        return tuple(rebuilt(part, tensors, f"{name}{number}_") for number, part in enumerate(like))
    if is_dataclass(like) and not isinstance(like, type):
        parts = {e.name: rebuilt(getattr(like, e.name), tensors, f"{name}{e.name}_") for e in fields(like)}
        return type(like)(**parts)
    return None if like is None else tensors[name[:-1]]


def _beside(chosen: Tensor, field: Tensor) -> Tensor:
    """(B,) as (B, 1, ...), to choose among the sequences of a field (B, ...)."""
    return chosen.to(field.device).reshape(-1, *[1] * (field.ndim - 1))
