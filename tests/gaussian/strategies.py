"""Random beliefs, evidence and maps, in float64 unless said otherwise."""

import torch
from hypothesis import strategies as st

from mts3.gaussian import Belief, Evidence

seeds = st.integers(0, 2**31 - 1)
dims = st.integers(1, 4)


def random_belief(seed: int, batch: tuple[int, ...], dim: int, dtype=torch.float64) -> Belief:
    """Variances spread over six decades, correlations up to 0.95."""
    g = torch.Generator().manual_seed(seed)
    upper_var, lower_var = 10.0 ** (6 * torch.rand(2, *batch, dim, generator=g, dtype=dtype) - 3)
    side = (1.9 * torch.rand(*batch, dim, generator=g, dtype=dtype) - 0.95) * (upper_var * lower_var).sqrt()
    upper_mean, lower_mean = torch.randn(2, *batch, dim, generator=g, dtype=dtype)
    return Belief.from_halves(upper_mean, lower_mean, upper_var, side, lower_var)


def random_observations(seed: int, batch: tuple[int, ...], dim: int, dtype=torch.float64):
    """Latent observations, variances over four decades, and a mask with gaps, (*batch, D) and (*batch,)."""
    g = torch.Generator().manual_seed(seed + 1)
    obs = torch.randn(*batch, dim, generator=g, dtype=dtype)
    var = 10.0 ** (4 * torch.rand(*batch, dim, generator=g, dtype=dtype) - 2)
    return obs, var, torch.rand(batch, generator=g) < 0.7


def random_matrix(seed: int, dim: int, dtype=torch.float64):
    """A stable-ish dense (2D, 2D)."""
    g = torch.Generator().manual_seed(seed + 2)
    return torch.randn(2 * dim, 2 * dim, generator=g, dtype=dtype) / (2 * dim) ** 0.5


def no_evidence(batch: tuple[int, ...], dim: int, dtype=torch.float64) -> Evidence:
    zero = torch.zeros(*batch, dim, dtype=dtype)
    return Evidence(zero, zero)
