"""Scores of many runs -> one row a model and data set: mean and standard deviation over seeds, beside the baselines."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        asked = metrics.get("configured_horizon", scored)  # not written by earlier versions
        return scored if isinstance(scored, int) else 0, asked if isinstance(asked, int) else 0

    def scores(self, task: str) -> Mapping[str, object]:
        """What metrics.json says about a task: nothing if the run failed, or the task was not scored."""
        found = (self.metrics or {}) if task == LONG_HORIZON else (self.metrics or {}).get(task)
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Line:
    """A model on a data set, or a baseline.

    Attributes:
        data, model: Names.
        task: What it is scored on.
        runs: Those that say how it did: its own, or for a baseline one of each seed.
        baseline: Whether the runs measured it beside their models.
    """

    data: str
    model: str
    task: str
    runs: Sequence[Run]
    baseline: bool

    def values(self, key: str) -> list[float]:
        """The values of a score over the finished runs, those that measured it: of a baseline the errors alone."""
        if self.baseline and not key.endswith("_nrmse"):
            key = f"{self.model}_nrmse" if key == "nrmse" else ""
        found = [run.scores(self.task).get(key) for run in self.runs]
        return [float(value) for value in found if isinstance(value, (int, float))]

    def mean(self, key: str = "nrmse") -> float | None:
        """Mean over the seeds."""
        values = self.values(key)
        return statistics.mean(values) if values else None

    @property
    def loses_to(self) -> list[str]:
        """The baselines whose mean NRMSE on the same test parts is smaller."""
        error = self.mean()
        if error is None or not error < math.inf:
            return []
        others = {name: self.mean(f"{name}_nrmse") for name in BASELINES if name != self.model}
        return [name for name, other in others.items() if other is not None and other < error]

    @property
    def reaches(self) -> frozenset[tuple[int, int]]:
        """The `reach` of the finished runs, each once."""
        return frozenset(run.reach for run in self.runs if not run.failed)


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
    best: dict[object, tuple[float, int]] = {}  # of the lines that reach as far: errors further ahead are larger
    for number, line in enumerate(found):
        error, alike = line.mean(), (line.data, line.reaches)
        if error is not None and (alike not in best or error < best[alike][0]):
            best[alike] = error, number
        scores = [_score(line.values(key)) for key in SCORES]
        spent = [_cost(line.values(key)) for key in costs]
        shown = _score(line.values("nrmse")) + _reach(line, found)
        rows.append((line.data, line.model, _seeds(line), shown, ", ".join(line.loses_to), *scores, *spent))
    return Table(header, tuple(rows), frozenset(number for _, number in best.values()))


def lines(runs: Sequence[Run], task: str) -> Iterator[Line]:
    """A line for each model of each data set, then one for each baseline that is not among the models."""
    for data in dict.fromkeys(run.data for run in runs):
        here = [run for run in runs if run.data == data]
        models = dict.fromkeys(run.model for run in here)
        for model in models:
            yield Line(data, model, task, [run for run in here if run.model == model], baseline=False)
        # A finished run of each seed, the first: the baselines beside it do not depend on its model.
        of_seeds = list({run.seed: run for run in reversed(here) if not run.failed}.values())[::-1]
        for name in BASELINES:
            if of_seeds and name not in models:
                yield Line(data, name, task, of_seeds, baseline=True)


def _reach(line: Line, found: Sequence[Line]) -> str:
    """What an error is about, where that is fewer steps than asked for, or others of the data set than beside it."""
    others = {other.reaches for other in found if other.data == line.data and other.mean() is not None}
    if line.mean() is None or (len(others) == 1 and all(scored == asked for scored, asked in line.reaches)):
        return ""
    texts = {f"{scored} of {asked}" if scored < asked else str(scored) for scored, asked in line.reaches}
    return f", {' / '.join(sorted(texts))} steps"


def _seeds(line: Line) -> str:
    failed = sum(run.failed for run in line.runs)
    finished = len(line.runs) - failed
    if not failed:
        return str(finished)
    return f"{finished}, {failed} failed" if finished else "failed"


def _score(values: Sequence[float]) -> str:
    return _mean_and_std(values, lambda mean: ".3f" if abs(mean) < 100 else ".0f")


def _cost(values: Sequence[float]) -> str:
    whole = all(value == int(value) for value in values)
    return _mean_and_std(values, lambda mean: ",.0f" if mean >= 10 or whole else ".1f")


def _mean_and_std(values: Sequence[float], form: Callable[[float], str]) -> str:
    """In the form that the mean asks for; the standard deviation if there is any."""
    if not values:
        return NOT_MEASURED
    mean, std = statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{mean:{form(mean)}}" + (f" ± {std:{form(mean)}}" if std else "")
