"""Filtering with a modal transition on a GPU: every dimension of every sequence is a thread that walks through time.

The dimensions of a modal system never meet, so a thread keeps its 2x2 belief in registers from the first step to the
last; the loads of the steps ahead are under way while one is computed.
"""

# What Triton compiles is not quite Python.
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

import triton
import triton.language as tl

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

LANES = 32  # threads of a program: one warp, so that few sequences still spread over the whole device
AHEAD = tl.constexpr(4)  # steps whose loads are in flight

# Sizes and strides change from call to call: nothing is compiled again for them.
SIZES = ("lanes", "steps", "pm_b", "pc_b", "om_b", "om_t", "oc_b", "oc_t", "lam_b", "lam_t", "eta_b", "eta_t")
GRADIENT_SIZES = ("lanes", "steps", "pm_b", "pc_b", "gm_b", "gm_t", "gc_b", "gc_t", "lam_b", "lam_t", "eta_b", "eta_t")


@triton.jit
def _load_maps(mean_blocks, cov_blocks, d, inside, D: tl.constexpr):
    """The 2x2 map of the mean and the 3x3 map of the covariance of every lane, row by row."""
    m11, m12 = load_mean(mean_blocks + d, inside, D)
    m21, m22 = load_mean(mean_blocks + 2 * D + d, inside, D)
    c11, c12, c13 = load_cov(cov_blocks + d, inside, D)
    c21, c22, c23 = load_cov(cov_blocks + 3 * D + d, inside, D)
    c31, c32, c33 = load_cov(cov_blocks + 6 * D + d, inside, D)
    return m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    mean_blocks, cov_blocks, prior_mean, prior_cov, offset_mean, offset_cov, precision, information,
    out_mean, out_cov,
    lanes, steps, pm_b, pc_b, om_b, om_t, oc_b, oc_t, lam_b, lam_t, eta_b, eta_t,
    D: tl.constexpr, OBSERVED: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """The predicted beliefs, contiguous. Lane n is dimension n % D of sequence n // D."""
    lane = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    inside = lane < lanes
    seq = lane // D
    d = lane % D
    m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33 = _load_maps(mean_blocks, cov_blocks, d, inside, D)
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
        a, b = m11 * a + m12 * b + offset_a, m21 * a + m22 * b + offset_b
        u, s, v = (
            c11 * u + c12 * s + c13 * v + offset_u,
            c21 * u + c22 * s + c23 * v + offset_s,
            c31 * u + c32 * s + c33 * v + offset_v,
        )
        store_mean(out_mean + (seq * steps + t) * (2 * D) + d, inside, a, b, D)
        store_cov(out_cov + (seq * steps + t) * (3 * D) + d, inside, u, s, v, D)


