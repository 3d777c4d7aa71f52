"""Conditioning: the belief after evidence about its upper half."""

from __future__ import annotations

import torch

from mts3.gaussian.belief import Belief, Evidence
from mts3.types import Float, Tensor


def condition(prior: Belief, evidence: Evidence) -> Belief:
    """The posterior p(z | w_1, ..., w_N) of a belief given evidence about u.

    With g = 1 / (1 + var_u Lam) and d = (eta - Lam mu_u) g, equation (3):

        mu_u  += var_u d            var_u *= g
        mu_l  += s d                s     *= g
        var_l -= s^2 Lam g

    One observation, a set, a masked set and nothing at all (Lam = eta = 0: the prior, bit for bit) are this
    same formula; a set equals its members one by one.

    Args:
        prior: (*batch, D) blocks.
        evidence: (*batch, D).
    Returns: the posterior, same shapes.
    Numerics: no division by a variance; float32 safe for variances in [1e-8, 1e8].
    Reference: Becker et al. 2019 (arXiv 1905.07357), section 3; Shaj et al. 2023 (2310.18534), section 3.
    """
    upper_mean, lower_mean = prior.mean.chunk(2, -1)
    upper_var, side, lower_var = prior.cov.chunk(3, -1)
    gain = (1.0 + upper_var * evidence.precision).reciprocal()
    innovation = (evidence.information - evidence.precision * upper_mean) * gain
    shrunk_side = side * gain
    return Belief.from_halves(
        torch.addcmul(upper_mean, upper_var, innovation),
        torch.addcmul(lower_mean, side, innovation),
        upper_var * gain,
        shrunk_side,
        torch.addcmul(lower_var, side * shrunk_side, evidence.precision, value=-1.0),
    )


def aggregate(evidence: Evidence) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, "*batch D"]]:
    """Bayesian aggregation: the posterior (mean, var) of independent N(0, 1) latents given evidence about each.

    Precisions add: var = 1 / (1 + Lam), mean = var eta. With no evidence it is N(0, 1).

    Reference: Volpp et al. 2021 (Bayesian Context Aggregation for Neural Processes), section 4.
    """
    var = (1.0 + evidence.precision).reciprocal()
    return var * evidence.information, var
