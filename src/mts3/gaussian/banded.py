"""Banded maps that differ from belief to belief, as locally linear dynamics need them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from mts3.gaussian.belief import Belief
from mts3.types import Float, Tensor


@dataclass(frozen=True)
class BandedMap:
    """M = [[M11, M12], [M21, M22]] with banded blocks, one M for each belief of a batch. Equation (4).

    Same result as a `DenseMap` of the same matrix, from the diagonals alone: W = 2 bandwidth + 1 of them in each block.

    Attributes:
        bands: (*batch, 2, 2, W, D); bands[i, j, w, d] = M_ij[d, d + w - bandwidth], unread where that leaves the block.
    """

    bands: Float[Tensor, "*batch 2 2 W D"]

    def apply(self, belief: Belief) -> Belief:
        """The belief about M z, (*batch, D) blocks."""
        mean = self._neighbours(belief.mean, 2)
        moved = (self.bands * mean.unsqueeze(-4)).sum((-3, -2)).flatten(-2)
        cov = self._neighbours(belief.cov, 3)
        # S = [[var_u, s], [s, var_l]] in two rows; M S, then M S M' row by row. Entries of different d never meet.
        first, second = cov[..., :2, :, :].unsqueeze(-4), cov[..., 1:, :, :].unsqueeze(-4)
        half = self.bands[..., :1, :, :] * first + self.bands[..., 1:, :, :] * second
        upper_and_side = (half[..., :1, :, :, :] * self.bands).sum((-3, -2)).flatten(-2)
        lower = (half[..., 1, :, :, :] * self.bands[..., 1, :, :, :]).sum((-3, -2))
        return Belief(moved, torch.cat((upper_and_side, lower), -1))

    def _neighbours(self, fields: Tensor, n: int) -> Float[Tensor, "*batch n W D"]:
        """(*batch, n D) fields; entry w of dimension d is the value at d + w - bandwidth, zero outside."""
        dim, width = self.bands.shape[-1], self.bands.shape[-2]
        return pad(fields.unflatten(-1, (n, dim)), (width // 2, width // 2)).unfold(-1, dim, 1)
