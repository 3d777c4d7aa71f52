"""How much probability the beliefs gave to what was observed."""

from __future__ import annotations

import torch

from mts3.metrics.pooling import check_same_shape, mean_over_last_steps
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


def nll(pred: Prediction, target: Float[Tensor, "B T O"]) -> Float[Tensor, ""]:
    """Negative log-likelihood in nats: summed over observed dims, mean over steps. The training loss.

    NLL = mean over (b, t) of -log p(observed dims of the target); for a Gaussian prediction the sum over them of
    1/2 [(target - mean)^2 / var + log var + log 2 pi].

    Args:
        pred: Beliefs (B, T, O).
        target: What happened, NaN where not observed. A step with no observed dim is not counted.
    Returns:
        A scalar with gradient; 0 (and gradient 0) if nothing was observed at all.
    Raises:
        UserError: if the shapes differ.
    """
    each, counted = nll_and_count(pred, target)
    return each.sum() / counted.sum().clamp(min=1.0)


def sliding_window_nll(pred: Prediction, target: Float[Tensor, "B T O"], metric_window: int) -> Float[Tensor, " T"]:
    """`nll` over the last `metric_window` steps up to and including each step.

    The first steps use as many as there are, and the last value covers the last step.

    Args:
        pred: Beliefs (B, T, O).
        target: What happened, NaN where not observed.
        metric_window: Number of steps >= 1.
    Returns:
        (T,) float64, in nats; NaN where no step of the window was observed.
    Raises:
        UserError: if the shapes differ or `metric_window` < 1.
    """
    each, counted = nll_and_count(pred, target)
    return mean_over_last_steps(each.detach().cpu().double().sum(0), counted.cpu().double().sum(0), metric_window)


def nll_and_count(
    pred: Prediction, target: Float[Tensor, "B T O"]
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """NLL of each step summed over its observed dims, and 1 where a step has at least one of them."""
    check_same_shape(pred.mean, target)
    any_observed = (~torch.isnan(target)).any(-1)
    return -pred.log_prob(target), any_observed.to(pred.mean.dtype)
