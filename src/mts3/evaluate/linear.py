"""The second baseline, and the bar to clear: a linear autoregression with inputs, rolled out."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.data.sequences import SequenceDataset
from mts3.evaluate.batches import batches
from mts3.evaluate.least_squares import Gram
from mts3.evaluate.persistence import observed
from mts3.types import Float, Tensor

RIDGES = (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
PARTS = 5  # of the training sequences, left out in turn to choose the ridge
ROLLED_OUT = 16  # sequences of a left-out part that are rolled out for it
DIVERGED = 100.0  # standard deviations: a rollout that leaves them has diverged and is held there, a number still


@dataclass(frozen=True)
class LinearRollout:
    """obs[t+1] = obs[t] + sum_i W_i obs[t-i] + sum_i V_i actions[t-i] + c, over `lags` steps i = 0 .. lags-1.

    Ridge regression of the increment on normalized values, the constant not shrunk. What is not observed is replaced
    by the prediction of it, and once something is seen again, by a straight line across the gap.

    Attributes:
        obs_weights: (lags, O, O) float64, W_i transposed: rows are inputs.
        action_weights: (lags, A, O) float64.
        constant: (O,) float64.
        ridge: The penalty that was chosen, as a fraction of the number of rows.
    """

    obs_weights: Tensor
    action_weights: Tensor
    constant: Tensor
    ridge: float

    @classmethod
    def fit(
        cls, sequences: SequenceDataset, context_len: int | None = None, lags: int = 5, batch_size: int = 256
    ) -> LinearRollout:
        """Fit on training sequences, with the ridge that errs least on parts left out of them.

        Five contiguous parts are left out in turn. A row counts if its target and all its lags were observed; if none
        is complete the weights are zero: persistence.

        Args:
            sequences: The training split. The test split is never looked at.
            context_len: The ridge is chosen by the error of rollouts that see this many steps; None: by the error of
                the next step.
            lags: Number of past steps.
            batch_size: Sequences in memory at once.
        """
        parts = [_part(sequences, i) for i in range(min(PARTS, len(sequences)))]
        grams = [Gram.of(sequences, part, lags, batch_size) for part in parts]
        whole = Gram.total(grams)

        def left_out_error(ridge: float) -> float:
            error = 0.0
            for part, gram in zip(parts, grams, strict=True):
                # A single sequence leaves nothing to fit on without it.
                rest = Gram.total([other for other in grams if other is not gram]) if len(grams) > 1 else whole
                if context_len is None:
                    error += gram.squared_error(rest.solve(ridge))
                    continue
                candidate = cls._from_weights(rest.solve(ridge), ridge, lags, sequences.obs_dim)
                few = part[:: -(-len(part) // ROLLED_OUT)]
                error += sum(
                    candidate._squared_error(*batch, context_len) for batch in batches(sequences, few, batch_size)
                )
            return error

        # Of equals the strongest: min() keeps the first.
        ridge = min(reversed(RIDGES), key=left_out_error)
        return cls._from_weights(whole.solve(ridge), ridge, lags, sequences.obs_dim)

    def predict(
        self, obs: Float[Tensor, "B T O"], actions: Float[Tensor, "B T A"], obs_mask: Tensor | None = None
    ) -> Float[Tensor, "B T O"]:
        """Roll out over the whole sequence; entry t predicts obs[t+1] from what was observed up to t.

        Args:
            obs: Normalized observations; values under a False mask are never read.
            actions: Normalized actions.
            obs_mask: (B, T) or (B, T, O), True where observed; None means where not NaN.
        Returns:
            (B, T, O) in the dtype of `obs`. Before a dimension was seen it stands at 0, the training mean.
        """
        seen = observed(obs, obs_mask)
        known = torch.where(seen, obs, 0.0).double()
        drive = self._drive(actions.double())
        flat_weights = self.obs_weights.to(obs.device).flatten(0, 1)
        value = torch.zeros_like(known[:, 0])
        history = value[:, None].repeat(1, len(self.obs_weights), 1)  # newest first
        age = torch.full_like(value, torch.inf)  # steps since a dimension was last seen
        last_seen = value
        means = []
        for t in range(obs.shape[1]):
            age = age + 1
            value = torch.where(seen[:, t], known[:, t], value)
            history = torch.cat([value[:, None], history[:, :-1]], dim=1)
            history = torch.where(seen[:, t, None], _bridge(history, last_seen, age), history)
            age = torch.where(seen[:, t], 0.0, age)
            last_seen = torch.where(seen[:, t], value, last_seen)
            value = (value + history.flatten(1) @ flat_weights + drive[:, t]).clamp(-DIVERGED, DIVERGED)
            means.append(value)
        return torch.stack(means, dim=1).to(obs.dtype)

    def _drive(self, actions: Float[Tensor, "B T A"]) -> Float[Tensor, "B T O"]:
        """What the actions and the constant add at every step; the first action stands in for those before it."""
        lags = len(self.action_weights)
        steps = actions.shape[1]
        padded = torch.cat([actions[:, :1].expand(-1, lags - 1, -1), actions], dim=1)
        drive = self.constant.to(actions.device).expand(*actions.shape[:2], -1)
        for lag, weights in enumerate(self.action_weights.to(actions.device)):
            drive = drive + padded[:, lags - 1 - lag : lags - 1 - lag + steps] @ weights
        return drive

    def _squared_error(self, obs: Tensor, actions: Tensor, context_len: int) -> float:
        """Summed squared error of rollouts that see the first `context_len` steps."""
        visible = (torch.arange(actions.shape[1]) < context_len).expand(len(obs), -1)
        error = self.predict(obs[:, :-1], actions, visible) - obs[:, 1:]
        return error[:, context_len - 1 :].double().square().nansum().item()

    @classmethod
    def _from_weights(cls, weights: Float[Tensor, "F O"], ridge: float, lags: int, obs_dim: int) -> LinearRollout:
        of_obs, of_actions, constant = weights.split([lags * obs_dim, len(weights) - lags * obs_dim - 1, 1])
        action_dim = len(of_actions) // lags
        return cls(
            of_obs.reshape(lags, obs_dim, obs_dim), of_actions.reshape(lags, action_dim, obs_dim), constant[0], ridge
        )


def _part(sequences: SequenceDataset, number: int) -> range:
    """One of `PARTS` contiguous parts, as equal as they can be."""
    parts = min(PARTS, len(sequences))
    return range(number * len(sequences) // parts, (number + 1) * len(sequences) // parts)


def _bridge(
    history: Float[Tensor, "B lags O"], last_seen: Float[Tensor, "B O"], age: Float[Tensor, "B O"]
) -> Float[Tensor, "B lags O"]:
    """Lags that were only predicted, put on a straight line from the value last seen to the one seen now.

    Left as they were predicted, they would end in a jump, which a regression on lags takes for speed. Before the first
    value (`age` infinite) the line is level.
    """
    lag = torch.arange(history.shape[1], device=history.device)[:, None]
    newest, age = history[:, :1], age[:, None]
    return torch.where(lag < age, newest + (last_seen[:, None] - newest) * (lag / age), history)
