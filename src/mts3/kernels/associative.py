"""Parallel in time: modal filtering and open loops as scans, in plain PyTorch. Any device, any derivative.

The elements are those of Särkkä & García-Fernández, "Temporal parallelization of Bayesian smoothers" (IEEE TAC 2021),
as in `gaussian.associative` and `gaussian.smoothing`, with the fields of a belief in front, (fields, T, B, D), and
every 2x2 product written out over whole tensors: batched 2x2 `matmul` is five times slower.
Until the backward pass, the graph keeps about 63 numbers for each step and dimension.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch

from mts3.gaussian import Belief, DenseMap, LinearMap, ModalMap, smoothing
from mts3.kernels.backend import Backend, Problem
from mts3.kernels.scan import State, scan
from mts3.types import Tensor


class FilterSteps(NamedTuple):
    """Observe, then move: `gaussian.filtering.combine`. One transition for all steps."""

    mean_blocks: Tensor  # (2, 2, 1, 1, D)
    cov_blocks: Tensor  # (3, 3, 1, 1, D)
    mean: Tensor  # (2, T, B, D), of the offset
    cov: Tensor  # (3, T, B, D)
    precision: Tensor  # (T, B, D)
    information: Tensor  # (T, B, D)

    def advance(self, state: State) -> State:
        """Beliefs, predicted after each step."""
        mean, cov = state
        pair, _, innovation, moved = self._observed(mean, cov)
        return _product(self.mean_blocks, torch.addcmul(mean, pair, innovation), self.mean), moved

    def after(self, stretches: FilterStretches | None) -> FilterStretches:
        """The filter from the first state of a stretch, taken as known, and its derivative by that state."""
        if stretches is None:
            zero = torch.zeros_like(self.precision)
            start = self.mean_blocks.expand(2, 2, *zero.shape)
            known = torch.stack((self.precision, zero, zero, zero)).unflatten(0, (2, 2))
            return FilterStretches(start, self.mean, self.cov, torch.stack((self.information, zero)), known)
        A, b, C, eta, J = stretches
        pair, gain, innovation, moved = self._observed(b, C)
        first = A[0]
        observed = first * (self.precision * gain)
        return FilterStretches(
            A=_times(self.mean_blocks, torch.addcmul(A, pair.unsqueeze(1), observed, value=-1.0)),
            b=_product(self.mean_blocks, torch.addcmul(b, pair, innovation), self.mean),
            C=moved,
            eta=torch.addcmul(eta, first, innovation),
            J=torch.addcmul(J, first.unsqueeze(1), observed),
        )

    def _observed(self, mean: Tensor, cov: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(var_u, s) before, g and d of equation (3), and the covariance after (3) and (4)."""
        pair, lower = cov.split((2, 1))
        upper, side = pair.unbind()
        gain = (1.0 + upper * self.precision).reciprocal()
        innovation = torch.addcmul(self.information, self.precision, mean[0], value=-1.0) * gain
        upper, shrunk = (pair * gain).unbind()
        lower = torch.addcmul(lower[0], side * shrunk, self.precision, value=-1.0)
        return pair, gain, innovation, _product(self.cov_blocks, (upper, shrunk, lower), self.cov)


