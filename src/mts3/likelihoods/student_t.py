"""Beliefs with heavy tails: for data with outliers, where a Gaussian pays for every surprise with its variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mts3.prediction import Prediction, check_probability
from mts3.types import Float, Tensor

DEGREES = 4.0
"""Degrees of freedom: few enough for heavy tails, and everything asked of a prediction has a closed form."""
SCALE = math.sqrt((DEGREES - 2.0) / DEGREES)
"""Of the standard t distribution that has variance 1: its own variance is degrees / (degrees - 2)."""
_LOG_NORMALIZATION = math.lgamma(2.5) - math.lgamma(2.0) - 0.5 * math.log(DEGREES * math.pi)
_BETA = math.gamma(0.5) * math.gamma(2.0) / math.gamma(2.5)
_HALF_MEAN_DISTANCE = 4.0 / 3.0 * math.gamma(0.5) * math.gamma(3.5) / math.gamma(4.0) / _BETA**2
"""Of two draws: 2 sqrt(4) / 3 B(1/2, 7/2) / B(1/2, 2)^2."""


@dataclass(frozen=True)
class StudentT(Prediction):
    """Student's t with 4 degrees of freedom, per dimension, of the given mean and variance.

    obs = mean + scale * z with z standard t, scale^2 = var (4 - 2) / 4. Attributes as of `Prediction`.

    Reference: Shaw 2006 (Journal of Computational Finance 9(4)), the quantile; Jordan et al. 2019 (Journal of
        Statistical Software 90(12)), the CRPS.
    """

    @property
    def scale(self) -> Float[Tensor, "B T O"]:
        """What a standard t is multiplied by."""
        return SCALE * self.std

    def log_density(self, error: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
        """Log density of each value, given how far it lies above the mean."""
        z = error / self.scale
        return _LOG_NORMALIZATION - self.scale.log() - 0.5 * (DEGREES + 1.0) * torch.log1p(z.square() / DEGREES)

    def cdf(self, obs: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
        """F(z) = 1/2 + 3/8 r (1 - r^2 / 12) with r = z / sqrt(1 + z^2 / 4), which lies in (-2, 2)."""
        return _distribution((obs - self.mean) / self.scale)

    def quantile(self, p: float) -> Float[Tensor, "B T O"]:
        """The inverse of `cdf`: the root of a cubic, by its cosine."""
        check_probability(p)
        root = math.sqrt(4.0 * p * (1.0 - p))
        z = 2.0 * math.sqrt(max(math.cos(math.acos(min(root, 1.0)) / 3.0) / root - 1.0, 0.0))
        return self.mean + math.copysign(z, p - 0.5) * self.scale

    def crps(self, obs: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
        """As of `Prediction`: scale [z (2 F(z) - 1) + 2 f(z) (4 + z^2) / 3 - half the mean distance of two draws]."""
        z = (obs - self.mean) / self.scale
        density = math.exp(_LOG_NORMALIZATION) * (1.0 + z.square() / DEGREES) ** (-0.5 * (DEGREES + 1.0))
        reached = z * (2.0 * _distribution(z) - 1.0) + 2.0 * density * (DEGREES + z.square()) / (DEGREES - 1.0)
        return self.scale * (reached - _HALF_MEAN_DISTANCE)

    def noise(self, shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
        """Draws of variance 1: a normal one over the root of a chi-square's mean, of as many squares as degrees."""
        normal = super().noise((int(DEGREES) + 1, *shape), generator)
        return SCALE * normal[0] / normal[1:].square().mean(0).sqrt()


def _distribution(z: Tensor) -> Tensor:
    """The distribution function of a standard t with 4 degrees of freedom."""
    r = z / torch.sqrt(1.0 + 0.25 * z.square())
    return 0.5 + 0.375 * r * (1.0 - r.square() / 12.0)
