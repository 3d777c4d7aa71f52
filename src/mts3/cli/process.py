"""What a command sets for its whole process."""

from __future__ import annotations

import torch

from mts3.errors import UserError

AUTO = "auto"
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
