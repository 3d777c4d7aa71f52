"""What the Triton kernels share: reading and writing beliefs, conditioning (3) and its derivative.

A belief is five tensors (a, b, u, s, v): upper and lower mean, upper variance, side covariance, lower variance.
Padded entries are read as zeros, which no step changes.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from mts3.gaussian import Belief, Evidence
from mts3.types import Tensor


@triton.jit
def load_mean(at, inside, D):
    """a, b."""
    return tl.load(at, mask=inside, other=0.0), tl.load(at + D, mask=inside, other=0.0)


@triton.jit
def load_cov(at, inside, D):
    """u, s, v."""
    u = tl.load(at, mask=inside, other=0.0)
    s = tl.load(at + D, mask=inside, other=0.0)
    return u, s, tl.load(at + 2 * D, mask=inside, other=0.0)


@triton.jit
def store_mean(at, inside, a, b, D):
    """The inverse of `load_mean`."""
    tl.store(at, a, mask=inside)
    tl.store(at + D, b, mask=inside)


@triton.jit
def store_cov(at, inside, u, s, v, D):
    """The inverse of `load_cov`."""
    tl.store(at, u, mask=inside)
    tl.store(at + D, s, mask=inside)
    tl.store(at + 2 * D, v, mask=inside)


@triton.jit
def condition(a, b, u, s, v, precision, information):
    """The belief after the evidence: see `gaussian.condition`."""
    gain = 1.0 / (1.0 + u * precision)
    innovation = (information - precision * a) * gain
    shrunk_side = s * gain
    return a + u * innovation, b + s * innovation, u * gain, shrunk_side, v - s * shrunk_side * precision


@triton.jit
def condition_adjoint(a, u, s, precision, information, da, db, du, ds, dv):
    """Gradients with respect to the prior's five fields, the precision and the information.

    Args:
        a, u, s: Of the prior; no derivative needs its b and v.
        da, db, du, ds, dv: Gradients with respect to the posterior.
    """
    gain = 1.0 / (1.0 + u * precision)
    residual = information - precision * a
    innovation = residual * gain
    d_innovation = da * u + db * s
    d_gain = d_innovation * residual + du * u + ds * s - dv * s * s * precision
    d_information = d_innovation * gain
    d_divisor = -d_gain * gain * gain
    return (
        da - d_information * precision,
        db,
        da * innovation + du * gain + d_divisor * precision,
        db * innovation + ds * gain - 2.0 * dv * s * gain * precision,
        dv,
        d_divisor * u - d_information * a - dv * s * s * gain,
        d_information,
    )


def observed_in(evidence: Evidence | None) -> tuple[Tensor | None, Tensor | None]:
    """Precision and information as kernels take them."""
    return (None, None) if evidence is None else (evidence.precision, evidence.information)


def fields(*beliefs: Belief) -> list[Tensor]:
    """Mean and covariance of each, as kernels take them."""
    return [part for belief in beliefs for part in (belief.mean, belief.cov)]


def strides(*parts: Tensor | None) -> list[int]:
    """Those of the sequences and of the steps, of each."""
    return [0 if part is None else part.stride(axis) for part in parts for axis in (0, 1)]


def empty_like(belief: Belief) -> Belief:
    """Room for a belief of this shape, without gaps."""
    return belief.map(lambda fields: torch.empty(fields.shape, dtype=fields.dtype, device=fields.device))
