"""Examples, benchmarks and the results table run as they stand."""

import json
import runpy
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_table_is_mean_and_spread_over_seeds(tmp_path, seeds):
    script = runpy.run_path(str(ROOT / "results" / "collect.py"))
    metrics = json.loads((ROOT / "results" / "soil-mts3-seed0" / "metrics.json").read_text())
    rows = {("soil", "mts3"): [{**metrics, "nrmse": 0.4 + 0.01 * i} for i in range(seeds)]}
    row = script["table"](rows, {"nrmse": "NRMSE"}).splitlines()[-1]
    assert f"| soil | mts3 | {seeds} | {'0.400' if seeds == 1 else '0.410 ± 0.010'} |" in row
