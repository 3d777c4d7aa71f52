"""A trained model on the test part -> everything an evaluation leaves in a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mts3.cli.experiment import Experiment
from mts3.cli.process import device_for
from mts3.cli.report import print_table
from mts3.errors import UserError, unknown_name
from mts3.evaluate import BASELINES, Baselines, evaluate, write_results
from mts3.models import WorldModel
from mts3.plot import plot_results
from mts3.plot.read import read_metrics
from mts3.run_layout import CONFIG, HORIZON, METRICS, PLOTS, PREDICTIONS

MOST = 2**31 - 1  # sequences, or steps; all of the data if there are fewer
_OPTIONS = ("metric_window", "batch_size")
# What training measured and an evaluation alone cannot.
TRAINING = ("train_seconds", "gradient_steps", "best_epoch", "device")
Fitted = dict[str, Baselines]
"""Baselines by the data and the split they are fitted on, for the runs of one command."""


def score(
    model: WorldModel,
    experiment: Experiment,
    config: dict[str, Any],
    folder: Path,
    training: dict[str, Any],
    fitted: Fitted | None = None,
) -> dict[str, Any]:
    """Evaluate, and write metrics.json, horizon.csv, predictions.npz and the figures.

    Args:
        model: Trained; moved to the device that `trainer.accelerator` names.
        experiment: The data; its test part is scored, its training part fits the baselines.
        config: A resolved configuration.
        folder: Where the files go.
        training: The `TRAINING` part of metrics.json.
        fitted: Where the baselines of these data and this split are, or are put.
    Returns: what is in metrics.json.
    Raises:
        UserError: if the disk is full, or the predictions are not finite.
    """
    context_len, fitted = config["data"]["context_len"], {} if fitted is None else fitted
    key = json.dumps([config["data"], config["split_seed"]], sort_keys=True)  # all that the training part depends on
    if key not in fitted:
        fitted[key] = Baselines.of(experiment.train, context_len)
    evaluation = evaluate(
        model.to(device_for(config["trainer"]["accelerator"])),
        experiment.test,
        experiment.train,
        context_len=context_len,
        seed=config["seed"],
        baselines=fitted[key],
        **config["evaluate"],
    )
    metrics = write_results(folder, evaluation, experiment.dataset, config["label"], config["seed"], training)
    plot_results(folder)
    return dict(metrics)


def check_evaluation(config: dict[str, Any]) -> None:
    """Refuse options of an evaluation before anything is trained for it.

    Raises:
        UserError: naming the option.
    """
    for key, value in config["evaluate"].items():
        if key not in _OPTIONS:
            raise unknown_name("option", f"evaluate.{key}", [f"evaluate.{name}" for name in _OPTIONS])
        if not 1 <= value <= MOST:
            raise UserError(f"evaluate.{key} must be a whole number from 1 to {MOST}, got {value}")


def training_record(run_dir: Path) -> dict[str, Any]:
    """The `TRAINING` part of a run's metrics.json; nothing before its first evaluation.

    Raises:
        UserError: if the file cannot be read.
    """
    if not (run_dir / METRICS).is_file():
        return {}
    return {key: value for key, value in read_metrics(run_dir).items() if key in TRAINING}


def refuse_foreign_scores(folder: Path, run_dir: Path) -> None:
    """Refuse to write scores of `run_dir` over those of another run, or over files that no evaluation wrote.

    Raises:
        UserError: naming the file.
    """
    other = folder.resolve() != run_dir.resolve()
    if other and (folder / CONFIG).exists():
        raise UserError(f"output={folder} is the folder of another run, whose scores would be replaced; name another")
    if (folder / METRICS).is_file():
        read_metrics(folder)  # of an earlier evaluation
        return
    for name in (METRICS, HORIZON, PREDICTIONS, PLOTS):
        if other and (folder / name).exists():
            raise UserError(f"{folder / name} is of no evaluation and might be replaced: name another folder")


def print_scores(metrics: dict[str, Any], folder: Path) -> None:
    """The scores a user asks for first, beside the baselines, on stdout."""
    ours = [f"{metrics[key]:.3f}" for key in ("nrmse", "nll", "coverage_90")]
    rows = [["", "nrmse", "nll", "90 % coverage"], [str(metrics["model"]), *ours]]
    rows += [[name, f"{metrics[f'{name}_nrmse']:.3f}", "", ""] for name in BASELINES if name != metrics["model"]]
    print(f"{metrics['data']}, test: {metrics['context']} steps observed, {_predicted(metrics)}")
    print_table(rows)
    print(f"figures: {folder / PLOTS}")


def _predicted(metrics: dict[str, Any]) -> str:
    """How many steps were scored, and whether that is less than was asked for, or less in some sequences."""
    scored, configured = metrics["scored_steps"], metrics["configured_horizon"]
    if scored < configured:
        return (
            f"{scored} of {configured} predicted and scored: nothing is observed later in any test sequence "
            f"(data.sequence_len={metrics['context'] + scored - 1} ends there)"
        )
    ends, sequences = metrics["sequences_at_end"], metrics["sequences"]
    return f"{scored} predicted" + (f", the last one in {ends} of {sequences} sequences" if ends < sequences else "")
