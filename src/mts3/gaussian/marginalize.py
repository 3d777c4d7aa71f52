"""Marginalization: the belief about a latent that depends linearly on other latents."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol, runtime_checkable

import torch

from mts3.gaussian.belief import Belief
from mts3.types import Float, Tensor


@runtime_checkable
class LinearMap(Protocol):
    """z -> M z on beliefs, without noise: the mean moves by M, the three covariance fields by equation (4).

    (4) is linear in (var_u, s, var_l), so a map is two matrices, prepared once and applied at every step. A locally
    linear map chooses its M from the mean of the belief.
    """

    def apply(self, belief: Belief) -> Belief:
        """The belief about M z."""
        ...


@dataclass(frozen=True)
class DenseMap:
    """Any M. Keeps the D 2x2 blocks of the covariance of M z and drops the rest: the papers' approximation.

    Attributes:
        mean_matrix: M transposed (2D, 2D): means are rows.
        cov_matrix: transposed (3D, 3D): maps (var_u, s, var_l) to its values after M.
    """

    mean_matrix: Float[Tensor, "twoD twoD"]
    cov_matrix: Float[Tensor, "threeD threeD"]

    def apply(self, belief: Belief) -> Belief:
        """The belief about M z, (*batch, D) blocks."""
        return Belief(belief.mean @ self.mean_matrix, belief.cov @ self.cov_matrix)


@dataclass(frozen=True)
class ModalMap:
    """Block-diagonal M: D separate 2x2 systems. Nothing is dropped: exact, and closed under composition.

    Attributes:
        mean_blocks: (2, 2, D), the diagonals of M11, M12; M21, M22.
        cov_blocks: (3, 3, D), the same for (var_u, s, var_l).
    """

    mean_blocks: Float[Tensor, "2 2 D"]
    cov_blocks: Float[Tensor, "3 3 D"]

    def apply(self, belief: Belief) -> Belief:
        """The belief about M z, (*batch, D) blocks."""
        return Belief(_blockwise(self.mean_blocks, belief.mean), _blockwise(self.cov_blocks, belief.cov))


def _blockwise(blocks: Tensor, fields: Tensor) -> Tensor:
    """(n, n, D) blocks times (*batch, n D) fields: D small matrix-vector products."""
    n, dim = blocks.shape[0], blocks.shape[-1]
    return (blocks * fields.unflatten(-1, (1, n, dim))).sum(-2).flatten(-2)


def dense_map(matrix: Float[Tensor, "twoD twoD"]) -> DenseMap:
    """Prepare a dense M = [[M11, M12], [M21, M22]] for beliefs, equation (4) with entrywise products:

    var_u' = M11^2 var_u     + 2 (M11 M12) s               + M12^2 var_l
    s'     = (M21 M11) var_u + (M22 M11 + M21 M12) s       + (M22 M12) var_l
    var_l' = M21^2 var_u     + 2 (M21 M22) s               + M22^2 var_l
    """
    dim = matrix.shape[0] // 2
    rows = _covariance_rows(*(half for row in matrix.split(dim, 0) for half in row.split(dim, 1)))
    return DenseMap(matrix.T, torch.cat([torch.cat(row, 1) for row in rows], 0).T)


def modal_map(blocks: Float[Tensor, "2 2 D"]) -> ModalMap:
    """Prepare D separate 2x2 systems for beliefs: equation (4) with the diagonals of M11, M12, M21, M22."""
    rows = _covariance_rows(*blocks.flatten(0, 1).unbind(0))
    return ModalMap(blocks, torch.stack([torch.stack(row) for row in rows]))


def _covariance_rows(m11: Tensor, m12: Tensor, m21: Tensor, m22: Tensor) -> list[list[Tensor]]:
    """The linear map of (var_u, s, var_l) that (4) is; products are entrywise, so diagonals serve as well."""
    return [
        [m11 * m11, 2.0 * (m11 * m12), m12 * m12],
        [m21 * m11, m22 * m11 + m21 * m12, m22 * m12],
        [m21 * m21, 2.0 * (m21 * m22), m22 * m22],
    ]


def noise_cov(upper: Float[Tensor, " D"], lower: Float[Tensor, " D"]) -> Float[Tensor, " threeD"]:
    """Process noise (q_u, q_l), uncorrelated between the halves, as covariance fields (q_u, 0, q_l)."""
    return torch.cat((upper, torch.zeros_like(upper), lower), -1)


def marginalize(
    parents: Sequence[tuple[LinearMap, Belief]],
    noise: Float[Tensor, "*#batch threeD"],
    shift: Float[Tensor, "*#batch twoD"] | None = None,
) -> Belief:
    """The belief about z' = sum_p M_p z_p + b + noise with independent parents, equation (4).

    The contributions of the parents add, in the mean and in the covariance; the noise is added once.

    Args:
        parents: One (map, belief) each. None of them leaves N(b, noise).
        noise: Covariance fields of the process noise, see `noise_cov`; broadcast over the batch.
        shift: b, deterministic; None for no shift.
    Returns: (*batch) beliefs; without a batch if neither a parent nor a shift has one.
    """
    none = Belief(noise.new_zeros(2 * noise.shape[-1] // 3), noise)
    moved = reduce(operator.add, [linear_map.apply(belief) for linear_map, belief in parents], none)
    if shift is None:
        return moved
    mean = moved.mean + shift
    return Belief(mean, moved.cov.expand(*mean.shape[:-1], -1))
