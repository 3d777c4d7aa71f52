"""All figures of a run folder."""

from __future__ import annotations

from pathlib import Path

from mts3.plot.horizon import plot_horizon
from mts3.plot.predictions import plot_predictions
from mts3.plot.reliability import plot_reliability
from mts3.run_layout import HORIZON_FIGURE, PLOTS, PREDICTIONS_FIGURE, RELIABILITY_FIGURE


def plot_results(run_dir: str | Path) -> list[Path]:
    """Draw `plots/predictions.png`, `horizon.png` and `reliability.png` from the files of an evaluation.

    Args:
        run_dir: A folder with metrics.json, horizon.csv and predictions.npz.
    Returns:
        The paths of the figures.
    Raises:
        UserError: if a file is missing or unreadable, or a figure cannot be written.
    """
    run_dir = Path(run_dir)
    return [
        plot_predictions(run_dir, run_dir / PLOTS / PREDICTIONS_FIGURE),
        plot_horizon(run_dir, run_dir / PLOTS / HORIZON_FIGURE),
        plot_reliability(run_dir, run_dir / PLOTS / RELIABILITY_FIGURE),
    ]
