"""Modal filtering as an associative operation: the same sequence, foldable in any grouping.

Each step becomes the element (A, b, C, eta, J) of Särkkä & García-Fernández, "Temporal parallelization of Bayesian
smoothers" (IEEE TAC 2021): N(z_j; A z_i + b, C) is the conditional of the last state given the first, and
N^-1(z_i; eta, J) the likelihood of what was observed between. All are 2x2 per dimension. Only modal transitions
compose: a dense map drops covariances at every step, and a product of steps would drop others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.gaussian.belief import Belief, Evidence
from mts3.gaussian.marginalize import LinearMap, ModalMap
from mts3.types import Float, Tensor


@dataclass(frozen=True)
class ScanElement:
    """What a stretch of steps does to a prior. Fields (*batch, D, 2[, 2]).

    Attributes:
        A, b, C: z after = A z before + b + N(0, C), given what was observed between.
        eta, J: information vector and matrix about z before, from what was observed between.
    """

    A: Float[Tensor, "*batch D 2 2"]
    b: Float[Tensor, "*batch D 2"]
    C: Float[Tensor, "*batch D 2 2"]
    eta: Float[Tensor, "*batch D 2"]
    J: Float[Tensor, "*batch D 2 2"]


def prepare(transition: LinearMap, offset: Belief, evidence: Evidence) -> ScanElement:
    """The elements of single steps: observe w_t, then move to t+1. Arguments as `filtering.prepare`, any batch.

    Raises:
        ValueError: if the transition is not modal.
    """
    if not isinstance(transition, ModalMap):
        raise ValueError(
            f"only modal transitions compose, got {type(transition).__name__}; use filtering.scan for this one"
        )
    blocks = transition.mean_blocks.permute(2, 0, 1)
    batch = offset.mean.shape[:-1]
    zero = torch.zeros_like(evidence.precision)
    # Observing before moving leaves the conditional untouched: all of the evidence is about the state before.
    return ScanElement(
        A=blocks.expand(*batch, *blocks.shape),
        b=torch.stack((offset.upper_mean, offset.lower_mean), -1),
        C=_symmetric(offset.upper_var, offset.side, offset.lower_var),
        eta=torch.stack((evidence.information, zero), -1),
        J=_symmetric(evidence.precision, zero, zero),
    )


def combine(i: ScanElement, j: ScanElement) -> ScanElement:
    """The element of stretch i followed by stretch j, equation (5), with W = (I + C_i J_j)^-1, V = (I + J_j C_i)^-1."""
    eye = torch.eye(2, dtype=i.C.dtype, device=i.C.device)
    w = _inverse(eye + i.C @ j.J)
    v = w.mT  # C and J are symmetric
    aw, av = j.A @ w, i.A.mT @ v
    return ScanElement(
        A=aw @ i.A,
        b=_times(aw, i.b + _times(i.C, j.eta)) + j.b,
        C=aw @ i.C @ j.A.mT + j.C,
        eta=_times(av, j.eta - _times(j.J, i.b)) + i.eta,
        J=av @ j.J @ i.A + i.J,
    )


def apply(prior: Belief, element: ScanElement) -> Belief:
    """The belief after a stretch of steps, given the prior before it."""
    known = ScanElement(
        A=torch.zeros_like(element.A),
        b=torch.stack((prior.upper_mean, prior.lower_mean), -1),
        C=_symmetric(prior.upper_var, prior.side, prior.lower_var),
        eta=torch.zeros_like(element.eta),
        J=torch.zeros_like(element.J),
    )
    after = combine(known, element)
    return Belief.from_halves(
        after.b[..., 0], after.b[..., 1], after.C[..., 0, 0], after.C[..., 0, 1], after.C[..., 1, 1]
    )


def _symmetric(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """[[a, b], [b, c]] in the last two axes."""
    return torch.stack((torch.stack((a, b), -1), torch.stack((b, c), -1)), -2)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def _inverse(matrix: Tensor) -> Tensor:
    """The inverse of 2x2 matrices, in closed form."""
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    adjugate = torch.stack((torch.stack((d, -b), -1), torch.stack((-c, a), -1)), -2)
    return adjugate / (a * d - b * c)[..., None, None]
