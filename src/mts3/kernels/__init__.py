"""Filtering over time, as fast as the hardware allows: one function, several backends, the same result.

`reference` is the definition; every other backend is tested against it, values and gradients.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from mts3.gaussian import Belief, concat, condition, smoothing
from mts3.kernels import associative
from mts3.kernels.backend import Backend, BackendRefused, Problem
from mts3.kernels.choice import BACKENDS, choose, use_backend, wanted_backend
from mts3.kernels.reference import REFERENCE
from mts3.kernels.tracing import traced


def filter_sequence(problem: Problem) -> Belief:
    """Filter a sequence with the backend in force, see `use_backend`; a single step by its definition.

    Returns: the predicted beliefs p(z_{t+1} | w_<=t), (B, T) beliefs.
    Raises:
        BackendRefused: if the backend asked for by name cannot do this.
    """
    # For a single step no backend is faster, and choosing one takes time.
    backend = REFERENCE if problem.steps == 1 else choose(problem)
    with exactly(problem.prior.mean.device.type):
        return backend.run(problem)


def smooth_sequence(problem: Problem) -> Belief:
    """What the whole sequence says about each of its states: p(z_t | w_<T), (B, T) beliefs.

    Side by side in time, or one step after the other where the reference backend is asked for.

    Raises:
        ValueError: if the transition is not modal: the beliefs of others have dropped what smoothing goes through.
    """
    predictions = filter_sequence(problem)
    with exactly(problem.prior.mean.device.type):
        posteriors = concat((problem.prior.unsqueeze(1), predictions.map(lambda fields: fields[:, :-1])), 1)
        if problem.evidence is not None:
            posteriors = condition(posteriors, problem.evidence)
        smooth = smoothing.smooth if wanted_backend() == REFERENCE.name else associative.smooth
        return smooth(posteriors, predictions, problem.transition)


def exactly(device: str) -> AbstractContextManager[object]:
    """No autocast within the block: beliefs are computed in their own precision."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


__all__ = [
    "BACKENDS",
    "Backend",
    "BackendRefused",
    "Problem",
    "choose",
    "exactly",
    "filter_sequence",
    "smooth_sequence",
    "traced",
    "use_backend",
    "wanted_backend",
]
