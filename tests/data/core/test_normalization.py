"""Normalization against closed forms."""

import numpy as np
import pytest

from mts3.data import Trajectory, fit_normalizer
from mts3.errors import UserError


def test_moments_leave_out_gaps_and_the_last_action(dataset):
    normalizer, constant = fit_normalizer(dataset.trajectories)
    obs = np.concatenate([t.obs for t in dataset.trajectories])
    actions = np.concatenate([t.actions[:-1] for t in dataset.trajectories])
    np.testing.assert_allclose(normalizer.obs_mean, np.nanmean(obs, axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(normalizer.obs_std, np.nanstd(obs, axis=0), rtol=1e-5)
    np.testing.assert_allclose(normalizer.action_mean, actions.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(normalizer.action_std, actions.std(0), rtol=1e-5)
    assert constant == []


def test_constant_channels_are_reported_and_become_zero_not_noise():
    rng = np.random.default_rng(0)
    rounding = 7.3 + rng.choice([0.0, 4.8e-7], 500)  # the last bit of float32 flickers
    obs = np.stack([rng.normal(size=500), rounding, np.zeros(500), 1e-9 * rng.normal(size=500)], axis=1)
    trajectory = Trajectory(obs, np.full((500, 1), 2.0), "t")
    normalizer, constant = fit_normalizer([trajectory], ["a", "b", "c", "tiny"], ["u"])
    assert constant == ["obs 'b'", "obs 'c'", "action 'u'"]
    normalized = normalizer.normalize_obs(trajectory.obs)
    assert np.abs(normalized[:, 1:3]).max() < 1e-5
    assert normalized[:, 3].std() == pytest.approx(1.0, abs=1e-4)  # small is not constant


def test_an_offset_does_not_cancel():
    obs = 1e4 + np.random.default_rng(0).normal(size=(2000, 1))
    normalizer, constant = fit_normalizer([Trajectory(obs, np.zeros((2000, 0)), "t")])
    assert constant == []
    assert normalizer.obs_std[0] == pytest.approx(obs.std(), rel=1e-3)


def test_a_channel_unseen_in_training_is_named():
    obs = np.ones((5, 2))
    obs[:, 1] = np.nan
    with pytest.raises(UserError, match="obs 'depth' is never observed in the training part"):
        fit_normalizer([Trajectory(obs, np.zeros((5, 0)), "t")], ["x", "depth"])
    with pytest.raises(UserError, match="no trajectory"):
        fit_normalizer([])