class FilterStretches(NamedTuple):
    """What stretches of steps do to a belief, equation (5); covariances in the fields of a belief."""

    A: Tensor  # (2, 2, T, B, D)
    b: Tensor  # (2, T, B, D)
    C: Tensor  # (3, T, B, D)
    eta: Tensor  # (2, T, B, D)
    J: Tensor  # (2, 2, T, B, D)

    def advance(self, state: State) -> State:
        """Beliefs, predicted after each stretch."""
        mean, cov = state
        covariance = _matrix(cov)
        return self._moved(mean, covariance, _times(self.A, self._shrinking(covariance)))

    def after(self, stretches: FilterStretches | None) -> FilterStretches:
        """Equation (5): i before j, which are these."""
        if stretches is None:
            return self
        A, b, C, eta, J = stretches
        covariance = _matrix(C)
        shrinking = self._shrinking(covariance)
        forward, backward = _times(self.A, shrinking), _times(A.transpose(0, 1), shrinking.transpose(0, 1))
        mean, cov = self._moved(b, covariance, forward)
        return FilterStretches(
            A=_times(forward, A),
            b=mean,
            C=cov,
            eta=_product(backward, self.eta - _product(self.J, b), eta),
            J=_times(_times(backward, self.J), A, J),
        )

    def _shrinking(self, covariance: Tensor) -> Tensor:
        """W = (I + C_i J_j)^-1, in closed form."""
        (a, b), (c, d) = (row.unbind() for row in _times(covariance, self.J).unbind())
        a, d = 1.0 + a, 1.0 + d
        return torch.stack((d, -b, -c, a)).unflatten(0, (2, 2)) / (a * d - b * c)

    def _moved(self, mean: Tensor, covariance: Tensor, forward: Tensor) -> State:
        """b and C of equation (5), given A_j W."""
        mean = _product(forward, mean + _product(covariance, self.eta), self.b)
        return mean, _fields(_times(_times(forward, covariance), self.A.transpose(0, 1))) + self.C


class ModalSteps(NamedTuple):
    """Move without observing: blocks times what is moved, means or fields of covariances, plus an offset."""

    blocks: Tensor  # (n, n, 1, 1, D)
    offset: Tensor  # (n, T, B, D)

    def advance(self, state: State) -> State:
        """What was moved, after each step."""
        return (_product(self.blocks, state[0], self.offset),)

    def after(self, stretches: ModalSteps | None) -> ModalSteps:
        """Powers of the blocks, the same for all stretches, and the offsets gathered."""
        if stretches is None:
            return self
        blocks, offset = stretches
        return ModalSteps(_times(self.blocks, blocks), _product(self.blocks, offset, self.offset))


class DenseSteps(NamedTuple):
    """The same with a matrix: rows times matrix, plus an offset."""

    matrix: Tensor  # (1, n, n)
    offset: Tensor  # (T, B, n)

    def advance(self, state: State) -> State:
        """What was moved, after each step."""
        return (state[0] @ self.matrix[0] + self.offset,)

    def after(self, stretches: DenseSteps | None) -> DenseSteps:
        """Powers of the matrix, the same for all stretches, and the offsets gathered."""
        if stretches is None:
            return self
        matrix, offset = stretches
        return DenseSteps(matrix @ self.matrix, offset @ self.matrix[0] + self.offset)


class SmootherSteps(NamedTuple):
    """From the smoothed belief about z_{t+1} to the one about z_t = E z_{t+1} + g + N(0, L); stretches are the same."""

    E: Tensor  # (2, 2, T, B, D)
    g: Tensor  # (2, T, B, D)
    L: Tensor  # (3, T, B, D)

    def advance(self, state: State) -> State:
        """Smoothed beliefs, one step earlier."""
        mean, cov = state
        covariance = _times(_times(self.E, _matrix(cov)), self.E.transpose(0, 1))
        return _product(self.E, mean, self.g), _fields(covariance) + self.L

    def after(self, stretches: SmootherSteps | None) -> SmootherSteps:
        """One Gaussian conditional after another."""
        if stretches is None:
            return self
        return SmootherSteps(_times(self.E, stretches.E), *self.advance(stretches[1:]))


def smooth(posteriors: Belief, predictions: Belief, transition: LinearMap) -> Belief:
    """`gaussian.smoothing.smooth`, parallel in time."""
    gain = smoothing.gains(posteriors, predictions, transition)
    E = gain.permute(2, 3, 1, 0, 4)
    mean, cov = _front(predictions)
    nothing = SmootherSteps(E, torch.zeros_like(mean), torch.zeros_like(cov))
    back = nothing.advance((mean, cov))
    g, L = (known - moved for known, moved in zip(_front(posteriors), back, strict=True))
    steps = SmootherSteps(*(field.flip(-3) for field in (E, g, L)))
    smoothed = scan((mean[:, -1:], cov[:, -1:]), steps)
    return _back([field.flip(-3) for field in smoothed])


