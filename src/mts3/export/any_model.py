"""One step of any latent model as a graph: the model itself, with branches turned into choices by value."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import nn

from mts3.gaussian import Belief, Evidence
from mts3.layers.prepared import Prepared
from mts3.models.latent import LatentModel
from mts3.models.mts3 import MTS3
from mts3.models.slow_level import SlowLevel, SlowState
from mts3.types import Tensor


class AnyStep(nn.Module):
    """`model._step` of any latent model on tensors by name, without branches on a counter.

    State by name: `prior_mean`, `context_precision`, `slow_0_closed_mean` and so on, as in the model's own record.

    Args:
        model: Its parameters do not change any more.
    """

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        model = copy.deepcopy(model)
        self.like = model.initial_state(1)
        if isinstance(model, MTS3):
            model.detach_between_windows = False
            self.like = replace(self.like, slow=tuple(map(_counted, self.like.slow)))
            model.slow = nn.ModuleList(_OpenWindow(level) for level in model._levels())
        for part in model.modules():
            if isinstance(getattr(part, "prepared", None), Prepared):
                part.__dict__["prepared"] = _Once()  # no module, no tensor
        self.model = model

    def initial(self) -> dict[str, Tensor]:
        """The state before anything was observed."""
        return dict(_tensors(self.like))

    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predictions and the next state by name, see `mts3.export`."""
        obs, mask = given["obs"], given["obs_mask"]
        action = given.get("action", obs[:, :0])
        state = _rebuilt(self.like, given)
        pred, after = self.model._step(state, obs, action, mask, given.get("plan"))
        told = {"mean": pred.mean[:, 0], "var": pred.var[:, 0]}
        if pred.reward is not None:
            told |= {"reward_mean": pred.reward.mean[:, 0], "reward_var": pred.reward.var[:, 0]}
        return told | {f"next_{name}": value for name, value in _tensors(after)}


@dataclass(frozen=True)
class _Counted(SlowState):
    """Its counter is a tensor (1,)."""

    steps: Tensor  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]


def _counted(state: SlowState) -> _Counted:
    return _Counted(**{**vars(state), "steps": torch.tensor([state.steps])})


class _OpenWindow(nn.Module):
    """`SlowLevel.step` with the steps taken as a tensor: what differs between steps of a window is chosen by values."""

    def __init__(self, level: SlowLevel) -> None:
        super().__init__()
        self.level = level

    def step(
        self,
        state: _Counted,
        obs: Tensor,
        action: Tensor,
        obs_mask: Tensor,
        plan: Tensor | None,
        above: Belief | None,
    ) -> tuple[Belief, SlowState]:
        """As `SlowLevel.step`."""
        level, length = self.level, self.level.window_len
        acts = action if plan is None else torch.cat((action, plan), 1)
        index = state.steps + torch.arange(acts.shape[1])
        phase = index.to(obs.dtype) / length
        new, last = level._encode(state, obs, action, obs_mask, phase[:1])
        seen, done, planned = state.obs + new.sum(1), state.actions, None
        if level.action_encoder is not None and done is not None:
            encoded: Evidence = level.action_encoder(acts, phase)
            inside = (index < length)[:, None]
            planned = done + encoded.map(lambda values: torch.where(inside, values, 0.0)).sum(1)
            done = done + encoded.map(lambda values: values[:, 0])
        task, posterior = level.believe(state.closed, seen, planned, above)
        taken = state.steps + 1
        closed = _counted(replace(level.initial_state(posterior), last=last))
        opened = _Counted(state.closed, seen, done, taken, last)
        return task, _either(taken == length, closed, opened)


class _Once:
    """`Prepared` for parameters that never change again."""

    def __init__(self) -> None:
        self.held: Any = None

    def __call__(self, make: Callable[[], Any], *sources: Tensor) -> Any:
        if self.held is None:
            self.held = make()
        return self.held


def _tensors(record: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested records by name."""
    if isinstance(record, tuple):
        for number, part in enumerate(record):
            yield from _tensors(part, f"{name}{number}_")
    elif is_dataclass(record):
        for entry in fields(record):
            yield from _tensors(getattr(record, entry.name), f"{name}{entry.name}_")
    elif record is not None:
        yield name[:-1], record


def _rebuilt(like: Any, tensors: dict[str, Tensor], name: str = "") -> Any:
    """The inverse of `_tensors`: a record like another."""
    if isinstance(like, tuple):
        return tuple(_rebuilt(part, tensors, f"{name}{number}_") for number, part in enumerate(like))
    if is_dataclass(like):
        parts = {e.name: _rebuilt(getattr(like, e.name), tensors, f"{name}{e.name}_") for e in fields(like)}
        return type(like)(**parts)
    return None if like is None else tensors[name[:-1]]


def _either(chosen: Tensor, one: Any, other: Any) -> Any:
    """`one` where `chosen` (1,) is True, else `other`: records of the same tensors."""
    pairs = zip(_tensors(one), _tensors(other), strict=True)
    both = {name: left if left is right else torch.where(chosen, left, right) for (name, left), (_, right) in pairs}
    return _rebuilt(one, both)
