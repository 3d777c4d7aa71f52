"""Filtering with a dense transition on a GPU: one program walks one sequence through time.

The transition stays in registers: 4 tiles for the mean and 9 for the covariance, each D x D, padded. A step is
entrywise except for five sums of products of tiles with vectors. Matrix products would need 16 sequences per program:
with a few tens of sequences most of the device would be idle, and in float32 without TF32 there are no tensor cores.
"""

# What Triton compiles is not quite Python.
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

import triton
import triton.language as tl
from torch.nn.functional import pad

from mts3.gaussian import Belief, Evidence
from mts3.kernels.triton_parts import (
    condition,
    condition_adjoint,
    empty_like,
    fields,
    load_cov,
    load_mean,
    observed_in,
    store_cov,
    store_mean,
    strides,
)
from mts3.types import Float, Tensor

AHEAD = tl.constexpr(3)  # steps whose loads are in flight

# Sizes and strides change from call to call: nothing is compiled again for them.
SIZES = ("steps", "pm_b", "pc_b", "om_b", "om_t", "oc_b", "oc_t", "lam_b", "lam_t", "eta_b", "eta_t")
GRADIENT_SIZES = ("steps", "pm_b", "pc_b", "gm_b", "gm_t", "gc_b", "gc_t", "lam_b", "lam_t", "eta_b", "eta_t")


@triton.jit
def _load_tile(tiles, i, P: tl.constexpr):
    """Tile i: rows are outputs."""
    k = tl.arange(0, P)
    return tl.load(tiles + i * P * P + k[:, None] * P + k[None, :])


@triton.jit
def _load_maps(mean_tiles, cov_tiles, P: tl.constexpr):
    """The 2x2 tiles that map the mean and the 3x3 tiles that map the covariance, row by row."""
    m11, m12 = _load_tile(mean_tiles, 0, P), _load_tile(mean_tiles, 1, P)
    m21, m22 = _load_tile(mean_tiles, 2, P), _load_tile(mean_tiles, 3, P)
    c11, c12, c13 = _load_tile(cov_tiles, 0, P), _load_tile(cov_tiles, 1, P), _load_tile(cov_tiles, 2, P)
    c21, c22, c23 = _load_tile(cov_tiles, 3, P), _load_tile(cov_tiles, 4, P), _load_tile(cov_tiles, 5, P)
    c31, c32, c33 = _load_tile(cov_tiles, 6, P), _load_tile(cov_tiles, 7, P), _load_tile(cov_tiles, 8, P)
    return m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33


@triton.jit
def _move(m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33, a, b, u, s, v):
    """The maps, on the mean and on the covariance: entrywise products and a sum along each row of tiles."""
    a, b, u, s, v = a[None, :], b[None, :], u[None, :], s[None, :], v[None, :]
    return (
        tl.sum(m11 * a + m12 * b, axis=1),
        tl.sum(m21 * a + m22 * b, axis=1),
        tl.sum(c11 * u + c12 * s + c13 * v, axis=1),
        tl.sum(c21 * u + c22 * s + c23 * v, axis=1),
        tl.sum(c31 * u + c32 * s + c33 * v, axis=1),
    )


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    mean_tiles, cov_tiles, prior_mean, prior_cov, offset_mean, offset_cov, precision, information,
    out_mean, out_cov,
    steps, pm_b, pc_b, om_b, om_t, oc_b, oc_t, lam_b, lam_t, eta_b, eta_t,
    D: tl.constexpr, OBSERVED: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """The predicted beliefs, contiguous, of one sequence; P is D, padded."""
    seq = tl.program_id(0).to(tl.int64)
    d = tl.arange(0, P)
    inside = d < D
    m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33 = _load_maps(mean_tiles, cov_tiles, P)
    a, b = load_mean(prior_mean + seq * pm_b + d, inside, D)
    u, s, v = load_cov(prior_cov + seq * pc_b + d, inside, D)
    offset_mean += seq * om_b + d
    offset_cov += seq * oc_b + d
    if OBSERVED:
        precision += seq * lam_b + d
        information += seq * eta_b + d
    om_t, oc_t, lam_t, eta_t = om_t.to(tl.int64), oc_t.to(tl.int64), lam_t.to(tl.int64), eta_t.to(tl.int64)
    for t in tl.range(0, steps, num_stages=AHEAD):
        if OBSERVED:
            lam = tl.load(precision + t * lam_t, mask=inside, other=0.0)
            eta = tl.load(information + t * eta_t, mask=inside, other=0.0)
            a, b, u, s, v = condition(a, b, u, s, v, lam, eta)
        offset_a, offset_b = load_mean(offset_mean + t * om_t, inside, D)
        offset_u, offset_s, offset_v = load_cov(offset_cov + t * oc_t, inside, D)
        a, b, u, s, v = _move(m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33, a, b, u, s, v)
        a, b, u, s, v = a + offset_a, b + offset_b, u + offset_u, s + offset_s, v + offset_v
        here = seq * steps + t
        store_mean(out_mean + here * (2 * D) + d, inside, a, b, D)
        store_cov(out_cov + here * (3 * D) + d, inside, u, s, v, D)


