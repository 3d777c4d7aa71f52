"""Examples and benchmarks run as they stand."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

import mts3
import mts3.train

ROOT = Path(__file__).parents[1]


def test_the_example_trains_and_forecasts(monkeypatch, tmp_path, capsys):
    fit = mts3.train.fit

    def two_steps(*args, trainer, **options):
        return fit(*args, trainer={**trainer, "max_steps": 2, "enable_progress_bar": False}, **options)

    monkeypatch.setattr(mts3.train, "fit", two_steps)
    script = str(ROOT / "examples" / "01_from_recording_to_forecast.py")
    monkeypatch.setattr(sys, "argv", [script, "--run-dir", str(tmp_path)])
    runpy.run_path(script, run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "7", "14", "28"]
    assert all("90 % within [" in line for line in lines)


@pytest.fixture
def benchmark(monkeypatch):
    """A script of benchmarks/, run up to its `main`, by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return lambda name: runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py"))


def test_the_benchmark_times_every_step(benchmark):
    script = benchmark("training_step")
    small = script["Setting"](batch=2, steps=40, window_len=10)
    rows = {row["step"]: row for row in script["rows_of"](small, rounds=1)}
    assert rows["floor"]["ratio_to_floor"] == 1.0
    assert {"floor in blocks", "modal", "dense", "modal reference", "dense reference", "naive", "lstm"} < set(rows)
    assert all(row["median_ms"] > 0 for row in rows.values())


def test_the_naive_loop_predicts_what_the_model_does(benchmark):
    script = benchmark("training_step")
    obs, actions, mask, _ = script["batch"](script["Setting"](batch=2, steps=25, window_len=10))
    model = script["build"]("dense", 10)
    naive, pred = script["naive"](model, obs, actions, mask), model(obs, actions, mask)
    torch.testing.assert_close(naive.mean, pred.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(naive.var, pred.var, rtol=1e-4, atol=1e-5)


def test_the_benchmark_imagines(benchmark, monkeypatch):
    script = benchmark("imagine")
    for name, value in {"CANDIDATES": 3, "STEPS": 7, "WINDOW": 5}.items():
        monkeypatch.setitem(script["floors"].__globals__, name, value)
    actions = torch.zeros(3, 7, 2)
    steps = script["floors"](actions) | script["imagined"](script["build"]("modal", 5), actions, "auto", "modal")
    assert list(steps)[-2:] == ["modal", "modal, mean"]
    for step in steps.values():
        step()


def test_the_benchmark_estimates_a_state_from_images(benchmark, tmp_path, monkeypatch, capsys):
    script = benchmark("pendulum_images")
    parts = {"train": 4, "validation": 2, "test": 2}
    script["SETTINGS"].update(sequences=parts, steps=6, epochs=1, batch=2, latent_obs_dim=4, hidden=8, missing=[0.5])
    monkeypatch.setitem(script["main"].__globals__, "RESULT", tmp_path / "pendulum_images.json")
    monkeypatch.setattr(sys, "argv", ["pendulum_images.py", "--seeds", "1"])
    script["main"]()
    rows = json.loads((tmp_path / "pendulum_images.json").read_text())["rows"]
    assert [row["model"] for row in rows] == ["mean", "rkn", "lstm", "gru"]
    sizes = [row["parameters"] for row in rows[1:]]
    assert max(sizes) / min(sizes) < 1.05
    capsys.readouterr()
    script["main"]()  # everything is there already: nothing trains
    out = capsys.readouterr().out
    assert "epoch" not in out
    assert out.strip() in (tmp_path / "pendulum_images.md").read_text()


def test_the_benchmark_of_models_times_all_of_them(benchmark, monkeypatch):
    script = benchmark("models")
    monkeypatch.setitem(script["measured"].__globals__, "SETTING", type(script["SETTING"])(2, 6, 3))
    rows = script["measured"](("gru", "acrkn", "acrkn_linear"), 1)
    assert [row["model"] for row in rows] == ["gru", "acrkn", "acrkn_linear"]
    assert all(row[key] > 0 for row in rows for key in ("parameters", "train_ms", "filter_ms", "step_ms"))
    assert {row["train_ms_ratio"] for row in rows if row["model"] == "gru"} == {1.0}
    assert script["LEARNED"] == tuple(mts3.models.MODELS)[:-2]
