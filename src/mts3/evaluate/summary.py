"""Scores of many runs -> one row a model and data set: mean and standard deviation over seeds, beside the baselines."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

BASELINES = ("linear", "persistence")  # every run measures them beside its model
LONG_HORIZON, ONE_STEP, IMPUTATION = "long_horizon", "one_step", "imputation"
SCORES = {"nll": "NLL", "crps": "CRPS", "coverage_90": "90 % coverage"}
COSTS = {"parameters": "parameters", "train_seconds": "train s", "gradient_steps": "steps"}
NOT_MEASURED = "–"


@dataclass(frozen=True)
class Run:
    """One model on one data set with one seed.

    Attributes:
        data, model: Names, as in the tables.
        seed: Of the training.
        folder: Where its files are.
        metrics: What is in metrics.json; None if the run failed.
        horizon: The columns of horizon.csv, (horizon,) each; None if the run failed.
    """

    data: str
    model: str
    seed: int
    folder: str
    metrics: Mapping[str, object] | None
    horizon: Mapping[str, np.ndarray] | None

    @property
    def failed(self) -> bool:
        """Whether there is nothing to show for it."""
        return self.metrics is None

    @property
    def reach(self) -> tuple[int, int]:
        """Hidden steps that were scored, and those that were asked for; (0, 0) if the run failed."""
        metrics = self.metrics or {}
        scored = metrics.get("horizon", 0)
        return _steps(scored), _steps(metrics.get("configured_horizon", scored))  # not written by earlier versions

    def scores(self, task: str) -> Mapping[str, object]:
        """What metrics.json says about a task: nothing if the run failed, or the task was not scored."""
        found = (self.metrics or {}) if task == LONG_HORIZON else (self.metrics or {}).get(task)
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Line:
    """A model on a data set.

    Attributes:
        data, model: Names.
        finished, failed: Numbers of runs.
        values: The values of each score over the finished runs, those that measured it.
        reaches: The `reach` of the finished runs, each once.
    """

    data: str
    model: str
    finished: int
    failed: int
    values: Mapping[str, list[float]]
    reaches: frozenset[tuple[int, int]]

    @property
    def error(self) -> float | None:
        """Mean NRMSE over the seeds."""
        return _mean(self.values.get("nrmse", []))

    @property
    def loses_to(self) -> list[str]:
        """The baselines whose mean NRMSE on the same test parts is smaller."""
        others = [(name, _mean(self.values.get(f"{name}_nrmse", []))) for name in BASELINES if name != self.model]
        error = math.inf if self.error is None else self.error
        return [name for name, other in others if other is not None and other < error < math.inf]


@dataclass(frozen=True)
class Table:
    """Text of a table.

    Attributes:
        header: Of the columns.
        rows: A cell for each column.
        best: Rows with the least mean NRMSE of their data set, among those that scored equally many steps.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[int]

    def markdown(self) -> str:
        """A Markdown table, the best NRMSE of each data set bold."""
        lines = [self.header, ("---",) * len(self.header), *self._marked("**{}**", "{}")]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def plain(self) -> list[tuple[str, ...]]:
        """Rows for a terminal, the header first, a star at the best NRMSE of each data set."""
        header = tuple(f"{name}  " if name == "NRMSE" else name for name in self.header)
        return [header, *self._marked("{} *", "{}  ")]

    def _marked(self, best: str, other: str) -> Iterator[tuple[str, ...]]:
        """The rows, their NRMSE as one of two formats says."""
        place = self.header.index("NRMSE")
        for number, row in enumerate(self.rows):
            form = best if number in self.best else other
            yield (*row[:place], form.format(row[place]), *row[place + 1 :])


