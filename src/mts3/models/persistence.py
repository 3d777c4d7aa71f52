"""The first baseline: nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.models.base import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.state import State
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


@dataclass(frozen=True)
class PersistenceState(State):
    """What is known before the next observation.

    Attributes:
        value: (B, O) the last observed value of each dimension, 0 (the mean of the training data) before the first.
        age: (B, O) steps since then, infinite before the first.
    """

    value: Tensor
    age: Tensor


class Persistence(WorldModel):
    """The last observed value, for every later step; its variance grows with the time since, as it did in training.

    Nothing is learned by gradient: `mts3.train.fit` measures `var_by_age`.

    Args:
        obs_dim: O.
        action_dim: A; actions are accepted and not looked at.
        max_age: Steps for which a variance is kept; older values have the last one.
    """

    name = "persistence"
    cut_anywhere = True
    uses_actions = False
    fitted_in_closed_form = True
    var_by_age: Tensor

    def __init__(self, obs_dim: int, action_dim: int, max_age: int = 1000) -> None:
        super().__init__(obs_dim, action_dim)
        self.register_buffer("var_by_age", unmeasured(max_age, obs_dim))

    def initial_state(self, batch_size: int) -> PersistenceState:
        """The state before anything was observed."""
        value = self.like.new_zeros(batch_size, self.obs_dim)
        return PersistenceState(value, torch.full_like(value, torch.inf))

    def advance(self, state: PersistenceState, given: Inputs) -> tuple[Prediction, PersistenceState]:
        """See `WorldModel.advance`."""
        obs, obs_mask = given.observed(self.obs_dim)
        # Row 0 is the last value observed before the call; row t + 1 belongs to step t.
        rows = torch.arange(obs.shape[1] + 1, device=obs.device)[:, None]
        last_observed = (
            torch.where(torch.cat((torch.ones_like(obs_mask[:, :1]), obs_mask), 1), rows, 0).cummax(1).values[:, 1:]
        )
        values = torch.cat((state.value[:, None], torch.where(obs_mask, obs, 0.0)), 1).gather(1, last_observed)
        age = (rows[1:] - last_observed) + torch.where(last_observed == 0, state.age[:, None], 0.0)
        return Prediction(values, var_of(age, self.var_by_age)), PersistenceState(values[:, -1], age[:, -1])


def unmeasured(max_age: int, obs_dim: int) -> Float[Tensor, "ages O"]:
    """Variances by age before anything was measured: 1.

    Raises:
        ValueError: if `max_age` < 1.
    """
    if max_age < 1:
        raise ValueError(f"expected max_age >= 1, got {max_age}")
    return torch.ones(max_age, obs_dim)


def var_of(age: Float[Tensor, "B T O"], var_by_age: Float[Tensor, "ages O"]) -> Float[Tensor, "B T O"]:
    """The variance of a prediction from a value observed `age` steps before; row 0 is one step ahead of a value."""
    rows = age.clamp_max(len(var_by_age) - 1).long()
    return var_by_age.gather(0, rows.flatten(0, 1)).unflatten(0, age.shape[:2])
