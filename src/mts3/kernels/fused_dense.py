"""Filtering with any M: several sequences at a time, so that an entry of the matrix is read once for all of them.

Arrays come in the pairs of `mts3.kernels.fused_belief`, matrices as `_panels`. A kernel does the sequences from lo to
hi. The gradient of the matrices is left for one product over all steps.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import pad

from mts3.kernels.fused_belief import (
    condition,
    condition_backward,
    load_belief,
    load_evidence,
    nothing,
    plus,
    store_belief,
    store_evidence,
)
from mts3.kernels.fused_lanes import BYTES, broadcast, constant, inline, kernel, load, store

TILE = 8
"""Sequences that are computed together: enough sums to keep the arithmetic units busy."""


def forward_weights(matrix: Tensor) -> np.ndarray:
    """What `forward` reads."""
    return _panels(matrix)


def backward_weights(matrix: Tensor) -> np.ndarray:
    """What `backward` reads."""
    return _panels(matrix.T)


def workspace(matrix: Tensor, batch: int, steps: int) -> Tensor:
    """What `backward` writes for the gradient of the matrix: the posterior at each step."""
    return matrix.new_empty(batch, steps, matrix.shape[0])


def weight_gradient(matrix: Tensor, work: Tensor, d_offset: Tensor) -> Tensor:
    """The gradient of the matrix."""
    return work.flatten(0, 1).T @ d_offset.flatten(0, 1)


def _panels(matrix: Tensor) -> np.ndarray:
    """A matrix (n, m) cut into panels of one vector's width, (panels, n, lanes), zero beyond m."""
    lanes = BYTES // matrix.element_size()
    n, m = matrix.shape
    return pad(matrix, (0, -m % lanes)).view(n, -1, lanes).transpose(0, 1).contiguous().numpy()


@inline
def _multiply(x, panels, y):
    """y = x @ matrix, both (TILE, 1, width); the sums stay in registers."""
    lanes, n, width = BYTES // x.itemsize, panels.shape[1], y.shape[2]
    for panel in range(panels.shape[0]):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = constant(x, 0.0)
        for i in range(n):
            entries = load(panels, (panel * n + i) * lanes, lanes)
            s0 = s0 + broadcast(x, i) * entries
            s1 = s1 + broadcast(x, n + i) * entries
            s2 = s2 + broadcast(x, 2 * n + i) * entries
            s3 = s3 + broadcast(x, 3 * n + i) * entries
            s4 = s4 + broadcast(x, 4 * n + i) * entries
            s5 = s5 + broadcast(x, 5 * n + i) * entries
            s6 = s6 + broadcast(x, 6 * n + i) * entries
            s7 = s7 + broadcast(x, 7 * n + i) * entries
        at = panel * lanes
        count = min(lanes, width - at)
        store(y, at, count, s0)
        store(y, width + at, count, s1)
        store(y, 2 * width + at, count, s2)
        store(y, 3 * width + at, count, s3)
        store(y, 4 * width + at, count, s4)
        store(y, 5 * width + at, count, s5)
        store(y, 6 * width + at, count, s6)
        store(y, 7 * width + at, count, s7)


@inline
def _apply(belief, panels, moved):
    """The matrices times the beliefs of a tile."""
    _multiply(belief[0], panels[0], moved[0])
    _multiply(belief[1], panels[1], moved[1])


@inline
def _tile(array):
    """Room for the beliefs of a tile, zero."""
    dim = array.shape[2] // 2
    return np.zeros((TILE, 1, 2 * dim), array.dtype), np.zeros((TILE, 1, 3 * dim), array.dtype)


@kernel
def forward(lo, hi, panels, prior, offset, evidence, predicted):
    """Write the predicted beliefs."""
    array = predicted[0]
    dim, steps, lanes = array.shape[2] // 2, array.shape[1], BYTES // array.itemsize
    posterior, moved = _tile(array), _tile(array)
    for first in range(lo, hi, TILE):
        size = min(TILE, hi - first)
        for t in range(steps):
            for s in range(size):
                b = first + s
                for d in range(0, dim, lanes):
                    n = min(dim - d, lanes)
                    belief = load_belief(predicted, b, t - 1, d, n) if t > 0 else load_belief(prior, b, 0, d, n)
                    conditioned, _, _ = condition(array, belief, load_evidence(evidence, b, t, d, n))
                    store_belief(posterior, s, 0, d, n, conditioned)
            _apply(posterior, panels, moved)
            for s in range(size):
                b = first + s
                for d in range(0, dim, lanes):
                    n = min(dim - d, lanes)
                    belief = plus(load_belief(moved, s, 0, d, n), load_belief(offset, b, t, d, n))
                    store_belief(predicted, b, t, d, n, belief)


@kernel
def backward(lo, hi, cut, panels, prior, evidence, predicted, d_predicted, work, d_prior, d_offset, d_evidence):
    """Write the gradients of prior, offset and evidence, and `work`, from the gradient of the predicted beliefs.

    `cut` (T) is true at steps before which the gradient of the belief is cut.
    """
    array = predicted[0]
    dim, steps, lanes = array.shape[2] // 2, array.shape[1], BYTES // array.itemsize
    d_belief, d_posterior, zeros = _tile(array), _tile(array), nothing(array)
    for first in range(lo, hi, TILE):
        size = min(TILE, hi - first)
        d_belief[0][:], d_belief[1][:] = 0.0, 0.0
        for t in range(steps - 1, -1, -1):
            for s in range(size):
                b = first + s
                for d in range(0, dim, lanes):
                    n = min(dim - d, lanes)
                    total = plus(load_belief(d_belief, s, 0, d, n), load_belief(d_predicted, b, t, d, n))
                    store_belief(d_belief, s, 0, d, n, total)
                    store_belief(d_offset, b, t, d, n, total)
            _apply(d_belief, panels, d_posterior)
            for s in range(size):
                b = first + s
                for d in range(0, dim, lanes):
                    n = min(dim - d, lanes)
                    belief = load_belief(predicted, b, t - 1, d, n) if t > 0 else load_belief(prior, b, 0, d, n)
                    observed = load_evidence(evidence, b, t, d, n)
                    posterior, gain, innovation = condition(array, belief, observed)
                    store_belief(work, b, t, d, n, posterior)
                    arrived = load_belief(d_posterior, s, 0, d, n)
                    passed, d_observed = condition_backward(array, belief, observed[0], gain, innovation, arrived)
                    store_evidence(d_evidence, b, t, d, n, d_observed)
                    store_belief(d_belief, s, 0, d, n, zeros if cut[t] else passed)
        for s in range(size):
            for d in range(0, dim, lanes):
                n = min(dim - d, lanes)
                store_belief(d_prior, first + s, 0, d, n, load_belief(d_belief, s, 0, d, n))
