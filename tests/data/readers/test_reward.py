"""Rewards from a file to a training sequence and a score."""

import json
from pathlib import Path

import numpy as np
import pytest

from mts3.data import Dataset, SequenceDataset, Trajectory, fit_normalizer, load_dataset, save_dataset, split
from mts3.errors import UserError
from tests.cli.conftest import FILE, Command, figures, mts3

__all__ = ["figures", "mts3"]  # fixtures


def recording(number: int, rows: int = 60) -> Trajectory:
    rng = np.random.default_rng(number)
    obs = np.sin(0.3 * np.arange(rows)[:, None] + rng.uniform(0, 6, 2)).astype(np.float32)
    actions = rng.normal(size=(rows, 1)).astype(np.float32)
    return Trajectory(obs, actions, f"episode{number}", reward=5.0 + 2.0 * obs[:, 0])


def dataset(n: int = 5) -> Dataset:
    return Dataset("arm", tuple(recording(i) for i in range(n)), ("x", "y"), ("u",), 0.1)


def test_a_reward_survives_a_round_trip_and_a_cut(tmp_path):
    path = save_dataset(dataset(), tmp_path / "arm.npz")
    loaded = load_dataset(None, path)
    for ours, theirs in zip(dataset().trajectories, loaded.trajectories, strict=True):
        np.testing.assert_array_equal(ours.reward, theirs.reward)
    one = Dataset("one", (recording(0, 100),), ("x", "y"), ("u",), 0.1)
    pieces = split(one, 0)
    whole = np.concatenate([t.reward for part in (pieces.train, pieces.validation, pieces.test) for t in part])
    np.testing.assert_array_equal(whole, one.trajectories[0].reward)


def test_sequences_hold_the_reward_of_each_step_normalized():
    trajectories = dataset().trajectories
    normalizer, _ = fit_normalizer(trajectories)
    sequences = SequenceDataset(trajectories, normalizer, 40, 30)
    item = sequences[1]
    trajectory, start = sequences.locate(1)
    physical = item["reward"].numpy()[:, 0] * normalizer.reward_std + normalizer.reward_mean
    np.testing.assert_allclose(physical, trajectory.reward[start : start + 40], rtol=1e-5)
    every = np.concatenate([t.reward[:-1] for t in trajectories])
    np.testing.assert_allclose(normalizer.reward_mean, every.mean(), rtol=1e-5)
    short = SequenceDataset([recording(9, 20)], normalizer, 40, 30)[0]["reward"]
    assert short[19:].isnan().all()
    assert not short[:19].isnan().any()


def test_a_column_can_be_the_reward(tmp_path):
    lines = ["x,u,score", *(f"{i % 7},{i % 3},{i}" for i in range(30))]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    loaded = load_dataset(None, tmp_path / "log.csv", {"obs": ["x"], "actions": ["u"], "reward": "score"})
    np.testing.assert_array_equal(loaded.trajectories[0].reward, np.arange(30.0))
    with pytest.raises(UserError, match="no column 'points'"):
        load_dataset(None, tmp_path / "log.csv", {"obs": ["x"], "actions": ["u"], "reward": "points"})


def test_rewards_that_do_not_fit_are_named():
    good = recording(0)
    with pytest.raises(UserError, match=r"reward \(10,\) and obs \(60, 2\)"):
        Trajectory(good.obs, good.actions, "short", np.zeros(10))
    with pytest.raises(UserError, match="are infinite in data row 4"):
        Trajectory(good.obs, good.actions, "inf", np.where(np.arange(60) == 3, np.inf, 0.0))
    without = Trajectory(good.obs, good.actions, "without")
    with pytest.raises(UserError, match="'without' has no reward, others differ"):
        Dataset("mixed", (good, without), ("x", "y"), ("u",), 0.1)
    assert len(Trajectory(good.obs, good.actions, "shorter", np.zeros(59)).reward) == 60


@pytest.mark.parametrize("model", ["mts3", "gru"])
def test_training_with_a_reward_scores_it(mts3: Command, model):
    save_dataset(dataset(), Path("rewarded.npz"))
    sizes = ["model.latent_obs_dim=2"] if model == "mts3" else []
    options = [word for word in FILE if not word.startswith(("data.path", "model."))]
    done = mts3("train", "data.path=rewarded.npz", f"model={model}", "model.reward=true", *sizes, *options)
    assert done.code == 0, done.err
    found = json.loads(Path(f"runs/rewarded-{model}-seed0/metrics.json").read_text())["reward"]
    assert found.keys() == {"nrmse", "nll", "crps", "coverage_90"}
    refused = mts3("train", "data.path=arm.npz", f"model={model}", "model.reward=true", *sizes, *options)
    assert refused.code == 2
    assert "needs data with a reward; 'arm' has none" in refused.line
