"""A few dimensions of a belief in registers: read, written, and conditioned on evidence, equation (3), there and back.

In memory a belief is the pair of its mean (B, T, 2D) and cov (B, T, 3D), evidence the pair of precision and
information (B, T, D), all C-contiguous; an axis of length one stands for any length, its entries being all the same.
In registers it is the pair ((mu_u, mu_l), (var_u, s, var_l)).
"""

from __future__ import annotations

from mts3.kernels.fused_lanes import constant, inline, load, store


@inline
def row(array, b, t):
    """Where row (b, t) begins."""
    return (min(b, array.shape[0] - 1) * array.shape[1] + min(t, array.shape[1] - 1)) * array.shape[2]


@inline
def load2(array, at, stride, n):
    """n entries at `at`, and at a stride from there."""
    return load(array, at, n), load(array, at + stride, n)


@inline
def load3(array, at, stride, n):
    """n entries at `at`, and at one and two strides from there."""
    return load(array, at, n), load(array, at + stride, n), load(array, at + 2 * stride, n)


@inline
def store2(array, at, stride, n, values):
    """Write what `load2` reads."""
    store(array, at, n, values[0])
    store(array, at + stride, n, values[1])


@inline
def store3(array, at, stride, n, values):
    """Write what `load3` reads."""
    store(array, at, n, values[0])
    store(array, at + stride, n, values[1])
    store(array, at + 2 * stride, n, values[2])


@inline
def load_belief(belief, b, t, d, n):
    """Dimensions d to d + n of the belief (b, t)."""
    mean, cov = belief
    dim = mean.shape[2] // 2
    return load2(mean, row(mean, b, t) + d, dim, n), load3(cov, row(cov, b, t) + d, dim, n)


@inline
def store_belief(belief, b, t, d, n, values):
    """Write what `load_belief` reads."""
    mean, cov = belief
    dim = mean.shape[2] // 2
    store2(mean, row(mean, b, t) + d, dim, n, values[0])
    store3(cov, row(cov, b, t) + d, dim, n, values[1])


@inline
def load_evidence(evidence, b, t, d, n):
    """Dimensions d to d + n of precision and information (b, t)."""
    precision, information = evidence
    return load(precision, row(precision, b, t) + d, n), load(information, row(information, b, t) + d, n)


@inline
def store_evidence(evidence, b, t, d, n, values):
    """Write what `load_evidence` reads."""
    precision, information = evidence
    store(precision, row(precision, b, t) + d, n, values[0])
    store(information, row(information, b, t) + d, n, values[1])


@inline
def plus(a, b):
    """The sum of two beliefs, or of their gradients."""
    (m, c), (more, noise) = a, b
    return (m[0] + more[0], m[1] + more[1]), (c[0] + noise[0], c[1] + noise[1], c[2] + noise[2])


@inline
def nothing(array):
    """A belief of zeros, in the precision of the array."""
    zero = constant(array, 0.0)
    return (zero, zero), (zero, zero, zero)


@inline
def condition(array, prior, evidence):
    """The posterior of `mts3.gaussian.condition`, and the g and d of (3); in the precision of the array."""
    (mean, cov), (precision, information) = prior, evidence
    one = constant(array, 1.0)
    gain = one / (one + cov[0] * precision)
    innovation = (information - precision * mean[0]) * gain
    shrunk_side = cov[1] * gain
    posterior_mean = (mean[0] + cov[0] * innovation, mean[1] + cov[1] * innovation)
    posterior_cov = (cov[0] * gain, shrunk_side, cov[2] - cov[1] * shrunk_side * precision)
    return (posterior_mean, posterior_cov), gain, innovation


@inline
def condition_backward(array, prior, precision, gain, innovation, d_posterior):
    """The gradients of prior and evidence.

    Args:
        array: Any, of the precision in use.
        prior, precision: What went into `condition`.
        gain, innovation: What came out of it.
        d_posterior: The gradient of the posterior.
    """
    (mean, cov), (d_mean, d_cov) = prior, d_posterior
    posterior_var, shrunk_side = cov[0] * gain, cov[1] * gain
    # lower_var -= side shrunk_side precision: what the gradient of each factor gets from it.
    lost = d_cov[2] * shrunk_side
    d_shrunk_side = d_cov[1] - d_cov[2] * cov[1] * precision
    d_innovation = d_mean[0] * cov[0] + d_mean[1] * cov[1]
    d_information = d_innovation * gain
    # g times its gradient: what holds g times that is at hand, without a division.
    d_gain = d_cov[0] * posterior_var + d_shrunk_side * shrunk_side + d_innovation * innovation
    d_prior_mean = (d_mean[0] - d_information * precision, d_mean[1])
    d_prior_cov = (
        d_mean[0] * innovation + (d_cov[0] - d_gain * precision) * gain,
        d_mean[1] * innovation + d_shrunk_side * gain - lost * precision,
        d_cov[2],
    )
    d_precision = constant(array, 0.0) - (d_information * mean[0] + lost * cov[1] + d_gain * posterior_var)
    return (d_prior_mean, d_prior_cov), (d_precision, d_information)
