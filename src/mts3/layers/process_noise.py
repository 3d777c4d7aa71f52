"""Process noise: what a transition does not explain."""

from __future__ import annotations

import math

import torch
from torch import nn

from mts3.gaussian import noise_cov
from mts3.types import Float, Tensor


class ProcessNoise(nn.Module):
    """A learned variance for each dimension of each half, q = elu(x) + 1 > 0.

    Args:
        latent_obs_dim: D.
        initial_var: The value it starts at, in (0, 1].
    """

    def __init__(self, latent_obs_dim: int, initial_var: float = 0.1) -> None:
        super().__init__()
        # elu(x) + 1 = exp(x) below zero, so the logarithm inverts it.
        self.raw = nn.Parameter(torch.full((2, latent_obs_dim), math.log(initial_var)))

    def forward(self) -> Float[Tensor, " threeD"]:
        """Covariance fields (q_u, 0, q_l)."""
        # elu(x) + 1, written so that float32 never rounds a small variance to zero.
        positive, negative = self.raw.clamp_min(0.0), self.raw.clamp_max(0.0)
        upper, lower = (positive + negative.exp()).unbind(0)
        return noise_cov(upper, lower)
