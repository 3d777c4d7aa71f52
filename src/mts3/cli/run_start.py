"""What stands around a training: nobody else writes there, and whoever ends it leaves nothing half begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from mts3.cli.report import TERMINATED, Terminated
from mts3.cli.run_files import Found, claim, look, remove_run, write_config
from mts3.cli.run_lock import locked
from mts3.errors import UserError
from mts3.files import remove_stale
from mts3.run_layout import CONFIG, LAST, METRICS, PLOTS
from mts3.train import is_main_process


@contextmanager
def claimed(run_dir: Path, config: dict[str, Any]) -> Iterator[bool]:
    """Keep the folder of a run for this process, and tell one that is asked to end what becomes of the run.

    Further processes of the same run find what the first has begun, and are covered by its lock.

    Yields: whether there is a checkpoint to continue from; otherwise the run starts, or starts again.
    Raises:
        UserError: if another process is at work there, or the configuration may not go there (see `claim`).
    """
    main = is_main_process()
    with locked(run_dir) if main else nullcontext():
        try:
            yield claim(run_dir, config) if main else config["resume"] and (run_dir / LAST).is_file()
        except (Terminated, SystemExit) as stop:
            if isinstance(stop, SystemExit) and stop.code != TERMINATED:  # Lightning ends a training between two steps
                raise
            if not main:
                raise SystemExit(TERMINATED) from None
            raise Terminated(f"terminated; {_how_to_go_on(run_dir)}") from None


@contextmanager
def begun(run_dir: Path, config: dict[str, Any]) -> Iterator[None]:
    """Make the folder what the start of a training, or of a continuation, finds; empty again if nothing comes of it."""
    if not is_main_process():
        yield
        return
    try:
        if not config["resume"]:
            remove_run(run_dir)
        for folder in (run_dir, run_dir / PLOTS):
            remove_stale(folder)
        # Whoever finds scores takes the run for finished, with these weights.
        (run_dir / METRICS).unlink(missing_ok=True)
        write_config(run_dir, config)
        yield
    except (UserError, OSError):
        if look(run_dir) is Found.NOTHING:
            remove_run(run_dir)
        raise


def _how_to_go_on(run_dir: Path) -> str:
    checkpoint = run_dir / LAST
    if checkpoint.is_file():
        return f"{checkpoint} is whole, resume=true goes on from it"
    if (run_dir / CONFIG).is_file():
        return f"{run_dir} holds no checkpoint yet, resume=true starts the run again"
    return "nothing was begun"
