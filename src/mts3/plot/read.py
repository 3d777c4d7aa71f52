"""The files of an evaluation, read back and checked: each may be cut, edited, or of something else."""

from __future__ import annotations

import csv
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mts3.errors import UserError
from mts3.run_layout import HORIZON, METRICS, PREDICTIONS

METHODS = ("model", "persistence", "linear")
# What the figures and tables cannot do without, and the other scores, which may be missing.
_SCORES = ("nrmse", "persistence_nrmse", "linear_nrmse", "coverage_50", "coverage_90")
_MORE_SCORES = ("rmse", "nll", "crps", "coverage_95", "persistence_rmse", "linear_rmse")
_COUNTS = ("metric_window", "horizon", "context", "parameters", "gradient_steps", "train_seconds", "seed", "values")
_NAMES = ("model", "data", "split", "device", "version")
_TASKS = ("one_step", "imputation")
_CURVES = (*(f"{name}_nrmse{kind}" for name in METHODS for kind in ("", "_sliding")), "coverage_50", "coverage_90")
_UNREADABLE = (
    *(ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, MemoryError, OverflowError, RecursionError),
    *(NotImplementedError, csv.Error, zipfile.BadZipFile, zlib.error, struct.error, SyntaxError),
)


def read_metrics(run_dir: str | Path) -> dict[str, Any]:
    """metrics.json as a dictionary.

    Raises:
        UserError: if it is missing, cannot be read, or a score is missing or no number.
    """
    path = _existing(Path(run_dir) / METRICS)
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        _check_metrics(metrics)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return metrics


def read_horizon(run_dir: str | Path) -> dict[str, np.ndarray]:
    """horizon.csv as columns by name, (horizon,) each; NaN where a cell is empty.

    Raises:
        UserError: if it is missing, cannot be read, or has other columns or another number of rows than metrics.json
            says.
    """
    path = _existing(Path(run_dir) / HORIZON)
    try:
        text = path.read_bytes().decode("utf-8")
        header, *rows = list(csv.reader(text.splitlines()))
        table = np.array([[float(cell or "nan") for cell in row] for row in rows], dtype=np.float64)
        columns = dict(zip(header, table.reshape(len(rows), len(header)).T, strict=True))
        _check_horizon(columns, whole=text.endswith("\n"))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    expected = read_metrics(run_dir).get("horizon")
    if expected not in (None, len(rows)):
        raise _unreadable(path, f"it has {len(rows)} rows, the horizon in metrics.json is {expected}")
    return columns


def read_predictions(run_dir: str | Path) -> dict[str, np.ndarray]:
    """predictions.npz as arrays by name.

    Raises:
        UserError: if it is missing, cannot be read, or an array is missing or of another shape or type.
    """
    path = _existing(Path(run_dir) / PREDICTIONS)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        _check_predictions(arrays)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return arrays


def _check_metrics(metrics: Any) -> None:
    if not isinstance(metrics, dict):
        raise ValueError("it holds no object")
    _check_numbers(metrics, _SCORES, "", needed=True)
    _check_numbers(metrics, ("metric_window",), "", needed=True)
    _check_numbers(metrics, (*_MORE_SCORES, *_COUNTS), "", needed=False)
    for key in _NAMES:
        if not isinstance(metrics.get(key, None if key == "model" else ""), str):
            raise ValueError(f"{key} is no text")
    for task in _TASKS:
        nested = metrics.get(task)
        if nested is not None:
            if not isinstance(nested, dict):
                raise ValueError(f"{task} holds no object")
            _check_numbers(nested, (*_SCORES, *_MORE_SCORES), f"{task}.", needed=False)
    curve = metrics.get("reliability")
    if not isinstance(curve, dict) or len({len(curve.get(key, ())) for key in ("level", "coverage")}) != 1:
        raise ValueError("reliability holds no two lists of one length")
    for key in ("level", "coverage"):
        if not isinstance(curve[key], list) or not curve[key] or not all(_is_number(value) for value in curve[key]):
            raise ValueError(f"reliability.{key} is no list of numbers")