@triton.jit(do_not_specialize=GRADIENT_SIZES)
def backward_kernel(
    mean_tiles, cov_tiles, prior_mean, prior_cov, precision, information, out_mean, out_cov, cut, grad_mean, grad_cov,
    posterior_mean, posterior_cov, d_prior_mean, d_prior_cov, d_offset_mean, d_offset_cov, d_precision, d_information,
    steps, pm_b, pc_b, gm_b, gm_t, gc_b, gc_t, lam_b, lam_t, eta_b, eta_t,
    D: tl.constexpr, OBSERVED: tl.constexpr, CUT: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """All gradients but the transition's, contiguous, of one sequence; the tiles are those of the transposed maps.

    The transition's gradient is a product of the posteriors, which are written here, and the offset's gradient.
    """
    seq = tl.program_id(0).to(tl.int64)
    d = tl.arange(0, P)
    inside = d < D
    m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33 = _load_maps(mean_tiles, cov_tiles, P)
    first_a, first_b = load_mean(prior_mean + seq * pm_b + d, inside, D)
    first_u, first_s, first_v = load_cov(prior_cov + seq * pc_b + d, inside, D)
    zero = tl.zeros_like(first_a)
    da, db, du, ds, dv = zero, zero, zero, zero, zero  # of the prior of the step after, on its way back
    grad_mean += seq * gm_b + d
    grad_cov += seq * gc_b + d
    if OBSERVED:
        precision += seq * lam_b + d
        information += seq * eta_b + d
    gm_t, gc_t, lam_t, eta_t = gm_t.to(tl.int64), gc_t.to(tl.int64), lam_t.to(tl.int64), eta_t.to(tl.int64)
    for back in tl.range(0, steps, num_stages=AHEAD):
        t = steps - 1 - back
        here = seq * steps + t
        grad_a, grad_b = load_mean(grad_mean + t * gm_t, inside, D)
        grad_u, grad_s, grad_v = load_cov(grad_cov + t * gc_t, inside, D)
        da, db, du, ds, dv = da + grad_a, db + grad_b, du + grad_u, ds + grad_s, dv + grad_v
        store_mean(d_offset_mean + here * (2 * D) + d, inside, da, db, D)
        store_cov(d_offset_cov + here * (3 * D) + d, inside, du, ds, dv, D)
        # The belief before the step is the prediction one row up: what the step did is computed again from it.
        before = seq * steps + tl.maximum(t - 1, 0)
        a, b = load_mean(out_mean + before * (2 * D) + d, inside, D)
        u, s, v = load_cov(out_cov + before * (3 * D) + d, inside, D)
        a, b = tl.where(t > 0, a, first_a), tl.where(t > 0, b, first_b)
        u, s, v = tl.where(t > 0, u, first_u), tl.where(t > 0, s, first_s), tl.where(t > 0, v, first_v)
        if OBSERVED:
            lam = tl.load(precision + t * lam_t, mask=inside, other=0.0)
            eta = tl.load(information + t * eta_t, mask=inside, other=0.0)
            post_a, post_b, post_u, post_s, post_v = condition(a, b, u, s, v, lam, eta)
        else:
            post_a, post_b, post_u, post_s, post_v = a, b, u, s, v
        store_mean(posterior_mean + here * (2 * D) + d, inside, post_a, post_b, D)
        store_cov(posterior_cov + here * (3 * D) + d, inside, post_u, post_s, post_v, D)
        da, db, du, ds, dv = _move(m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33, da, db, du, ds, dv)
        if OBSERVED:
            da, db, du, ds, dv, d_lam, d_eta = condition_adjoint(a, u, s, lam, eta, da, db, du, ds, dv)
            tl.store(d_precision + here * D + d, d_lam, mask=inside)
            tl.store(d_information + here * D + d, d_eta, mask=inside)
        if CUT:
            keep = tl.load(cut + t) == 0
            da, db = tl.where(keep, da, 0.0), tl.where(keep, db, 0.0)
            du, ds, dv = tl.where(keep, du, 0.0), tl.where(keep, ds, 0.0), tl.where(keep, dv, 0.0)
    store_mean(d_prior_mean + seq * (2 * D) + d, inside, da, db, D)
    store_cov(d_prior_cov + seq * (3 * D) + d, inside, du, ds, dv, D)


def padded(dim: int) -> int:
    """P, a power of two."""
    return max(16, triton.next_power_of_2(dim))


def warps(dim: int, double: bool) -> int:
    """As few as can hold the tiles (up to D = 32 without spilling): waiting for each other takes most of a step."""
    return {16: 2, 32: 4, 64: 16}[padded(dim)] * (2 if double and dim <= 32 else 1)


def tiles(matrix: Tensor, n: int) -> Tensor:
    """(n D, n D) as (n, n, P, P) blocks, with zeros right of and below each."""
    dim = len(matrix) // n
    extra = padded(dim) - dim
    blocks = matrix.unflatten(0, (n, dim)).unflatten(2, (n, dim)).transpose(1, 2)
    return pad(blocks, (0, extra, 0, extra)).contiguous()


def forward(
    mean_matrix: Float[Tensor, "twoD twoD"],
    cov_matrix: Float[Tensor, "threeD threeD"],
    prior: Belief,
    offset: Belief,
    evidence: Evidence | None,
) -> Belief:
    """The predicted beliefs (B, T)."""
    batch, steps, dim = *offset.mean.shape[:2], prior.dim
    observed, predicted = observed_in(evidence), empty_like(offset)
    forward_kernel[(batch,)](
        tiles(mean_matrix.T, 2),
        tiles(cov_matrix.T, 3),
        *fields(prior, offset),
        *observed,
        *fields(predicted),
        steps,
        prior.mean.stride(0),
        prior.cov.stride(0),
        *strides(*fields(offset), *observed),
        D=dim,
        OBSERVED=evidence is not None,
        P=padded(dim),
        num_warps=warps(dim, prior.mean.itemsize == 8),
        enable_fp_fusion=True,
    )
    return predicted


def backward(
    mean_matrix: Float[Tensor, "twoD twoD"],
    cov_matrix: Float[Tensor, "threeD threeD"],
    prior: Belief,
    evidence: Evidence | None,
    predicted: Belief,
    cut: Tensor | None,
    grad: Belief,
) -> tuple[Tensor | None, ...]:
    """The gradients of what `forward` was given, field by field, from those of the predicted beliefs.

    Args:
        predicted: What `forward` gave.
        cut: (T), one where the gradient is cut before the step; None if it is nowhere.
    """
    batch, steps, dim = *predicted.mean.shape[:2], prior.dim
    observed, d_prior = observed_in(evidence), empty_like(prior)
    d_offset, posterior = empty_like(predicted), empty_like(predicted)
    d_observed = [None if x is None else x.new_empty(batch, steps, dim) for x in observed]
    backward_kernel[(batch,)](
        tiles(mean_matrix, 2),
        tiles(cov_matrix, 3),
        *fields(prior),
        *observed,
        *fields(predicted),
        cut,
        *fields(grad),
        *fields(posterior, d_prior, d_offset),
        *d_observed,
        steps,
        prior.mean.stride(0),
        prior.cov.stride(0),
        *strides(*fields(grad), *observed),
        D=dim,
        OBSERVED=evidence is not None,
        CUT=cut is not None,
        P=padded(dim),
        num_warps=warps(dim, prior.mean.itemsize == 8),
        enable_fp_fusion=True,
    )
    d_mean_matrix = posterior.mean.flatten(0, 1).T @ d_offset.mean.flatten(0, 1)
    d_cov_matrix = posterior.cov.flatten(0, 1).T @ d_offset.cov.flatten(0, 1)
    return (d_mean_matrix, d_cov_matrix, *fields(d_prior, d_offset), *d_observed)
