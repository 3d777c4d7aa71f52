"""The names of what lies in a run folder, and in the folder of a comparison: nobody else writes one down."""

from __future__ import annotations

CONFIG = "config.yaml"
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
LAST = "last.ckpt"
METRICS, HORIZON, PREDICTIONS = "metrics.json", "horizon.csv", "predictions.npz"
RUN_FILES = (CONFIG, WEIGHTS, DESCRIPTION, LAST, METRICS, HORIZON, PREDICTIONS)

PLOTS = "plots"
PREDICTIONS_FIGURE, HORIZON_FIGURE, RELIABILITY_FIGURE = "predictions.png", "horizon.png", "reliability.png"
FIGURES = (PREDICTIONS_FIGURE, HORIZON_FIGURE, RELIABILITY_FIGURE)

LOGS = "logs"
LOG_FILES = ("metrics.csv", "hparams.yaml", "events.out.tfevents.*")
"""Patterns of what the loggers write, in `logs/version_N`."""

LOCK = ".mts3-lock"

TABLE, ONE_STEP_TABLE, IMPUTATION_TABLE, ROWS = "table.md", "one_step.md", "imputation.md", "rows.csv"
COMPARISON_FILES = (TABLE, ONE_STEP_TABLE, IMPUTATION_TABLE, ROWS, HORIZON, HORIZON_FIGURE)