def table(runs: Sequence[Run], task: str = LONG_HORIZON) -> Table:
    """The table of one task: a row a model and data set, in the order of the runs, and the baselines after them.

    Args:
        runs: Finished and failed ones.
        task: `LONG_HORIZON`, `ONE_STEP` or `IMPUTATION`.
    """
    costs = COSTS if task == LONG_HORIZON else {}
    found = list(lines(runs, task))
    header = ("data", "model", "seeds", "NRMSE", "loses to", *SCORES.values(), *costs.values())
    rows = []
    for line in found:
        scores = [_score(line.values.get(key, [])) for key in SCORES]
        spent = [_cost(line.values.get(key, [])) for key in costs]
        loses = ", ".join(line.loses_to)
        error = _score(line.values.get("nrmse", [])) + _reach(line, found)
        rows.append((line.data, line.model, _seeds(line), error, loses, *scores, *spent))
    return Table(header, tuple(rows), _best(found))


def lines(runs: Sequence[Run], task: str) -> Iterator[Line]:
    """A line for each model of each data set, then one for each baseline that is not among the models."""
    for data in dict.fromkeys(run.data for run in runs):
        here = [run for run in runs if run.data == data]
        models = dict.fromkeys(run.model for run in here)
        for model in models:
            mine = [run for run in here if run.model == model]
            scored = [run.scores(task) for run in mine]
            keys = ["nrmse", *SCORES, *COSTS, *(f"{name}_nrmse" for name in BASELINES)]
            values = {key: _values(scored, key) for key in keys}
            failed = sum(run.failed for run in mine)
            yield Line(data, model, len(mine) - failed, failed, values, _reaches(mine))
        pooled = one_per_seed(here)
        scored = [run.scores(task) for run in pooled]
        for name in BASELINES:
            if scored and name not in models:
                values = {f"{other}_nrmse": _values(scored, f"{other}_nrmse") for other in BASELINES}
                yield Line(data, name, len(scored), 0, values | {"nrmse": values[f"{name}_nrmse"]}, _reaches(pooled))


def one_per_seed(runs: Sequence[Run]) -> list[Run]:
    """A finished run of each seed: the baselines beside it do not depend on its model."""
    return list({run.seed: run for run in reversed(runs) if not run.failed}.values())[::-1]


def _values(scored: Sequence[Mapping[str, object]], key: str) -> list[float]:
    found = [scores.get(key) for scores in scored]
    return [float(value) for value in found if isinstance(value, (int, float))]


def _best(found: Sequence[Line]) -> frozenset[int]:
    """Errors further ahead are larger: lines are compared with those that reach as far."""
    best: dict[object, tuple[float, int]] = {}
    for number, line in enumerate(found):
        alike = line.data, line.reaches
        if line.error is not None and (alike not in best or line.error < best[alike][0]):
            best[alike] = line.error, number
    return frozenset(number for _, number in best.values())


def _reaches(runs: Sequence[Run]) -> frozenset[tuple[int, int]]:
    return frozenset(run.reach for run in runs if not run.failed)


def _reach(line: Line, found: Sequence[Line]) -> str:
    """What an error is about, where that is fewer steps than asked for, or others of the data set than beside it."""
    others = {other.reaches for other in found if other.data == line.data and other.error is not None}
    if line.error is None or (len(others) == 1 and all(scored == asked for scored, asked in line.reaches)):
        return ""
    texts = {f"{scored} of {asked}" if scored < asked else str(scored) for scored, asked in sorted(line.reaches)}
    return f", {' / '.join(sorted(texts))} steps"


def _steps(value: object) -> int:
    return value if isinstance(value, int) else 0


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None


def _seeds(line: Line) -> str:
    if not line.failed:
        return str(line.finished)
    return f"{line.finished}, {line.failed} failed" if line.finished else "failed"


def _score(values: Sequence[float]) -> str:
    """Mean, and the standard deviation if there is any."""
    if not values:
        return NOT_MEASURED
    digits = 3 if abs(statistics.mean(values)) < 100 else 0
    return _mean_and_std(values, f".{digits}f")


def _cost(values: Sequence[float]) -> str:
    if not values:
        return NOT_MEASURED
    return _mean_and_std(values, ",.0f" if statistics.mean(values) >= 10 or all(v == int(v) for v in values) else ".1f")


def _mean_and_std(values: Sequence[float], form: str) -> str:
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{form}}" + (f" ± {std:{form}}" if std else "")
