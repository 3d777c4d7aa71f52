"""Examples and benchmarks run as they stand."""

import json
import runpy
import sys
from pathlib import Path

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


def test_the_benchmark_times_every_step():
    script = runpy.run_path(str(ROOT / "benchmarks" / "training_step.py"))
    script["SIZES"].update(batch=2, steps=40, latent_obs_dim=4)
    steps = {"floor": script["floor_step"](), "dense": script["full_step"]("dense")}
    seconds = script["interleaved"](steps, rounds=2)
    assert {name: len(times) for name, times in seconds.items()} == {"floor": 2, "dense": 2}
    assert all(time > 0 for times in seconds.values() for time in times)


def test_the_benchmark_estimates_a_state_from_images(tmp_path, monkeypatch, capsys):
    script = runpy.run_path(str(ROOT / "benchmarks" / "pendulum_images.py"))
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


def test_the_benchmark_of_models_times_all_of_them(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = runpy.run_path(str(ROOT / "benchmarks" / "models.py"))
    script["SIZES"].update(batch=2, steps=6, window_len=3)
    rows = script["measured"](("gru", "acrkn", "acrkn_linear"), 1)
    assert [row["model"] for row in rows] == ["gru", "acrkn", "acrkn_linear"]
    assert all(row[key] > 0 for row in rows for key in ("parameters", "train_ms", "filter_ms", "step_ms"))
    assert {row["train_ms_ratio"] for row in rows if row["model"] == "gru"} == {1.0}
    assert script["LEARNED"] == tuple(mts3.models.MODELS)[:-2]
