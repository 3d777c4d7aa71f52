"""Whether the uncertainty is honest."""

from __future__ import annotations

import torch

from mts3.metrics.pooling import check_same_shape
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


def coverage(pred: Prediction, target: Float[Tensor, "B T O"], level: float = 0.9) -> float:
    """The fraction of observed values inside the central interval that should hold `level` of them.

    Args:
        pred: Beliefs (B, T, O).
        target: What happened, NaN where not observed.
        level: Nominal probability, strictly between 0 and 1.
    Returns:
        A number in [0, 1]: below `level` means too narrow (overconfident); NaN if nothing was observed.
    Raises:
        ValueError: if the shapes differ or `level` is out of range.
    """
    check_same_shape(pred.mean, target)
    lower, upper = pred.interval(level)
    observed = ~torch.isnan(target)
    inside = (target >= lower) & (target <= upper)  # NaN compares False
    return (inside.sum().double() / observed.sum()).item()


def crps_gaussian(pred: Prediction, target: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
    """CRPS of each value, as the prediction's own likelihood has it; the name is that of the first, the Gaussian.

    Args:
        pred: Beliefs (B, T, O).
        target: What happened, NaN where not observed.
    Returns:
        (B, T, O), at least 0 up to rounding; NaN where not observed.
    Raises:
        UserError: if the shapes differ.
    """
    check_same_shape(pred.mean, target)
    return pred.crps(target)
