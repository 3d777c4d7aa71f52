"""Several runs from one command: `-m` with comma-separated values, by Hydra's launchers and sweepers."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig

from mts3.cli.config import CONFIGS, GROUPS, composed, plain
from mts3.cli.overrides import parse
from mts3.cli.report import OURS, STOPPED, reporting

LARGEST_CHECKED = 1000  # runs; a larger sweep is checked run by run as it goes


def run_sweep(command: str, overrides: list[str], job: Callable[[dict[str, Any], Path], float]) -> int:
    """Run `job(config, run_dir)` for every combination of the comma-separated values, or those a sweeper asks for.

    Every combination is composed before the first one runs, so that a slip in the last value costs nothing. A run that
    fails says so and the others go on.

    Returns: the exit code of the worst run.
    Raises:
        UserError: for a mistake in any combination.
    """
    for combination in itertools.islice(combinations(overrides), LARGEST_CHECKED):
        composed(combination)
    codes: list[int] = []
    here = os.getpid()

    def task(config: DictConfig) -> float:
        hydra_config = HydraConfig.get()
        run_dir = Path(hydra_config.runtime.output_dir)
        code, result = run_one(command, list(hydra_config.overrides.task), run_dir, lambda: job(plain(config), run_dir))
        codes.append(code)
        if code in STOPPED:  # no further run: whoever stopped one meant the command
            raise SystemExit(code)
        if code and os.getpid() != here:  # a launcher runs us elsewhere: an exception is what comes back
            raise RuntimeError(f"the run {run_dir.name} ended with exit code {code}")
        return math.inf if result is None else result  # what a searching sweeper makes small

    arguments = sys.argv
    try:
        sys.argv = [arguments[0], *overrides, *_folder_per_run(overrides), "--multirun"]
        hydra.main(version_base="1.3", config_path=f"pkg://{CONFIGS}", config_name="train")(task)()
    except SystemExit as stop:  # stopped, or Hydra's own complaint: already printed
        codes.append(stop.code if isinstance(stop.code, int) else OURS)
    finally:
        sys.argv = arguments
    return max(codes, default=0)


def run_one(command: str, overrides: list[str], run_dir: Path, job: Callable[[], float]) -> tuple[int, float | None]:
    """One of several runs: announced, and if it fails, said in one line.

    Args:
        overrides: With which `mts3 train` would do the same.
        run_dir: Its folder, left out if the run wrote nothing there.
        job: Trains, and returns the score.
    Returns: the exit code, and the score of a run that did not fail.
    """
    print(f"== {run_dir.name}", file=sys.stderr)
    scores: list[float] = []
    arguments = sys.argv
    try:
        # Training on several devices starts this command again for each: as the one run it is.
        sys.argv = [arguments[0], "train", *overrides, f'hydra.run.dir="{run_dir}"']
        code = reporting(command, lambda: scores.append(job()))
    finally:
        sys.argv = arguments
    if run_dir.is_dir() and not any(run_dir.iterdir()):
        run_dir.rmdir()  # made before the run could fail
    return code, scores[0] if scores else None


def combinations(overrides: list[str]):
    """The overrides of every run of a sweep. Ranges that only a search can walk keep their first form."""
    axes = []
    for text in overrides:
        override = parse(text)
        try:
            values = list(override.sweep_string_iterator()) if override.is_sweep_override() else None
        except (HydraException, ValueError):
            values = []
        key = text.partition("=")[0]
        axes.append([text] if values is None else [f"{key}={value}" for value in values])
    return map(list, itertools.product(*(axis for axis in axes if axis)))


def _folder_per_run(overrides: list[str]) -> list[str]:
    """Names that differ wherever the runs do: `pam-mts3-seed0-transition=modal`."""
    keys = [parsed.key_or_group for parsed in map(parse, overrides) if parsed.is_sweep_override()]
    varying = [key for key in keys if key not in (*GROUPS, "name", "seed", "data.path")]
    if not varying or any(text.startswith("hydra.sweep.subdir=") for text in overrides):
        return []
    suffix = "".join(f"-{key.split('.')[-1]}=${{{key}}}" for key in varying)
    return [f'hydra.sweep.subdir="${{name}}{suffix}"']
