"""Which backend filters: set for a command, and said when it trains."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from mts3.cli.process import AUTO
from mts3.kernels import BACKENDS, choose, use_backend, wanted_backend
from mts3.models import WorldModel


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
    with torch.no_grad():
        problem = model.filter_problem()
    if problem is None:
        return None
    line = f"filter: {choose(problem).name}"
    # A refusal says how it can be put right, if it can: by what is not installed.
    if wanted_backend() == AUTO and "mts3[fast]" in (BACKENDS["fused"].refusal(problem) or ""):
        return f'{line}; pip install "mts3[fast]" makes training faster'
    return line
