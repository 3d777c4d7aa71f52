"""Whether the spread is honest."""

from __future__ import annotations

import math

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
    seen = ~torch.isnan(target)
    inside = (target >= lower) & (target <= upper)  # NaN compares False
    return (inside.sum().double() / seen.sum()).item()


def crps_gaussian(pred: Prediction, target: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
    """Continuous ranked probability score of each value: a distance in the units of the target, smaller is better.

    CRPS(N(m, s^2), x) = integral of (F(y) - 1[y >= x])^2 dy = s [z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)],
    with z = (x - m) / s, and Phi, phi the standard normal distribution and density.
    It tends to |x - m| as s tends to 0, so it compares with the absolute error of a point forecast.

    Args:
        pred: Beliefs (B, T, O).
        target: What happened, NaN where not observed.
    Returns:
        (B, T, O), at least 0 up to rounding; NaN where not observed.
    Raises:
        UserError: if the shapes differ.

    Reference: Gneiting and Raftery, JASA 2007, equation 21.
    """
    check_same_shape(pred.mean, target)
    z = (target - pred.mean) / pred.std
    density = torch.exp(-0.5 * z.square()) / math.sqrt(2.0 * math.pi)
    # 2 Phi(z) - 1 = erf(z / sqrt 2)
    return pred.std * (z * torch.erf(z / math.sqrt(2.0)) + 2.0 * density - 1.0 / math.sqrt(math.pi))
