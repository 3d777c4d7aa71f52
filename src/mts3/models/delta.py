"""Predict the change: a model whose network says how far the observation moves, not where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from mts3.kernels import Problem
from mts3.models.base import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.state import State
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


@dataclass(frozen=True)
class DeltaState(State):
    """What is known before the next observation.

    Attributes:
        inner: The state of the model inside.
        mean, var: The belief about the next observation (B, O).
    """

    inner: Any
    mean: Tensor
    var: Tensor


class DeltaTarget(WorldModel):
    """Any model, its output read as the change of the observation from step to step (difference prediction).

        obs[t+1] = level[t] + scale * N(mean[t], var[t]),

    level[t] the observation where there was one (per dimension), the belief about it where there was none: changes add
    up across a gap, their variances too, as if they were independent. What comes out is a belief about obs[t+1], as
    from every model; losses and scores need no other reading. Before anything was observed the level is N(0, 1).

    Args:
        model: What predicts the changes, in units of `scale`.
        scale: (O,) standard deviation of the change of an observation in one step, normalized units, positive.
    """

    target = "delta"
    scale: Tensor

    def __init__(self, model: WorldModel, scale: Float[Tensor, " O"]) -> None:
        super().__init__(model.obs_dim, model.action_dim)
        self.arguments, self.name = model.arguments, model.name
        self.uses_actions = model.uses_actions
        self.model = model
        self.register_buffer("scale", scale.to(model.like))
        model.predict_changes(self.scale)
        self.normalizer, self.channels = model.normalizer, model.channels
        self.longest_plan, self.static_step = model.longest_plan, model.static_step

    def initial_state(self, batch_size: int) -> DeltaState:
        """The state before anything was observed."""
        zero = self.like.new_zeros(batch_size, self.obs_dim)
        return DeltaState(self.model.initial_state(batch_size), zero, torch.ones_like(zero))

    def advance(self, state: DeltaState, given: Inputs) -> tuple[Prediction, DeltaState]:
        """See `WorldModel.advance`."""
        change, inner = self.model.advance(state.inner, given)
        return self._add_up(change, state, inner, *given.observed(self.obs_dim))

    def require_causal(self) -> None:
        """As the model inside."""
        self.model.require_causal()

    @property
    def saved_class(self) -> type[WorldModel]:
        """That of the model inside."""
        return self.model.saved_class

    def cut_every(self, state: DeltaState) -> tuple[int, int] | None:
        """As the model inside."""
        return self.model.cut_every(state.inner)

    def filter_problem(self) -> Problem | None:
        """As the model inside."""
        return self.model.filter_problem()

    def _add_up(
        self, change: Prediction, state: DeltaState, inner: Any, obs: Tensor, mask: Tensor
    ) -> tuple[Prediction, DeltaState]:
        """Changes onto levels, one step after the other: a difference of running sums would lose small variances."""
        masks, known = mask.unbind(1), torch.where(mask, obs, 0.0).unbind(1)
        moved = change.affine(self.scale, 0.0)
        steps = moved.mean.unbind(1), moved.var.unbind(1)
        mean, var = state.mean, state.var
        means, variances = [], []
        for observed, value, step, step_var in zip(masks, known, *steps, strict=True):
            mean = torch.where(observed, value, mean) + step
            var = torch.where(observed, 0.0, var) + step_var
            means.append(mean)
            variances.append(var)
        pred = change.moved(torch.stack(means, 1), torch.stack(variances, 1))
        return pred, DeltaState(inner, mean, var)
