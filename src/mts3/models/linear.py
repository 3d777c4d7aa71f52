"""The second baseline, and the bar to clear: a linear autoregression with inputs (ARX), rolled out."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.models.base import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.persistence import unmeasured, var_of
from mts3.models.state import State
from mts3.prediction import Prediction
from mts3.types import Float, Tensor

DIVERGED = 100.0  # standard deviations: a rollout that leaves them has diverged and is held there, a number still


@dataclass(frozen=True)
class LinearState(State):
    """What is known before the next observation.

    Attributes:
        value: (B, O) the prediction of it.
        history: (B, lags, O) the last observations, predictions where there was none; newest first.
        last_value: (B, O) the last observed value of each dimension.
        age: (B, O) steps since then, infinite before the first.
        actions: (B, lags - 1, A) the last actions, oldest first; None before the first.
    """

    value: Tensor
    history: Tensor
    last_value: Tensor
    age: Tensor
    actions: Tensor | None


class Linear(WorldModel):
    """obs[t+1] = obs[t] + sum_i W_i obs[t-i] + sum_i V_i actions[t-i] + c, over `lags` steps i = 0 .. lags-1.

    What is not observed is replaced by the prediction of it, and once something is observed again, by a straight line
    across the gap. Before a dimension was observed it stands at 0, the training mean. The variance of a prediction
    depends on the time since its dimension was last observed, as measured in training. Nothing is learned by gradient:
    `mts3.train.fit` solves a ridge regression of the increment.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        lags: Number of past steps.
        max_age: Steps for which a variance is kept; older values have the last one.

    Attributes:
        obs_weights: (lags, O, O), W_i transposed: rows are inputs.
        action_weights: (lags, A, O), V_i transposed.
        constant: c (O,).
        ridge: The penalty that was chosen, as a fraction of the number of rows.
        var_by_age: (max_age, O).
    """

    name = "linear"
    cut_anywhere = True
    fitted_in_closed_form = True
    obs_weights: Tensor
    action_weights: Tensor
    constant: Tensor
    ridge: Tensor
    var_by_age: Tensor

    def __init__(self, obs_dim: int, action_dim: int, lags: int = 5, max_age: int = 1000) -> None:
        super().__init__(obs_dim, action_dim)
        if lags < 1:
            raise ValueError(f"expected lags >= 1, got {lags}")
        self.lags = lags
        self.register_buffer("obs_weights", torch.zeros(lags, obs_dim, obs_dim))
        self.register_buffer("action_weights", torch.zeros(lags, action_dim, obs_dim))
        self.register_buffer("constant", torch.zeros(obs_dim))
        self.register_buffer("ridge", torch.zeros(()))
        self.register_buffer("var_by_age", unmeasured(max_age, obs_dim))

    def set_weights(self, weights: Float[Tensor, "F O"], ridge: float) -> None:
        """Take the solution of the regression: rows for the observations, newest first, the actions, the constant."""
        of_obs, of_actions, constant = weights.split([self.lags * self.obs_dim, self.lags * self.action_dim, 1])
        self.obs_weights.copy_(of_obs.unflatten(0, (self.lags, self.obs_dim)))
        self.action_weights.copy_(of_actions.unflatten(0, (self.lags, self.action_dim)))
        self.constant.copy_(constant[0])
        self.ridge.fill_(ridge)

    def initial_state(self, batch_size: int) -> LinearState:
        """The state before anything was observed."""
        zero = self.like.new_zeros(batch_size, self.obs_dim)
        return LinearState(zero, zero[:, None].repeat(1, self.lags, 1), zero, torch.full_like(zero, torch.inf), None)

    def advance(self, state: LinearState, given: Inputs) -> tuple[Prediction, LinearState]:
        """See `WorldModel.advance`."""
        obs, obs_mask = given.observed(self.obs_dim)
        drive, recent = self._drive(given.actions, state.actions)
        flat_weights = self.obs_weights.flatten(0, 1)
        value, history, last_value, age = state.value, state.history, state.last_value, state.age
        means, ages = [], []
        for observed, known, push in zip(
            obs_mask.unbind(1), torch.where(obs_mask, obs, 0.0).unbind(1), drive.unbind(1), strict=True
        ):
            age = age + 1
            value = torch.where(observed, known, value)
            history = torch.cat([value[:, None], history[:, :-1]], dim=1)
            history = torch.where(observed[:, None], _bridge(history, last_value, age), history)
            age = torch.where(observed, 0.0, age)
            last_value = torch.where(observed, value, last_value)
            value = (value + history.flatten(1) @ flat_weights + push).clamp(-DIVERGED, DIVERGED)
            means.append(value)
            ages.append(age)
        pred = Prediction(torch.stack(means, 1), var_of(torch.stack(ages, 1), self.var_by_age))
        return pred, LinearState(value, history, last_value, age, recent)

    def _drive(self, actions: Float[Tensor, "B T A"], before: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the actions and the constant add at every step (B, T, O), and the last actions.

        The first action stands in for those before it.
        """
        steps, earlier = actions.shape[1], self.lags - 1
        before = actions[:, :1].expand(-1, earlier, -1) if before is None else before
        padded = torch.cat([before, actions], dim=1)
        drive = self.constant.expand(*actions.shape[:2], -1)
        for lag, weights in enumerate(self.action_weights):
            drive = drive + padded[:, earlier - lag : earlier - lag + steps] @ weights
        return drive, padded[:, steps:]


def _bridge(
    history: Float[Tensor, "B lags O"], last_value: Float[Tensor, "B O"], age: Float[Tensor, "B O"]
) -> Float[Tensor, "B lags O"]:
    """Lags that were only predicted, put on a straight line from the value last observed to the one observed now.

    Left as they were predicted, they would end in a jump, which a regression on lags takes for speed. Before the first
    value (`age` infinite) the line is level.
    """
    lag = torch.arange(history.shape[1], device=history.device)[:, None]
    newest, age = history[:, :1], age[:, None]
    return torch.where(lag < age, newest + (last_value[:, None] - newest) * (lag / age), history)
