"""The files of an evaluation, read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from mts3.errors import UserError


def read_metrics(run_dir: str | Path) -> dict[str, Any]:
    """metrics.json as a dictionary."""
    path = _existing(Path(run_dir) / "metrics.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unreadable(path) from error


def read_horizon(run_dir: str | Path) -> dict[str, np.ndarray]:
    """horizon.csv as columns by name, (horizon,) each; NaN where a cell is empty."""
    path = _existing(Path(run_dir) / "horizon.csv")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file))
        table = np.array([[float(cell or "nan") for cell in row] for row in rows])
        return dict(zip(header, table.reshape(-1, len(header)).T, strict=True))
    except ValueError as error:
        raise _unreadable(path) from error


def read_predictions(run_dir: str | Path) -> dict[str, np.ndarray]:
    """predictions.npz as arrays by name."""
    path = _existing(Path(run_dir) / "predictions.npz")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, EOFError) as error:
        raise _unreadable(path) from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path} does not exist: run mts3 evaluate run={path.parent} first")
    return path


def _unreadable(path: Path) -> UserError:
    return UserError(f"cannot read {path}: it is not what mts3 writes; run mts3 evaluate run={path.parent} again")
