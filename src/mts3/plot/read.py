"""The files of an evaluation, read back and checked: each may be cut, edited, or of something else."""

from __future__ import annotations

import csv
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mts3.errors import UserError
from mts3.expected import NUMBER, NUMBERS, TEXT, Optional, check
from mts3.run_layout import HORIZON, METRICS, PREDICTIONS

METHODS = ("model", "persistence", "linear")
_SCORES = ("nrmse", "persistence_nrmse", "linear_nrmse", "coverage_50", "coverage_90")
_MORE = dict.fromkeys(("rmse", "nll", "crps", "coverage_95", "persistence_rmse", "linear_rmse"), Optional(NUMBER))
# What the figures and tables cannot do without, and the rest, which may be missing.
_METRICS = {
    **dict.fromkeys((*_SCORES, "metric_window"), NUMBER),
    "model": TEXT,
    "reliability": {"level": NUMBERS, "coverage": NUMBERS},
    **_MORE,
    **dict.fromkeys(("horizon", "context", "parameters", "gradient_steps", "train_seconds"), Optional(NUMBER)),
    **dict.fromkeys(("seed", "values"), Optional(NUMBER)),
    **dict.fromkeys(("data", "split", "device", "version"), Optional(TEXT)),
    **dict.fromkeys(("one_step", "imputation"), Optional({**dict.fromkeys(_SCORES, Optional(NUMBER)), **_MORE})),
}
_COLUMNS = (
    *("step", "seconds", *(f"{name}_nrmse{kind}" for name in METHODS for kind in ("", "_sliding"))),
    *("coverage_50", "coverage_90"),
)
# predictions.npz: shapes, and kinds of NumPy's, of `mts3.evaluate.Examples`: n sequences of T steps, O channels.
_BOUNDS = tuple(f"{side}_{level}" for level in (50, 90) for side in ("lower", "upper"))
_BELIEFS = ("mean", "var", *_BOUNDS, "persistence", "linear")
_ARRAYS = {
    **{"obs": (("n", "T+1", "O"), "f"), "obs_mask": (("n", "T+1", "O"), "b")},
    **dict.fromkeys(_BELIEFS, (("n", "T", "O"), "f")),
    **{
        "trajectory": (("n",), "U"),
        "first_row": (("n",), "iu"),
        "obs_names": (("O",), "U"),
        "obs_units": (("O",), "U"),
    },
    **{"sample_time": ((), "iuf"), "context_len": ((), "iu")},
}
# Half widths of the central 50 % and 90 % intervals of a Gaussian, in standard deviations.
_HALF_WIDTHS = {50: 0.6744898, 90: 1.6448536}
_UNREADABLE = (
    *(ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, MemoryError, OverflowError, RecursionError),
    *(NotImplementedError, csv.Error, zipfile.BadZipFile, zlib.error, struct.error, SyntaxError),
)


def read_metrics(run_dir: str | Path) -> dict[str, Any]:
    """metrics.json as a dictionary.

    Raises:
        UserError: if it is missing, cannot be read, or a score is missing or no number.
    """
    path = Path(run_dir) / METRICS
    with _reading(path):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        check(metrics, _METRICS)
        if len(metrics["reliability"]["level"]) != len(metrics["reliability"]["coverage"]):
            raise ValueError("reliability holds no two lists of one length")
    return metrics


def read_horizon(run_dir: str | Path) -> dict[str, np.ndarray]:
    """horizon.csv as columns by name, (horizon,) each; NaN where a cell is empty.

    Raises:
        UserError: if it is missing, cannot be read, or has other columns or another number of rows than metrics.json
            says.
    """
    path = Path(run_dir) / HORIZON
    with _reading(path):
        text = path.read_bytes().decode("utf-8")
        header, *rows = list(csv.reader(text.splitlines()))
        table = np.array([[float(cell or "nan") for cell in row] for row in rows], dtype=np.float64)
        columns = dict(zip(header, table.reshape(len(rows), len(header)).T, strict=True))
        _check_horizon(columns, whole=text.endswith("\n"))
        expected = read_metrics(run_dir).get("horizon")
        if expected not in (None, len(rows)):
            raise ValueError(f"it has {len(rows)} rows, the horizon in metrics.json is {expected}")
    return columns


def read_predictions(run_dir: str | Path) -> dict[str, np.ndarray]:
    """predictions.npz as arrays by name.

    Files of earlier versions lack the bounds of the intervals, `lower_50` to `upper_90`. Every prediction was Gaussian
    or drawn as if it were: the bounds are those of a Gaussian of the same mean and variance.

    Raises:
        UserError: if it is missing, cannot be read, or an array is missing or of another shape or type.
    """
    path = Path(run_dir) / PREDICTIONS
    with _reading(path):
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        if not any(name in arrays for name in _BOUNDS):
            with np.errstate(invalid="ignore"):  # variances below 0, which are refused below
                std = np.sqrt(arrays["var"])
            for level, half in _HALF_WIDTHS.items():
                arrays[f"lower_{level}"] = arrays["mean"] - half * std
                arrays[f"upper_{level}"] = arrays["mean"] + half * std
        _check_predictions(arrays)
    return arrays


def _check_horizon(columns: dict[str, np.ndarray], whole: bool) -> None:
    for name in _COLUMNS:
        if name not in columns:
            raise ValueError(f"it has no column {name}")
    steps, seconds = columns["step"], columns["seconds"]
    if not whole or not len(steps) or not np.array_equal(steps, np.arange(1, len(steps) + 1)):
        raise ValueError("it is cut, or its steps do not count from 1")
    # Written with six digits: those of a long horizon may be equal.
    if not (seconds > 0).all() or not (np.diff(seconds) >= 0).all():
        raise ValueError("its seconds do not rise")
    if any(np.isinf(column).any() for column in columns.values()):
        raise ValueError("it holds infinite values")
    for name in METHODS[:2]:  # the picture is as high as these
        if np.isnan(columns[f"{name}_nrmse"]).all():
            raise ValueError(f"{name}_nrmse is empty")


def _check_predictions(arrays: dict[str, np.ndarray]) -> None:
    n, length, channels = arrays["obs"].shape
    sizes = {"n": n, "T+1": length, "T": length - 1, "O": channels}
    for name, (axes, kinds) in _ARRAYS.items():
        shape = tuple(sizes[axis] for axis in axes)
        if arrays[name].shape != shape or arrays[name].dtype.kind not in kinds or 0 in shape:
            raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}, expected shape {shape}")
    # After the end of a trajectory that is shorter than the others every row is NaN.
    there = np.logical_not(np.isnan(arrays["mean"]).all(axis=2))
    if not there[:, 0].all() or (np.diff(there.astype(int), axis=1) > 0).any():
        raise ValueError("mean holds values that are NaN before the end")
    for name in _BELIEFS:
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


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever a missing or damaged file raises within the block into one line."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: run mts3 evaluate run={path.parent} first")
    try:
        yield
    except UserError:  # of another file
        raise
    except _UNREADABLE as error:
        again = f"run mts3 evaluate run={path.parent} again"
        if path.name == METRICS:  # which keeps what the training cost
            again = f"remove it and {again}"
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise UserError(f"cannot read {path}: it is not what mts3 writes ({reason}); {again}") from error
