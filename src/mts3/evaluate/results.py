"""metrics.json, horizon.csv and predictions.npz: each whole, or not there."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mts3 import __version__
from mts3.data.core.trajectory import Dataset
from mts3.errors import UserError
from mts3.evaluate.evaluation import Evaluation
from mts3.files import write_aside
from mts3.run_layout import HORIZON, METRICS, PREDICTIONS


def write_results(
    run_dir: str | Path,
    evaluation: Evaluation,
    dataset: Dataset,
    model_name: str,
    seed: int,
    training: Mapping[str, object] | None = None,
    split: str = "test",
) -> dict[str, object]:
    """Write what an evaluation found into a run folder.

    Args:
        run_dir: The folder; created if it is not there.
        evaluation: What `evaluate` returned.
        dataset: Names the data, its channels, units and sampling time.
        model_name: As in `mts3.build`.
        seed: Of the training run.
        training: What else belongs in metrics.json: `train_seconds`, `gradient_steps`, `device` of the training, and
            so on. The first two are null if not given; `device` replaces the one of the evaluation.
        split: Which part of the data was scored.
    Returns:
        The object in metrics.json.
    Raises:
        UserError: if a score is NaN or infinite, or a file cannot be written. Files already there stay.
    """
    run_dir = Path(run_dir)
    metrics = {
        "data": dataset.name,
        "model": model_name,
        "seed": seed,
        "split": split,
        "sample_time": dataset.sample_time,
        "obs_names": list(dataset.obs_names),
        **evaluation.summary(),
        "train_seconds": None,
        "gradient_steps": None,
        "version": __version__,
        **(training or {}),
    }
    _refuse_non_finite(metrics, "")
    if dataset.image_shape is not None:
        metrics = _without_pixels(metrics)
    _write_horizon(run_dir / HORIZON, evaluation, dataset.sample_time)
    _write_predictions(run_dir / PREDICTIONS, evaluation, dataset)
    # Last: whoever finds metrics.json finds the other two.
    with write_aside(run_dir / METRICS) as path:
        path.write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return metrics


def _without_pixels(metrics: dict[str, object]) -> dict[str, object]:
    """The same without the lists that have an entry a channel: hundreds or thousands for images."""
    return {
        key: _without_pixels(value) if isinstance(value, dict) else value
        for key, value in metrics.items()
        if key not in ("obs_names", "per_dim", "per_dim_nrmse")
    }


def _write_horizon(path: Path, evaluation: Evaluation, sample_time: float) -> None:
    """One row a scored step; a cell is empty where nothing was observed."""
    curves, sequences = evaluation.curves(), evaluation.long_horizon.model.nll_count.int().tolist()
    with write_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "seconds", *curves, "sequences"])
        for i in range(evaluation.horizon):
            cells = ["" if math.isnan(column[i]) else f"{column[i]:.6g}" for column in curves.values()]
            writer.writerow([i + 1, f"{(i + 1) * sample_time:.6g}", *cells, sequences[i]])


def _write_predictions(path: Path, evaluation: Evaluation, dataset: Dataset) -> None:
    arrays = dict(vars(evaluation.examples))
    if dataset.image_shape is not None:
        arrays["image_shape"] = np.array(dataset.image_shape)
    with write_aside(path) as aside:
        np.savez_compressed(
            aside,
            **arrays,
            obs_names=np.array(dataset.obs_names),
            obs_units=np.array(dataset.obs_units),
            action_names=np.array(dataset.action_names, dtype=str),
            action_units=np.array(dataset.action_units, dtype=str),
            sample_time=np.array(dataset.sample_time),
            context_len=np.array(evaluation.context_len),
        )


def _refuse_non_finite(value: object, where: str) -> None:
    """Name the first score that is no number: JSON has none, and a silent null would look like 'not measured'."""
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_non_finite(item, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _refuse_non_finite(item, f"{where}[{i}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(
            f"the score {where} is {value}: the model's predictions are not finite; "
            "train with a smaller learning rate or look for NaN in its weights"
        )
