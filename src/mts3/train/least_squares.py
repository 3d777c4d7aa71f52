"""Regression rows out of sequences, and ridge regression on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mts3.data import SequenceDataset, batches
from mts3.types import Float, Tensor


@dataclass(frozen=True)
class Gram:
    """X'X, X'Y, the sum of Y^2 and the number of rows: all a least-squares fit needs to know about its data.

    Attributes:
        inputs: X'X (F, F) float64; the last input is the constant 1.
        targets: X'Y (F, O) float64.
        squares: Sum of Y^2.
        rows: Number of rows.
    """

    inputs: Float[Tensor, "F F"]
    targets: Float[Tensor, "F O"]
    squares: float
    rows: int

    @classmethod
    def of(cls, sequences: SequenceDataset, indices: range, lags: int, batch_size: int) -> Gram:
        """Of the complete rows of some sequences."""
        size = lags * (sequences.obs_dim + sequences.action_dim) + 1
        inputs = torch.zeros(size, size, dtype=torch.float64)
        targets = torch.zeros(size, sequences.obs_dim, dtype=torch.float64)
        squares, rows = 0.0, 0
        for x, y in _rows(sequences, indices, lags, batch_size):
            inputs += x.T @ x
            targets += x.T @ y
            squares += y.square().sum().item()
            rows += len(x)
        return cls(inputs, targets, squares, rows)

    @classmethod
    def total(cls, grams: Sequence[Gram]) -> Gram:
        """Of all their rows together."""
        return cls(
            torch.stack([gram.inputs for gram in grams]).sum(0),
            torch.stack([gram.targets for gram in grams]).sum(0),
            sum(gram.squares for gram in grams),
            sum(gram.rows for gram in grams),
        )

    def solve(self, ridge: float) -> Float[Tensor, "F O"]:
        """Weights that minimise the squared error plus ridge * rows * weights^2, the constant not shrunk."""
        penalty = torch.full((len(self.inputs),), ridge * max(self.rows, 1), dtype=torch.float64)
        if self.rows:
            penalty[-1] = 0.0
        return torch.linalg.solve(self.inputs + torch.diag(penalty), self.targets)

    def squared_error(self, weights: Float[Tensor, "F O"]) -> float:
        """Sum of (Y - X weights)^2."""
        explained = (weights * (2.0 * self.targets - self.inputs @ weights)).sum().item()
        return self.squares - explained


def _rows(
    sequences: SequenceDataset, indices: range, lags: int, batch_size: int
) -> Iterator[tuple[Float[Tensor, "N F"], Float[Tensor, "N O"]]]:
    """Complete regression rows: `lags` observations newest first, `lags` actions, 1 -> the next increment."""
    for obs, actions in batches(sequences, indices, batch_size):
        obs, actions = obs.double(), actions.double()
        steps = actions.shape[1]
        lagged = [x[:, lags - 1 - lag : steps - lag] for x in (obs[:, :-1], actions) for lag in range(lags)]
        inputs = torch.cat([*lagged, torch.ones_like(lagged[0][..., :1])], dim=-1).flatten(0, 1)
        targets = (obs[:, lags:] - obs[:, lags - 1 : -1]).flatten(0, 1)
        complete = ~(torch.isnan(inputs).any(-1) | torch.isnan(targets).any(-1))
        yield inputs[complete], targets[complete]
