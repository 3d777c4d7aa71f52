"""Which backend filters: set for a command, and said when it trains."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from mts3.cli.process import AUTO
from mts3.gaussian import Belief, Evidence
from mts3.kernels import BACKENDS, Problem, choose, use_backend, wanted_backend
from mts3.models import DeltaTarget, WorldModel
from mts3.models.latent import LatentModel


def backend_in_force(name: str) -> AbstractContextManager[None]:
    """Filter with this backend; "auto" leaves what holds anyway, which MTS3_BACKEND may have set.

    Raises:
        UserError: on entering, for an unknown name.
    """
    return nullcontext() if name == AUTO else use_backend(name)


def filter_line(model: WorldModel) -> str | None:
    """Which backend filters, and how to get a faster one; None for a model that does not filter.

    Raises:
        BackendRefused: if the backend asked for by name cannot do it.
        UserError: if MTS3_BACKEND names none.
    """
    inner = model.model if isinstance(model, DeltaTarget) else model
    if not isinstance(inner, LatentModel):
        return None
    problem = _one_step(inner)
    line = f"filter: {choose(problem).name}"
    # A refusal says how it can be put right, if it can: by what is not installed.
    if wanted_backend() == AUTO and "mts3[fast]" in (BACKENDS["fused"].refusal(problem) or ""):
        return f'{line}; pip install "mts3[fast]" makes training faster'
    return line


@torch.no_grad()
def _one_step(model: LatentModel) -> Problem:
    """What the fast level asks a backend for, as short as it gets: a choice looks at types, dtypes and devices."""
    prior: Belief = model.initial_state(1).prior
    nothing, offset = prior.upper_mean[:, None], prior.map(lambda fields: fields[:, None])
    return Problem(prior, model.fast.marginalization.transitions[0](), offset, Evidence(nothing, nothing), ())
