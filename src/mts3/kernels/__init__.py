"""Filtering over time, as fast as the hardware allows: one function, several backends, the same result.

`reference` is the definition; every other backend is tested against it, values and gradients.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TypeVar

import torch

from mts3.gaussian import Belief, Evidence, LinearMap
from mts3.gaussian.filtering import FilterStep, combine
from mts3.kernels.backend import Backend, BackendRefused, Problem
from mts3.kernels.choice import BACKENDS, choose, use_backend, wanted_backend
from mts3.kernels.tracing import traced


def filter_sequence(
    prior: Belief,
    transition: LinearMap,
    offset: Belief,
    evidence: Evidence | None,
    detach_at: Container[int] = (),
) -> Belief:
    """Filter a sequence with the backend in force, see `use_backend`.

    Args:
        prior: p(z_0), (B) beliefs.
        transition: M, one for all steps.
        offset: What other parents and the actions add at each step, (B, T) beliefs, process noise included.
        evidence: (B, T, D), zero where nothing was observed; None if nothing is at any step.
        detach_at: Steps before which the gradient of the belief is cut.
    Returns: the predicted beliefs p(z_{t+1} | w_<=t), (B, T) beliefs.
    Raises:
        BackendRefused: if the backend asked for by name cannot do this.
    """
    offset = _as_exact_as(prior, offset)
    evidence = None if evidence is None else _as_exact_as(prior, evidence)
    with torch.autocast(prior.mean.device.type, enabled=False):
        problem = Problem(prior, transition, offset, evidence, detach_at)
        return choose(problem).run(problem)


def filter_step(prior: Belief, transition: LinearMap, offset: Belief, evidence: Evidence) -> Belief:
    """One step of `filter_sequence`, by its definition: for a single step no backend is faster.

    Args:
        prior: p(z_t | w_<t), (B) beliefs.
        transition, offset, evidence: As in `filter_sequence`, without the time axis.
    Returns: p(z_{t+1} | w_<=t), (B) beliefs.
    """
    offset, evidence = _as_exact_as(prior, offset), _as_exact_as(prior, evidence)
    with torch.autocast(prior.mean.device.type, enabled=False):
        return combine(prior, FilterStep(transition, offset, evidence))[1]


Part = TypeVar("Part", Belief, Evidence)


def _as_exact_as(prior: Belief, part: Part) -> Part:
    """In the dtype of the belief: bfloat16 has 8 bits, too few for evidence of 1e4 beside covariances of 1e-4."""
    return part.map(lambda fields: fields.to(prior.mean.dtype))


__all__ = [
    "BACKENDS",
    "Backend",
    "BackendRefused",
    "Problem",
    "choose",
    "filter_sequence",
    "filter_step",
    "traced",
    "use_backend",
    "wanted_backend",
]
