"""Figures from result files and data sets; never from a model."""

from mts3.plot.benchmark import plot_benchmark
from mts3.plot.dataset import show_dataset
from mts3.plot.horizon import plot_horizon
from mts3.plot.predictions import plot_predictions
from mts3.plot.reliability import plot_reliability
from mts3.plot.results import plot_results

__all__ = [
    "plot_benchmark",
    "plot_horizon",
    "plot_predictions",
    "plot_reliability",
    "plot_results",
    "show_dataset",
]
