"""Any linear map, or the part of it inside a band."""

from __future__ import annotations

import torch
from torch import nn

from mts3.gaussian import DenseMap, dense_map
from mts3.layers.transitions.base import TRANSITIONS, Transition, TransitionOptions
from mts3.types import Float, Tensor


class DenseTransition(Transition):
    """Any matrix M (2D, 2D), or the part of it that `keep` leaves: what is zero there is zero and stays zero.

    M = keep * (M_0 + change / (2D)): Adam moves every entry of `change` by about the learning rate, and the division
    keeps the step in M's spectral norm at about that size whatever D is (Yang et al. 2021, arXiv 2203.03466, table 3).
    Without it a long-memory M leaves stability within the first updates.

    Args:
        dim: D.
        initial: (2, 2, D) blocks; M starts with them on the diagonals of M11, M12; M21, M22.
        keep: (2D, 2D) of zeros and ones, see `band` and `upper_only`; None keeps all.
    """

    initial: Tensor
    keep: Tensor | None

    def __init__(
        self, dim: int, initial: Float[Tensor, "2 2 D"], keep: Float[Tensor, "twoD twoD"] | None = None
    ) -> None:
        super().__init__()
        rows = [torch.cat([torch.diag(block) for block in row], 1) for row in initial]
        self.register_buffer("initial", torch.cat(rows, 0))
        self.register_buffer("keep", keep, persistent=False)
        self.change = nn.Parameter(torch.zeros(2 * dim, 2 * dim))

    def matrix(self) -> Float[Tensor, "twoD twoD"]:
        """M."""
        matrix = self.initial + self.change / self.change.shape[0]
        return matrix if self.keep is None else matrix * self.keep

    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of M11, M12; M21, M22."""
        dim = self.change.shape[0] // 2
        halves = [half.diagonal() for row in self.matrix().split(dim) for half in row.split(dim, 1)]
        return torch.stack(halves).unflatten(0, (2, 2))

    def forward(self) -> DenseMap:
        """The map, for a whole sequence."""
        return dense_map(self.matrix())


def band(dim: int, bandwidth: int) -> Float[Tensor, "twoD twoD"]:
    """Ones where an entry is at most `bandwidth` (0 to D - 1) from the diagonal of its block."""
    index = torch.arange(dim)
    near = (index[:, None] - index[None, :]).abs() <= bandwidth
    return near.repeat(2, 2).to(torch.get_default_dtype())


def upper_only(dim: int) -> Float[Tensor, "twoD twoD"]:
    """Ones in M11: a latent without its memory half."""
    keep = torch.zeros(2 * dim, 2 * dim)
    keep[:dim, :dim] = 1.0
    return keep


@TRANSITIONS.register("dense")
def dense(options: TransitionOptions) -> DenseTransition:
    """Every entry is learned."""
    return DenseTransition(options.dim, options.initial(), None if options.memory else upper_only(options.dim))


@TRANSITIONS.register("banded")
def banded(options: TransitionOptions) -> DenseTransition:
    """Entries near the diagonal of each block are learned."""
    keep = band(options.dim, options.bandwidth) * (1.0 if options.memory else upper_only(options.dim))
    return DenseTransition(options.dim, options.initial(), keep)
