"""A trained model on the test part -> everything an evaluation leaves in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mts3.cli.experiment import Experiment
from mts3.cli.process import device_for
from mts3.cli.table import print_table
from mts3.evaluate import evaluate, write_results
from mts3.models import WorldModel
from mts3.plot import plot_results

# What training measured and an evaluation alone cannot.
TRAINING = ("train_seconds", "gradient_steps", "best_epoch", "device")


def score(
    model: WorldModel, experiment: Experiment, config: dict[str, Any], folder: Path, training: dict[str, Any]
) -> dict[str, Any]:
    """Evaluate, and write metrics.json, horizon.csv, predictions.npz and the figures.

    Args:
        model: Trained; moved to the device that `trainer.accelerator` names.
        experiment: The data; its test part is scored, its training part fits the linear rollout.
        config: A resolved configuration.
        folder: Where the files go.
        training: The `TRAINING` part of metrics.json.
    Returns: what is in metrics.json.
    Raises:
        UserError: if the disk is full, or the predictions are not finite.
    """
    evaluation = evaluate(
        model.to(device_for(config["trainer"]["accelerator"])),
        experiment.test,
        experiment.train,
        context_len=config["data"]["context_len"],
        seed=config["seed"],
        **config["evaluate"],
    )
    metrics = write_results(folder, evaluation, experiment.dataset, config["label"], config["seed"], training)
    plot_results(folder)
    return dict(metrics)


def print_scores(metrics: dict[str, Any], folder: Path) -> None:
    """The scores a user asks for first, beside the baselines, on stdout."""
    ours = [f"{metrics[key]:.3f}" for key in ("nrmse", "nll", "coverage_90")]
    rows = [["", "nrmse", "nll", "90 % coverage"], [str(metrics["model"]), *ours]]
    rows += [[name, f"{metrics[f'{name}_nrmse']:.3f}", "", ""] for name in ("linear", "persistence")]
    print(f"{metrics['data']}, test: {metrics['context']} steps observed, {_predicted(metrics)}")
    print_table(rows)
    print(f"figures: {folder / 'plots'}")


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