@triton.jit(do_not_specialize=GRADIENT_SIZES)
def backward_kernel(
    mean_blocks, cov_blocks, prior_mean, prior_cov, precision, information, out_mean, out_cov, cut, grad_mean, grad_cov,
    d_prior_mean, d_prior_cov, d_offset_mean, d_offset_cov, d_precision, d_information, d_blocks,
    lanes, steps, pm_b, pc_b, gm_b, gm_t, gc_b, gc_t, lam_b, lam_t, eta_b, eta_t,
    D: tl.constexpr, OBSERVED: tl.constexpr, CUT: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """All gradients, contiguous, in one pass back through time; `d_blocks` is (13, lanes), still to be summed."""
    lane = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    inside = lane < lanes
    seq = lane // D
    d = lane % D
    m11, m12, m21, m22, c11, c12, c13, c21, c22, c23, c31, c32, c33 = _load_maps(mean_blocks, cov_blocks, d, inside, D)
    first_a, first_b = load_mean(prior_mean + seq * pm_b + d, inside, D)
    first_u, first_s, first_v = load_cov(prior_cov + seq * pc_b + d, inside, D)
    zero = tl.zeros_like(first_a)
    da, db, du, ds, dv = zero, zero, zero, zero, zero  # of the prior of the step after, on its way back
    w11, w12, w21, w22 = zero, zero, zero, zero
    k11, k12, k13, k21, k22, k23, k31, k32, k33 = zero, zero, zero, zero, zero, zero, zero, zero, zero
    grad_mean += seq * gm_b + d
    grad_cov += seq * gc_b + d
    if OBSERVED:
        precision += seq * lam_b + d
        information += seq * eta_b + d
    gm_t, gc_t, lam_t, eta_t = gm_t.to(tl.int64), gc_t.to(tl.int64), lam_t.to(tl.int64), eta_t.to(tl.int64)
    for back in tl.range(0, steps, num_stages=AHEAD):
        t = steps - 1 - back
        grad_a, grad_b = load_mean(grad_mean + t * gm_t, inside, D)
        grad_u, grad_s, grad_v = load_cov(grad_cov + t * gc_t, inside, D)
        da, db, du, ds, dv = da + grad_a, db + grad_b, du + grad_u, ds + grad_s, dv + grad_v
        here = seq * steps + t
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
        w11, w12, w21, w22 = w11 + da * post_a, w12 + da * post_b, w21 + db * post_a, w22 + db * post_b
        k11, k12, k13 = k11 + du * post_u, k12 + du * post_s, k13 + du * post_v
        k21, k22, k23 = k21 + ds * post_u, k22 + ds * post_s, k23 + ds * post_v
        k31, k32, k33 = k31 + dv * post_u, k32 + dv * post_s, k33 + dv * post_v
        da, db = m11 * da + m21 * db, m12 * da + m22 * db
        du, ds, dv = c11 * du + c21 * ds + c31 * dv, c12 * du + c22 * ds + c32 * dv, c13 * du + c23 * ds + c33 * dv
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
    at = d_blocks + lane
    step = lanes.to(tl.int64)
    store_mean(at, inside, w11, w12, step)
    store_mean(at + 2 * step, inside, w21, w22, step)
    store_cov(at + 4 * step, inside, k11, k12, k13, step)
    store_cov(at + 7 * step, inside, k21, k22, k23, step)
    store_cov(at + 10 * step, inside, k31, k32, k33, step)


def forward(
    mean_blocks: Float[Tensor, "2 2 D"],
    cov_blocks: Float[Tensor, "3 3 D"],
    prior: Belief,
    offset: Belief,
    evidence: Evidence | None,
) -> Belief:
    """The predicted beliefs (B, T)."""
    batch, steps, dim = *offset.mean.shape[:2], prior.dim
    observed, predicted = observed_in(evidence), empty_like(offset)
    forward_kernel[(triton.cdiv(batch * dim, LANES),)](
        mean_blocks.contiguous(),
        cov_blocks.contiguous(),
        *fields(prior, offset),
        *observed,
        *fields(predicted),
        batch * dim,
        steps,
        prior.mean.stride(0),
        prior.cov.stride(0),
        *strides(*fields(offset), *observed),
        D=dim,
        OBSERVED=evidence is not None,
        LANES=LANES,
        num_warps=1,
        enable_fp_fusion=True,
    )
    return predicted


def backward(
    mean_blocks: Float[Tensor, "2 2 D"],
    cov_blocks: Float[Tensor, "3 3 D"],
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
    observed, d_prior, d_offset = observed_in(evidence), empty_like(prior), empty_like(predicted)
    d_observed = [None if x is None else x.new_empty(batch, steps, dim) for x in observed]
    d_blocks = prior.mean.new_empty(13, batch, dim)
    backward_kernel[(triton.cdiv(batch * dim, LANES),)](
        mean_blocks.contiguous(),
        cov_blocks.contiguous(),
        *fields(prior),
        *observed,
        *fields(predicted),
        cut,
        *fields(grad),
        *fields(d_prior, d_offset),
        *d_observed,
        d_blocks,
        batch * dim,
        steps,
        prior.mean.stride(0),
        prior.cov.stride(0),
        *strides(*fields(grad), *observed),
        D=dim,
        OBSERVED=evidence is not None,
        CUT=cut is not None,
        LANES=LANES,
        num_warps=1,
        enable_fp_fusion=True,
    )
    # Summed here, not by the threads: in the same order every time.
    d_mean, d_cov = d_blocks.sum(1).split((4, 9))
    d_maps = (d_mean.view(2, 2, dim), d_cov.view(3, 3, dim))
    return (*d_maps, *fields(d_prior, d_offset), *d_observed)
