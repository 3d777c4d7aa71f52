"""What a command sets for its whole process: threads, the device, and the backend that filters."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from mts3.cli.config_checks import AUTO
from mts3.errors import UserError
from mts3.kernels import BACKENDS, choose, use_backend, wanted_backend
from mts3.models import WorldModel

MOST = 4096  # threads; the system gives no process many more


def set_threads(threads: int | str | None) -> None:
    """Use this many CPU threads; None leaves torch's choice, "auto" is one until training has measured.

    Raises:
        UserError: if it is no number of threads.
    """
    if threads is None:
        return
    if isinstance(threads, bool) or (threads != AUTO and not (isinstance(threads, int) and threads >= 1)):
        raise UserError(f"threads must be auto, a whole number >= 1 or null, got {threads}")
    if isinstance(threads, int) and threads > MOST:
        raise UserError(f"threads must be at most {MOST}, got {threads}")
    torch.set_num_threads(1 if isinstance(threads, str) else threads)


def device_for(accelerator: str) -> torch.device:
    """Where an evaluation runs: the first GPU unless `trainer.accelerator` says otherwise or there is none."""
    wanted = accelerator in ("auto", "gpu", "cuda")
    return torch.device("cuda" if wanted and torch.cuda.is_available() else "cpu")


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
