"""Filtering over time as a `prepare`/`combine` pair: the same two functions serve online use and whole sequences."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from mts3.gaussian.belief import Belief, Evidence
from mts3.gaussian.condition import condition
from mts3.gaussian.marginalize import LinearMap


@dataclass(frozen=True)
class FilterStep:
    """Everything that one step does to the belief about the state, prepared without knowing that belief.

    z_{t+1} = M z_t + offset + noise, after w_t is observed.

    Attributes:
        transition: M.
        offset: What other parents and the actions add: (*batch, D) mean and covariance, process noise included.
        evidence: (*batch, D), zero where nothing was observed.
    """

    transition: LinearMap
    offset: Belief
    evidence: Evidence


def prepare(transition: LinearMap, offset: Belief, evidence: Evidence) -> list[FilterStep]:
    """The steps of a sequence. What does not depend on the state has been computed for all steps at once.

    Args:
        transition: M, one for all steps.
        offset: (B, T) beliefs, see `FilterStep`.
        evidence: (B, T, D).
    """
    # unbind, not indexing: the gradient of T selections would be T tensors of full length.
    return [FilterStep(transition, *parts) for parts in zip(offset.unbind(1), evidence.unbind(1), strict=True)]


def combine(prior: Belief, step: FilterStep) -> tuple[Belief, Belief]:
    """One step: prior p(z_t | w_<t) to the posterior p(z_t | w_<=t) and the next prior p(z_{t+1} | w_<=t)."""
    posterior = condition(prior, step.evidence)
    return posterior, step.transition.apply(posterior) + step.offset


def scan(prior: Belief, steps: Sequence[FilterStep], detach_at: Container[int] = ()) -> list[Belief]:
    """Fold `combine` over a sequence.

    Args:
        prior: p(z_0).
        steps: From `prepare`.
        detach_at: Indices of steps before which the gradient is cut.
    Returns: the predicted beliefs p(z_{t+1} | w_<=t), one a step.
    """
    predicted = []
    for t, step in enumerate(steps):
        _, prior = combine(prior.detach() if t in detach_at else prior, step)
        predicted.append(prior)
    return predicted
