"""Locally linear dynamics: a mixture of linear maps, chosen by where the state is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from mts3.gaussian import BandedMap, Belief
from mts3.layers.transitions.base import TRANSITIONS, Transition, TransitionOptions
from mts3.types import Float, Tensor

BREAK_SYMMETRY = 0.02
"""Spread of the bases at the start, in units of `LocallyLinearTransition.bases`: equal bases would learn alike."""


@dataclass(frozen=True)
class LocallyLinearMap:
    """z -> M(mu) z with M(mu) = M_0 + sum_k alpha_k(mu) B_k, alpha = softmax(coefficients(mu)), mu the belief's mean.

    Attributes:
        initial: M_0 as bands, (2, 2, W, D).
        bases: The learned parts B_k, flattened bands (K, 4 W D).
        coefficients: Net from the mean (*batch, 2D) to K logits.
    """

    initial: Float[Tensor, "2 2 W D"]
    bases: Float[Tensor, "K bands"]
    coefficients: nn.Module

    def apply(self, belief: Belief) -> Belief:
        """The belief about M(mu) z, each member of the batch through its own mixture."""
        alpha = self.coefficients(belief.mean).softmax(-1)
        return BandedMap(self.initial + (alpha @ self.bases).unflatten(-1, self.initial.shape)).apply(belief)


class LocallyLinearTransition(Transition):
    """K banded bases, mixed by a softmax of an MLP of the posterior mean; the mixture differs from belief to belief.

    Each base is `initial` plus a learned part / (2 W), W = 2 bandwidth + 1 diagonals: the same width-independent steps
    as in `DenseTransition`, for rows of 2 W entries. Not linear in the belief: it neither composes over time nor
    keeps open loops affine.

    Args:
        dim: D.
        initial: (2, 2, D) blocks; every base starts close to them on its diagonals.
        bandwidth: Diagonals kept on either side in each block, 0 to D - 1.
        bases: K >= 1.
        hidden: Units of the MLP's hidden layer.
    Reference: Becker et al. 2019 (arXiv 1905.07357), section 3.2 (K = 15, bandwidth 3).
    """

    initial: Tensor

    def __init__(
        self, dim: int, initial: Float[Tensor, "2 2 D"], bandwidth: int = 3, bases: int = 15, hidden: int = 60
    ) -> None:
        super().__init__()
        if bases < 1 or bandwidth < 0:
            raise ValueError(f"expected bases >= 1 and bandwidth >= 0, got {bases} and {bandwidth}")
        self.width = 2 * min(bandwidth, dim - 1) + 1
        self.register_buffer("initial", initial)
        self.bases = nn.Parameter(BREAK_SYMMETRY * torch.randn(bases, 2, 2, self.width, dim))
        self.coefficients = nn.Sequential(nn.Linear(2 * dim, hidden), nn.ReLU(), nn.Linear(hidden, bases))

    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of the blocks of M_0."""
        return self.initial

    def forward(self) -> LocallyLinearMap:
        """The map, for a whole sequence."""
        before = self.width // 2
        initial = nn.functional.pad(self.initial.unsqueeze(-2), (0, 0, before, before))
        return LocallyLinearMap(initial, self.bases.flatten(1) / (2 * self.width), self.coefficients)


@TRANSITIONS.register("locally_linear")
def locally_linear(options: TransitionOptions) -> LocallyLinearTransition:
    """K banded bases, mixed by where the state is."""
    options.require_memory()
    return LocallyLinearTransition(options.dim, options.initial(), options.bandwidth, options.bases)