def _check_numbers(found: Mapping[str, Any], keys: tuple[str, ...], where: str, needed: bool) -> None:
    for key in keys:
        value = found.get(key)
        if not _is_number(value) and (needed or value is not None):
            raise ValueError(f"{where}{key} is no number")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _check_horizon(columns: Mapping[str, np.ndarray], whole: bool) -> None:
    for name in ("step", "seconds", *_CURVES):
        if name not in columns:
            raise ValueError(f"it has no column {name}")
    steps = columns["step"]
    if not whole or not len(steps) or not np.array_equal(steps, np.arange(1, len(steps) + 1)):
        raise ValueError("it is cut, or its steps do not count from 1")
    # Written with six digits: those of a long horizon may be equal.
    if not (columns["seconds"] > 0).all() or not (np.diff(columns["seconds"]) >= 0).all():
        raise ValueError("its seconds do not rise")
    if any(np.isinf(column).any() for column in columns.values()):
        raise ValueError("it holds infinite values")
    for name in METHODS[:2]:  # the picture is as high as these
        if np.isnan(columns[f"{name}_nrmse"]).all():
            raise ValueError(f"{name}_nrmse is empty")


def _check_predictions(arrays: Mapping[str, np.ndarray]) -> None:
    """Shapes as in `mts3.evaluate.Examples`."""
    n, length, channels = arrays["obs"].shape
    beliefs = (n, length - 1, channels)
    shapes = {"obs_mask": (n, length, channels)} | dict.fromkeys(("mean", "var", "persistence", "linear"), beliefs)
    shapes |= {"trajectory": (n,), "first_row": (n,), "obs_names": (channels,), "obs_units": (channels,)}
    shapes |= {"sample_time": (), "context_len": ()}
    texts = ("trajectory", "obs_names", "obs_units")
    kinds = {"obs": "f", "obs_mask": "b", "first_row": "iu", "context_len": "iu", "sample_time": "iuf"} | dict.fromkeys(
        texts, "U"
    )
    for name, shape in {"obs": (n, length, channels), **shapes}.items():
        if arrays[name].shape != shape or arrays[name].dtype.kind not in kinds.get(name, "f") or 0 in shape:
            raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}, expected shape {shape}")
    # After the end of a trajectory that is shorter than the others every row is NaN.
    there = np.logical_not(np.isnan(arrays["mean"]).all(axis=2))
    if not there[:, 0].all() or (np.diff(there.astype(int), axis=1) > 0).any():
        raise ValueError("mean holds values that are NaN before the end")
    for name in ("mean", "var", "persistence", "linear"):
        if not np.isfinite(arrays[name][there]).all():
            raise ValueError(f"{name} holds values that are NaN or infinite")
    if (arrays["var"][there] < 0).any() or np.isinf(arrays["obs"]).any():
        raise ValueError("it holds variances below 0, or infinite observations")
    if not 1 <= arrays["context_len"] < length or not 0 < arrays["sample_time"] < np.inf:
        raise ValueError("context_len or sample_time lies out of range")
    if "image_shape" in arrays:
        shape = arrays["image_shape"]
        if shape.shape != (3,) or shape.dtype.kind not in "iu" or (shape < 1).any() or shape.prod() != channels:
            raise ValueError("image_shape is not that of the observations")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path} does not exist: run mts3 evaluate run={path.parent} first")
    return path


def _unreadable(path: Path, reason: object) -> UserError:
    again = f"run mts3 evaluate run={path.parent} again"
    if path.name == METRICS:  # which keeps what the training cost
        again = f"remove it and {again}"
    reason = f"{reason} is missing" if isinstance(reason, KeyError) else reason
    return UserError(f"cannot read {path}: it is not what mts3 writes ({reason}); {again}")