def refusal(problem: Problem) -> str | None:
    """Only what composes can be grouped."""
    transition = problem.transition
    if isinstance(transition, ModalMap) or (isinstance(transition, DenseMap) and problem.evidence is None):
        return None
    if isinstance(transition, DenseMap):
        return (
            "cannot filter a dense transition: each step drops the covariances between dimensions, so steps do not "
            "compose (open loop, without observations, they do)"
        )
    return f"cannot scan a {type(transition).__name__}: its map depends on the belief"


def run(problem: Problem) -> Belief:
    """One scan, or one from each cut of the gradient to the next."""
    cuts = sorted({0, problem.steps, *(t for t in range(problem.steps) if t in problem.detach_at)})
    state = problem.prior.map(lambda fields: fields.unsqueeze(1))
    parts = []
    for start, stop in itertools.pairwise(cuts):
        part = slice(start, stop)
        state = state.detach() if start in problem.detach_at else state
        parts.append(_run(problem, state, part))
        state = parts[-1].map(lambda fields: fields[:, -1:])
    return Belief(torch.cat([part.mean for part in parts], 1), torch.cat([part.cov for part in parts], 1))


def _run(problem: Problem, state: Belief, part: slice) -> Belief:
    """Some steps, from the belief (B, 1) before them."""
    transition, offset = problem.transition, problem.offset.map(lambda fields: fields[:, part])
    if isinstance(transition, DenseMap):
        means = DenseSteps(transition.mean_matrix[None], offset.mean.transpose(0, 1))
        covs = DenseSteps(transition.cov_matrix[None], offset.cov.transpose(0, 1))
        moved = [scan((x.transpose(0, 1),), steps)[0] for x, steps in ((state.mean, means), (state.cov, covs))]
        return Belief(*(field.transpose(0, 1) for field in moved))
    assert isinstance(transition, ModalMap)  # `refusal` lets nothing else pass
    mean_blocks, cov_blocks = (blocks[:, :, None, None] for blocks in (transition.mean_blocks, transition.cov_blocks))
    start, (mean, cov) = _front(state), _front(offset)
    if problem.evidence is None:
        steps = (ModalSteps(mean_blocks, mean), ModalSteps(cov_blocks, cov))
        return _back([scan((x,), one)[0] for x, one in zip(start, steps, strict=True)])
    observed = problem.evidence.map(lambda fields: fields[:, part].transpose(0, 1))
    return _back(scan(start, FilterSteps(mean_blocks, cov_blocks, mean, cov, observed.precision, observed.information)))


ASSOCIATIVE = Backend("associative", refusal=refusal, run=run)


def _front(belief: Belief) -> State:
    """The fields of (B, T) beliefs in front: (2, T, B, D) and (3, T, B, D)."""
    return tuple(x.unflatten(-1, (n, -1)).permute(2, 1, 0, 3) for x, n in ((belief.mean, 2), (belief.cov, 3)))


def _back(state: Sequence[Tensor]) -> Belief:
    """The inverse of `_front`."""
    return Belief(*(fields.permute(2, 1, 0, 3).flatten(-2) for fields in state))


def _product(matrix: Tensor, fields: Iterable[Tensor], start: Tensor | None = None) -> Tensor:
    """start + matrix (n, m, ...) times fields (m, ...), in as few operations on whole tensors as there are columns."""
    for column, field in zip(matrix.unbind(1), fields, strict=True):
        start = column * field if start is None else torch.addcmul(start, column, field)
    assert start is not None
    return start


def _times(left: Tensor, right: Tensor, start: Tensor | None = None) -> Tensor:
    """start + left (n, m, ...) times right (m, k, ...)."""
    return _product(left.unsqueeze(2), right, start)


def _matrix(cov: Tensor) -> Tensor:
    """(2, 2, ...) of the fields (3, ...) of a covariance."""
    return torch.stack((cov[:2], cov[1:]))


def _fields(matrix: Tensor) -> Tensor:
    """The inverse of `_matrix`."""
    return torch.stack((matrix[0, 0], matrix[0, 1], matrix[1, 1]))
