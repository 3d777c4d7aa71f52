"""Scores of a whole test set from running sums: batches of any size give the same numbers as one big batch."""

from __future__ import annotations

import torch

from mts3.errors import UserError
from mts3.metrics.accuracy import squared_error_and_count
from mts3.metrics.likelihood import nll_and_count
from mts3.metrics.pooling import mean_over_last_steps
from mts3.prediction import Prediction
from mts3.types import Float, Tensor

RELIABILITY_LEVELS: tuple[float, ...] = (*(round(0.05 * i, 2) for i in range(1, 20)), 0.99)


class ErrorSums:
    """Sums of squared errors by step and dimension.

    Attributes:
        squared_error: (T, O) float64, normalized units.
        count: (T, O) float64, how many values were observed.

    Every score takes `scale` (O,), the standard deviation that was divided by: with it the score is physical.
    """

    def __init__(self, steps: int, obs_dim: int) -> None:
        self.squared_error = torch.zeros(steps, obs_dim, dtype=torch.float64)
        self.count = torch.zeros(steps, obs_dim, dtype=torch.float64)

    def add(self, mean: Float[Tensor, "B T O"], target: Float[Tensor, "B T O"]) -> None:
        """Add one batch; NaN targets are left out.

        Raises:
            UserError: if the shapes differ.
        """
        squared_error, count = squared_error_and_count(mean, target)
        self.squared_error += squared_error.sum(0)
        self.count += count.sum(0)

    def rmse(self, scale: Tensor | None = None) -> float:
        """RMSE over all values."""
        return (self._scaled(scale).sum() / self.count.sum()).sqrt().item()

    def rmse_per_dim(self, scale: Tensor | None = None) -> Float[Tensor, " O"]:
        """RMSE of each dimension."""
        return (self._scaled(scale).sum(0) / self.count.sum(0)).sqrt()

    def rmse_per_step(self, scale: Tensor | None = None, metric_window: int = 1) -> Float[Tensor, " T"]:
        """RMSE over the last `metric_window` steps up to each step."""
        return mean_over_last_steps(self._scaled(scale).sum(1), self.count.sum(1), metric_window).sqrt()

    def _scaled(self, scale: Tensor | None) -> Float[Tensor, "T O"]:
        return self.squared_error if scale is None else self.squared_error * scale.double().square()


class LikelihoodSums:
    """Sums behind every probabilistic score, by step.

    Attributes:
        errors: The `ErrorSums` of the means.
        nll: (T,) sum over sequences of the NLL summed over dims.
        nll_count: (T,) number of sequences with at least one observed dim.
        crps: (T,) sum over sequences and dims.
        inside: (number of levels, T) how many values fell inside each central interval.
        levels: The nominal probabilities.
        sequences: How many had an observed value at all.
    """

    def __init__(self, steps: int, obs_dim: int, levels: tuple[float, ...] = RELIABILITY_LEVELS) -> None:
        self.errors = ErrorSums(steps, obs_dim)
        self.nll = torch.zeros(steps, dtype=torch.float64)
        self.nll_count = torch.zeros(steps, dtype=torch.float64)
        self.crps = torch.zeros(steps, dtype=torch.float64)
        self.inside = torch.zeros(len(levels), steps, dtype=torch.float64)
        self.levels = levels
        self.sequences = 0

    @property
    def scored_steps(self) -> int:
        """Steps up to the last one with a value; 0 if there is none."""
        scored = self.nll_count.nonzero()
        return int(scored[-1]) + 1 if len(scored) else 0

    def add(self, pred: Prediction, target: Float[Tensor, "B T O"]) -> None:
        """Add one batch; NaN targets are left out.

        Raises:
            UserError: if the shapes differ.
        """
        pred = pred.map(lambda field: field.detach().cpu().double())
        target = target.cpu().double()
        self.errors.add(pred.mean, target)
        each, counted = nll_and_count(pred, target)
        self.nll += each.sum(0)
        self.nll_count += counted.sum(0)
        self.sequences += int(counted.any(1).sum())
        # Left out by the target, not by the score: a NaN belief must stay visible.
        self.crps += torch.where(torch.isnan(target), 0.0, pred.crps(target)).sum((0, 2))
        # The level of the narrowest central interval that holds the value; NaN is inside none.
        narrowest = (2.0 * pred.cdf(target) - 1.0).abs()
        for row, level in zip(self.inside, self.levels, strict=True):
            row += (narrowest <= level).double().sum((0, 2))

    def mean_nll(self) -> float:
        """NLL in nats, summed over dims, mean over all steps with an observation."""
        return (self.nll.sum() / self.nll_count.sum()).item()

    def nll_per_step(self, metric_window: int = 1) -> Float[Tensor, " T"]:
        """NLL over the last `metric_window` steps up to each step."""
        return mean_over_last_steps(self.nll, self.nll_count, metric_window)

    def mean_crps(self) -> float:
        """CRPS, mean over all values."""
        return (self.crps.sum() / self.errors.count.sum()).item()

    def coverage(self, level: float, steps: slice = slice(None)) -> float:
        """The fraction of the values of some steps inside the central interval of one of `levels`; NaN of none."""
        return (self.inside[self._row(level), steps].sum() / self.errors.count[steps].sum()).item()

    def coverage_per_step(self, level: float) -> Float[Tensor, " T"]:
        """The same for each step."""
        return self.inside[self._row(level)] / self.errors.count.sum(1)

    def _row(self, level: float) -> int:
        if level not in self.levels:
            raise UserError(f"no coverage was counted at level {level}; choose from {', '.join(map(str, self.levels))}")
        return self.levels.index(level)
