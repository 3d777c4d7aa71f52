"""Where the curves go, by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from mts3.errors import UserError
from mts3.registry import Registry
from mts3.run_layout import LOGS

LOGGERS: Registry[Callable[..., list[Logger]]] = Registry("logger")
"""(run folder, version, options of Lightning's logger) -> what writes beside the CSV file."""
_EXTRA = {"wandb", "mlflow"}  # packages of the same name


@LOGGERS.register("csv")
def _csv(run_dir: Path, version: int) -> list[Logger]:
    return []


@LOGGERS.register("tensorboard")
def _tensorboard(run_dir: Path, version: int) -> list[Logger]:
    return [TensorBoardLogger(run_dir, name=LOGS, version=version)]


@LOGGERS.register("wandb")
def _wandb(run_dir: Path, version: int, **options: Any) -> list[Logger]:
    return [WandbLogger(save_dir=run_dir, name=run_dir.name, **options)]


@LOGGERS.register("mlflow")
def _mlflow(run_dir: Path, version: int, **options: Any) -> list[Logger]:
    return [MLFlowLogger(run_name=run_dir.name, **options)]


def build_loggers(name: str, run_dir: Path, **options: Any) -> list[Logger]:
    """The chosen logger, and always `logs/version_N/metrics.csv` in the run folder (a new N for each resumed part).

    Args:
        name: "tensorboard", "csv", "wandb" or "mlflow".
        run_dir: The run folder.
        options: Arguments of Lightning's logger of that name.
    Raises:
        UserError: if the name is unknown, its package is not installed or it refuses an option.
    """
    build = LOGGERS[name]
    if name in _EXTRA and importlib.util.find_spec(name) is None:
        raise UserError(f'logger={name} needs the package {name}: pip install "mts3[track]"')
    csv = CSVLogger(run_dir, name=LOGS)
    try:
        return [csv, *build(run_dir, csv.version, **options)]
    except Exception as error:  # each tracker has its own kinds for a wrong option or an address it cannot use
        reason = " ".join(str(error).split())
        raise UserError(
            f"logger={name}: {reason} (logger.OPTION=VALUE goes to Lightning's logger of that name)"
        ) from error
