"""How far the means are from what was observed."""

from __future__ import annotations

import torch

from mts3.metrics.pooling import check_same_shape, mean_over_last_steps
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


def rmse(pred: Prediction, target: Float[Tensor, "B T O"]) -> float:
    """Root mean squared error, pooled over all observed values.

    RMSE = sqrt(mean over observed (b, t, o) of (mean - target)^2).

    Args:
        pred: Beliefs (B, T, O). In normalized space the result is the NRMSE.
        target: What happened, NaN where not observed.
    Returns:
        The RMSE in the units of `target`; NaN if nothing was observed.
    Raises:
        UserError: if the shapes differ.
    """
    squared_error, count = squared_error_and_count(pred.mean, target)
    return (squared_error.sum() / count.sum()).sqrt().item()


def sliding_window_rmse(pred: Prediction, target: Float[Tensor, "B T O"], metric_window: int) -> Float[Tensor, " T"]:
    """RMSE over the last `metric_window` steps up to and including each step.

    The first steps use as many as there are, and the last value covers the last step.

    Args:
        pred: Beliefs (B, T, O).
        target: What happened, NaN where not observed.
        metric_window: Number of steps >= 1.
    Returns:
        (T,) float64, in the units of `target`; NaN where no value of the window was observed.
    Raises:
        UserError: if the shapes differ or `metric_window` < 1.
    """
    squared_error, count = squared_error_and_count(pred.mean, target)
    return mean_over_last_steps(squared_error.sum((0, 2)), count.sum((0, 2)), metric_window).sqrt()


def squared_error_and_count(
    mean: Float[Tensor, "B T O"], target: Float[Tensor, "_ _ _"]
) -> tuple[Float[Tensor, "B T O"], Float[Tensor, "B T O"]]:
    """Squared error (0 where not observed) and 1 where observed: float64 on the CPU, so that long sums keep digits."""
    check_same_shape(mean, target)
    observed = ~torch.isnan(target)
    error = torch.where(observed, mean - target, 0.0).detach().cpu().double()
    return error.square(), observed.cpu().double()
