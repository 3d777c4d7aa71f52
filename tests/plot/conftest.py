"""A run folder as an evaluation writes it, made by hand: plots read files alone."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))  # what draws the pictures there is no part of the package


def write_run(folder, channels=2, sequences=4, context=5, steps=25, sample_time=60.0):
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(sequences, steps + 1, channels)).cumsum(1) * np.arange(1, channels + 1)
    mean = obs[:, 1:] + 0.1
    mask = np.zeros(obs.shape, bool)
    mask[:, :context] = True
    np.savez(
        folder / "predictions.npz",
        obs=obs,
        actions=np.zeros((sequences, steps, 1)),
        obs_mask=mask,
        mean=mean,
        var=np.ones_like(mean),
        persistence=np.repeat(obs[:, context - 1 : context], steps, 1),
        linear=mean * 1e6,
        trajectory=np.array([f"run {i}" for i in range(sequences)]),
        first_row=np.arange(sequences),
        obs_names=np.array([f"a_channel_with_a_long_name_{i}" for i in range(channels)]),
        obs_units=np.array(["m"] * channels),
        action_names=np.array(["push"]),
        action_units=np.array([""]),
        sample_time=np.array(sample_time),
        context_len=np.array(context),
    )
    levels = [0.05, 0.5, 0.9, 0.99]
    scores = {"model": "mts3", "metric_window": 4, "nrmse": 0.4, "persistence_nrmse": 0.9, "linear_nrmse": 1e6}
    scores |= {"coverage_50": 0.4, "coverage_90": 0.8, "reliability": {"level": levels, "coverage": levels}}
    (folder / "metrics.json").write_text(json.dumps(scores))
    names = [f"{m}_nrmse{s}" for m in ("model", "persistence", "linear") for s in ("", "_sliding")]
    with (folder / "horizon.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "seconds", *names, "coverage_50", "coverage_90"])
        for step in range(1, steps + 2 - context):
            empty = "" if step == 7 else step / 10  # nothing was observed at that step
            writer.writerow([step, step * sample_time, *[empty] * 4, *[10.0**step] * 2, 0.5, 0.9])
    return folder


@pytest.fixture
def run_dir(tmp_path):
    return write_run(tmp_path)
