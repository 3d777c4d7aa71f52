"""Banded maps are dense maps of the same matrices."""

import pytest
import torch

from mts3.gaussian import BandedMap, Belief, dense_map

DIM, BATCH = 6, 4


def bands(bandwidth: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, 2, 2, 2 * bandwidth + 1, DIM, generator=g, dtype=torch.float64)


def full(bands: torch.Tensor) -> torch.Tensor:
    """The matrices (BATCH, 2D, 2D), entry by entry."""
    bandwidth = bands.shape[-2] // 2
    matrix = torch.zeros(BATCH, 2 * DIM, 2 * DIM, dtype=bands.dtype)
    for i in range(2):
        for j in range(2):
            for d in range(DIM):
                for w in range(bands.shape[-2]):
                    column = d + w - bandwidth
                    if 0 <= column < DIM:
                        matrix[:, i * DIM + d, j * DIM + column] = bands[:, i, j, w, d]
    return matrix


def beliefs(seed: int = 1) -> Belief:
    g = torch.Generator().manual_seed(seed)
    mean = torch.randn(BATCH, 2 * DIM, generator=g, dtype=torch.float64)
    upper, lower = (torch.rand(BATCH, DIM, generator=g, dtype=torch.float64) + 0.1 for _ in range(2))
    side = 0.9 * (upper * lower).sqrt() * (2 * torch.rand(BATCH, DIM, generator=g, dtype=torch.float64) - 1)
    return Belief(mean, torch.cat((upper, side, lower), -1))


@pytest.mark.parametrize("bandwidth", [0, 1, 3, DIM - 1])
def test_values_and_gradients_are_those_of_the_dense_map(bandwidth):
    entries, belief = bands(bandwidth).requires_grad_(), beliefs()
    moved = BandedMap(entries).apply(belief)
    weights = torch.randn(moved.cov.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (moved.mean.sum() + (moved.cov * weights).sum()).backward()
    gradient, entries.grad = entries.grad, None
    each = [dense_map(m).apply(Belief(belief.mean[b], belief.cov[b])) for b, m in enumerate(full(entries))]
    torch.testing.assert_close(moved.mean, torch.stack([b.mean for b in each]))
    torch.testing.assert_close(moved.cov, torch.stack([b.cov for b in each]))
    (sum(b.mean.sum() for b in each) + (torch.stack([b.cov for b in each]) * weights).sum()).backward()
    torch.testing.assert_close(gradient, entries.grad)


def test_a_moved_belief_is_a_belief():
    moved = BandedMap(bands(2)).apply(beliefs())
    assert (moved.upper_var * moved.lower_var > moved.side**2).all()
