"""Filtering D separate 2x2 systems: a few of them at a time, in registers from the first step to the last.

Arrays come in the pairs of `mts3.kernels.fused_belief`, blocks in that of a `ModalMap`. A kernel does the sequences
from lo to hi.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mts3.kernels.fused_belief import (
    condition,
    condition_backward,
    load2,
    load3,
    load_belief,
    load_evidence,
    nothing,
    plus,
    row,
    store2,
    store3,
    store_belief,
    store_evidence,
)
from mts3.kernels.fused_lanes import BYTES, inline, kernel

TILE = 1
"""Sequences that are done together."""

BLOCK = 256
"""Steps that are computed for all dimensions before the next ones, so that what is read twice is still in the cache."""


def forward_weights(blocks: Tensor) -> np.ndarray:
    """What `forward` reads."""
    return blocks.contiguous().numpy()


backward_weights = forward_weights


def workspace(blocks: Tensor, batch: int, steps: int) -> Tensor:
    """What `backward` writes for the gradient of the blocks: the sum over each block of steps."""
    return blocks.new_empty(batch, -(-steps // BLOCK), blocks.numel())


def weight_gradient(blocks: Tensor, work: Tensor, d_offset: Tensor) -> Tensor:
    """The gradient of the blocks."""
    return work.sum((0, 1)).view(blocks.shape)


@inline
def _dot2(a, b):
    return a[0] * b[0] + a[1] * b[1]


@inline
def _dot3(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inline
def _load_blocks(blocks, d, n):
    """The rows of all blocks."""
    dim = blocks[0].shape[2]
    mean = load2(blocks[0], d, dim, n), load2(blocks[0], 2 * dim + d, dim, n)
    cov = blocks[1]
    return mean, (load3(cov, d, dim, n), load3(cov, 3 * dim + d, dim, n), load3(cov, 6 * dim + d, dim, n))


@inline
def _load_transposed_blocks(blocks, d, n):
    """The columns of all blocks."""
    dim = blocks[0].shape[2]
    mean = load2(blocks[0], d, 2 * dim, n), load2(blocks[0], dim + d, 2 * dim, n)
    cov, skip = blocks[1], 3 * dim
    return mean, (load3(cov, d, skip, n), load3(cov, dim + d, skip, n), load3(cov, 2 * dim + d, skip, n))


@inline
def _store_blocks(blocks, b, t, dim, d, n, values):
    """Write the rows of all blocks to row (b, t)."""
    mean, cov = values
    at = row(blocks[0], b, t) + d
    store2(blocks[0], at, dim, n, mean[0])
    store2(blocks[0], at + 2 * dim, dim, n, mean[1])
    at = row(blocks[1], b, t) + d
    store3(blocks[1], at, dim, n, cov[0])
    store3(blocks[1], at + 3 * dim, dim, n, cov[1])
    store3(blocks[1], at + 6 * dim, dim, n, cov[2])


@inline
def _apply(rows, belief):
    """The blocks times the belief."""
    (mean, cov), (m, c) = rows, belief
    return (_dot2(mean[0], m), _dot2(mean[1], m)), (_dot3(cov[0], c), _dot3(cov[1], c), _dot3(cov[2], c))


@inline
def _plus_times2(total, a, b):
    return total[0] + a * b[0], total[1] + a * b[1]


@inline
def _plus_times3(total, a, b):
    return total[0] + a * b[0], total[1] + a * b[1], total[2] + a * b[2]


@inline
def _plus_outer(total, a, b):
    """total + a b', block by block."""
    (mean, cov), (m, c), (from_mean, from_cov) = total, a, b
    mean = _plus_times2(mean[0], m[0], from_mean), _plus_times2(mean[1], m[1], from_mean)
    upper, side = _plus_times3(cov[0], c[0], from_cov), _plus_times3(cov[1], c[1], from_cov)
    return mean, (upper, side, _plus_times3(cov[2], c[2], from_cov))


@kernel
def forward(lo, hi, blocks, prior, offset, evidence, predicted):
    """Write the predicted beliefs."""
    array = predicted[0]
    dim, steps, lanes = array.shape[2] // 2, array.shape[1], BYTES // array.itemsize
    for b in range(lo, hi):
        for first in range(0, steps, BLOCK):
            for d in range(0, dim, lanes):
                n = min(dim - d, lanes)
                rows = _load_blocks(blocks, d, n)
                belief = load_belief(predicted, b, first - 1, d, n) if first > 0 else load_belief(prior, b, 0, d, n)
                for t in range(first, min(first + BLOCK, steps)):
                    posterior, _, _ = condition(array, belief, load_evidence(evidence, b, t, d, n))
                    belief = plus(_apply(rows, posterior), load_belief(offset, b, t, d, n))
                    store_belief(predicted, b, t, d, n, belief)


@kernel
def backward(lo, hi, cut, blocks, prior, evidence, predicted, d_predicted, work, d_prior, d_offset, d_evidence):
    """Write the gradients of prior, offset and evidence, and `work`, from the gradient of the predicted beliefs.

    `cut` (T) is true at steps before which the gradient of the belief is cut. On its way from block to block that
    gradient waits in `d_prior`.
    """
    array = predicted[0]
    dim, steps, lanes = array.shape[2] // 2, array.shape[1], BYTES // array.itemsize
    zeros = nothing(array)
    last_block = (steps - 1) // BLOCK
    for b in range(lo, hi):
        for block in range(last_block, -1, -1):
            for d in range(0, dim, lanes):
                n = min(dim - d, lanes)
                columns = _load_transposed_blocks(blocks, d, n)
                d_belief = load_belief(d_prior, b, 0, d, n) if block < last_block else zeros
                d_blocks = (zeros[0], zeros[0]), (zeros[1], zeros[1], zeros[1])
                for t in range(min((block + 1) * BLOCK, steps) - 1, block * BLOCK - 1, -1):
                    belief = load_belief(predicted, b, t - 1, d, n) if t > 0 else load_belief(prior, b, 0, d, n)
                    observed = load_evidence(evidence, b, t, d, n)
                    posterior, gain, innovation = condition(array, belief, observed)
                    d_belief = plus(d_belief, load_belief(d_predicted, b, t, d, n))
                    store_belief(d_offset, b, t, d, n, d_belief)
                    d_blocks = _plus_outer(d_blocks, d_belief, posterior)
                    d_posterior = _apply(columns, d_belief)
                    d_belief, d_observed = condition_backward(array, belief, observed[0], gain, innovation, d_posterior)
                    store_evidence(d_evidence, b, t, d, n, d_observed)
                    if cut[t]:
                        d_belief = zeros
                store_belief(d_prior, b, 0, d, n, d_belief)
                _store_blocks(work, b, block, dim, d, n, d_blocks)
