"""Smoothing: the belief about each state given the whole sequence. Rauch-Tung-Striebel, backwards after a filter.

Only modal filters can be smoothed: a smoother needs the covariance between neighbouring states, and a dense belief
has dropped parts of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.gaussian.banded import BandedMap
from mts3.gaussian.belief import Belief, stack
from mts3.gaussian.marginalize import LinearMap, ModalMap
from mts3.types import Float, Tensor


@dataclass(frozen=True)
class SmoothStep:
    """What is needed to compute the smoothed belief about z_t from the one about z_{t+1}.

    Attributes:
        gain: G, see `gains`.
        posterior: p(z_t | w_<=t), (*batch, D) blocks.
        prediction: p(z_{t+1} | w_<=t), (*batch, D) blocks.
    """

    gain: BandedMap
    posterior: Belief
    prediction: Belief


def gains(posteriors: Belief, predictions: Belief, transition: LinearMap) -> Float[Tensor, "*batch 2 2 D"]:
    """G = P_t M' (P_{t+1})^-1 with P_t of the posterior and P_{t+1} of the prediction: z_t regressed on z_{t+1}.

    Raises:
        ValueError: if the transition is not modal.
    """
    if not isinstance(transition, ModalMap):
        raise ValueError(
            f"only modal filters can be smoothed, got {type(transition).__name__}: its beliefs have dropped the "
            "covariances that smoothing goes through"
        )
    upper_var, side, lower_var = posteriors.cov.unflatten(-1, (3, 1, -1)).unbind(-3)
    cov = torch.stack((torch.cat((upper_var, side), -2), torch.cat((side, lower_var), -2)), -3)
    first, second = (cov.unsqueeze(-3) * transition.mean_blocks).sum(-2).unbind(-2)  # columns of P_t M'
    upper_var, side, lower_var = predictions.cov.unflatten(-1, (3, 1, -1)).unbind(-3)
    columns = torch.stack((first * lower_var - second * side, second * upper_var - first * side), -2)
    return columns / (upper_var * lower_var - side * side).unsqueeze(-2)


def prepare(posteriors: Belief, predictions: Belief, transition: LinearMap) -> list[SmoothStep]:
    """The steps of a sequence, (B, T) beliefs each: see `smooth`.

    Raises:
        ValueError: if the transition is not modal.
    """
    bands = gains(posteriors, predictions, transition).unsqueeze(-2)
    parts = zip(bands.unbind(1), posteriors.unbind(1), predictions.unbind(1), strict=True)
    return [SmoothStep(BandedMap(gain), posterior, prediction) for gain, posterior, prediction in parts]


def combine(smoothed: Belief, step: SmoothStep) -> Belief:
    """One step back: the smoothed belief about z_{t+1} to the one about z_t.

    What the rest of the sequence changed about z_{t+1} reaches z_t through G, in the mean and in the covariance.
    """
    change = Belief(smoothed.mean - step.prediction.mean, smoothed.cov - step.prediction.cov)
    return step.posterior + step.gain.apply(change)


def smooth(posteriors: Belief, predictions: Belief, transition: LinearMap) -> Belief:
    """The beliefs p(z_t | w_<T) about each state of a sequence, given all of its observations.

    What other parents add to the states is treated as independent from step to step, as in the filter.

    Args:
        posteriors: p(z_t | w_<=t), (B, T) beliefs: `condition` of the priors, which are the prediction before.
        predictions: p(z_{t+1} | w_<=t), (B, T) beliefs, what `filtering.scan` returns.
        transition: M, of the filter.
    Returns: (B, T) beliefs; the last is the last posterior.
    Raises:
        ValueError: if the transition is not modal.
    Numerics: in float32 variances are right to 1e-5 where process noise is a thousandth of the observations' noise, to
        2e-4 where it is 1e-5 of it.
    Reference: Särkkä, Bayesian Filtering and Smoothing (2013), section 8.2.
    """
    steps = prepare(posteriors, predictions, transition)
    smoothed, beliefs = steps[-1].prediction, []
    for step in reversed(steps):
        smoothed = combine(smoothed, step)
        beliefs.append(smoothed)
    return stack(beliefs[::-1], 1)
