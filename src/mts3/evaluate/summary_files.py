"""The files of a benchmark: tables, a row a run, and a curve a model."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mts3.evaluate.summary import IMPUTATION, LONG_HORIZON, ONE_STEP, Line, Run, Table, lines, table
from mts3.files import write_aside
from mts3.run_layout import HORIZON, IMPUTATION_TABLE, ONE_STEP_TABLE, ROWS, TABLE

_TABLES = {
    LONG_HORIZON: (TABLE, "the context observed, everything later hidden, actions given"),
    ONE_STEP: (ONE_STEP_TABLE, "everything up to a step observed, the next one scored"),
    IMPUTATION: (IMPUTATION_TABLE, "half of the steps hidden and scored"),
}
_NOTE = (
    "NRMSE, NLL and CRPS of normalized values, mean ± standard deviation over seeds (no ± where there is none).\n"
    "Bold: the least mean NRMSE of a data set. *loses to*: the baselines with a smaller one on the same test parts.\n"
)
KEYS = ("data", "model", "seed", "status", "folder")
_HORIZON = ("data", "model", "step", "seconds", "nrmse", "nrmse_std", "seeds")


def write_summary(folder: str | Path, runs: Sequence[Run]) -> Table:
    """Write table.md, one_step.md, imputation.md, rows.csv and horizon.csv.

    Args:
        folder: Created if it is not there.
        runs: Finished and failed ones, in the order of the tables.
    Returns: the long-horizon table.
    Raises:
        UserError: if a file cannot be written. An older one stays.
    """
    folder = Path(folder)
    tables = {task: table(runs, task) for task in _TABLES}
    for task, (name, what) in _TABLES.items():
        with write_aside(folder / name) as path:
            path.write_text(f"{tables[task].markdown()}\nTest part: {what}. {_NOTE}", encoding="utf-8")
    rows = [_row(run) for run in runs]
    _write_csv(folder / ROWS, dict.fromkeys([*KEYS, *(key for row in rows for key in row)]), rows)
    _write_csv(folder / HORIZON, _HORIZON, horizon_rows(runs))
    return tables[LONG_HORIZON]


def horizon_rows(runs: Sequence[Run]) -> list[dict[str, object]]:
    """The error over the horizon, pooled over seeds: a row a data set, model and hidden step.

    `nrmse` is the mean of the sliding-window NRMSE over the seeds that have one at that step, `nrmse_std` its standard
    deviation (None for fewer than two), `seeds` their number. The test parts of seeds may end at different steps: the
    rows end with the first of them, for a mean over others than before is no continuation. The baselines stand beside
    the models.
    """
    return [row for line in lines(runs, LONG_HORIZON) for row in _curve(line)]


def _curve(line: Line) -> Iterator[dict[str, object]]:
    horizons = [run.horizon for run in line.runs if run.horizon is not None]
    column = f"{line.model if line.baseline else 'model'}_nrmse_sliding"
    seconds = min((horizon["seconds"] for horizon in horizons), key=len, default=np.zeros(0))
    for step, second in enumerate(seconds):
        at_step = np.array([horizon[column][step] for horizon in horizons])
        measured = at_step[~np.isnan(at_step)]
        yield {
            **{"data": line.data, "model": line.model, "step": step + 1, "seconds": _short(second)},
            "nrmse": _short(measured.mean()) if len(measured) else None,
            "nrmse_std": _short(measured.std(ddof=1)) if len(measured) > 1 else None,
            "seeds": len(measured),
        }


def _row(run: Run) -> dict[str, object]:
    """Every number and name of metrics.json, those of the nested tasks as `one_step_nrmse`."""
    row: dict[str, object] = {"data": run.data, "model": run.model, "seed": run.seed}
    row |= {"status": "failed" if run.failed else "finished", "folder": run.folder}
    for task in (LONG_HORIZON, ONE_STEP, IMPUTATION):
        prefix = "" if task == LONG_HORIZON else f"{task}_"
        scores = {f"{prefix}{key}": value for key, value in run.scores(task).items() if key not in KEYS}
        row |= {key: value for key, value in scores.items() if not isinstance(value, (Mapping, list))}
    # Null for a task that was not scored: the columns of that task say so.
    return {key: value for key, value in row.items() if key not in (ONE_STEP, IMPUTATION)}


def _write_csv(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> None:
    """An empty cell where there is no value."""
    with write_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), restval="")
        writer.writeheader()
        writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)


def _short(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""
