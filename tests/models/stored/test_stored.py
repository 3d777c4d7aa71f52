"""Models and runs of an earlier version are read for ever: they predict, score and go on as they did."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mts3
from tests.cli.conftest import finishes
from tests.models.stored.write import MODELS, RUNS, predict

RTOL, ATOL = 1e-4, 1e-5
OF_THE_TRAINING = {"train_seconds", "gradient_steps", "best_epoch", "device", "version"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", names(MODELS))
def test_a_model_predicts_as_it_did(name: str) -> None:
    with np.load(MODELS / name / "predictions.npz") as stored:
        told = predict(mts3.load(MODELS / name), stored["obs"], stored["actions"])
        assert {*told, "obs", "actions"} == {*stored.files}
        for key, values in told.items():
            np.testing.assert_allclose(values, stored[key], rtol=RTOL, atol=ATOL, err_msg=key)


@pytest.fixture(params=names(RUNS))
def stored(request: pytest.FixtureRequest) -> Path:
    return RUNS / request.param


@pytest.fixture
def run(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be written to."""
    monkeypatch.setattr("mts3.cli.scores.plot_results", lambda folder: [])
    return shutil.copytree(stored, tmp_path / "run")


def test_evaluating_a_run_gives_what_it_holds(stored: Path, run: Path) -> None:
    spoilt = json.loads((run / "metrics.json").read_text()) | {"nrmse": 9.0}
    (run / "metrics.json").write_text(json.dumps(spoilt))
    (run / "horizon.csv").unlink()
    (run / "predictions.npz").unlink()
    finishes(["evaluate", f"run={run}"])
    old, new = (dict(scores(folder / "metrics.json")) for folder in (stored, run))
    assert old.keys() <= new.keys()
    for key, value in old.items():
        # One value of a few hundred more or less inside an interval is no other score.
        close = 3e-3 if "coverage" in key else ATOL
        assert new[key] == (value if isinstance(value, str | None) else pytest.approx(value, rel=RTOL, abs=close)), key
    (columns, *before), (header, *after) = table(stored), table(run)
    assert header[: len(columns)] == columns
    kept = [i for i, column in enumerate(columns) if "coverage" not in column]
    before, after = np.array(before, float)[:, kept], np.array(after, float)[:, kept]
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=ATOL)
    with np.load(stored / "predictions.npz") as then, np.load(run / "predictions.npz") as now:
        assert {*then.files} <= {*now.files}
        for key in then.files:
            if then[key].dtype.kind == "f":
                np.testing.assert_allclose(now[key], then[key], rtol=RTOL, atol=ATOL, err_msg=key)
            else:
                np.testing.assert_array_equal(now[key], then[key], err_msg=key)


def test_a_run_goes_on_from_its_last_checkpoint(stored: Path, run: Path) -> None:
    finishes(["train", "resume=true", f"hydra.run.dir={run}", "trainer.max_epochs=2"])
    before, after = (torch.load(folder / "last.ckpt", weights_only=True) for folder in (stored, run))
    assert (before["epoch"], after["epoch"]) == (0, 1)
    assert after["global_step"] == 2 * before["global_step"]
    assert json.loads((run / "metrics.json").read_text())["gradient_steps"] == after["global_step"]


def scores(path: Path) -> Iterator[tuple[str, Any]]:
    """What the evaluation alone finds, flat: ("one_step.nrmse", 0.3), ("per_dim.0", 0.02), .."""

    def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
        if not isinstance(value, dict | list):
            yield name, value
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(f"{name}.{key}", item)

    metrics = json.loads(path.read_text())
    return (leaf for key in metrics.keys() - OF_THE_TRAINING for leaf in leaves(key, metrics[key]))


def table(run: Path) -> list[list[str]]:
    with (run / "horizon.csv").open(newline="") as file:
        return list(csv.reader(file))
