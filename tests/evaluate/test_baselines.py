"""Persistence and the linear rollout against slow definitions and known optima."""

import numpy as np
import pytest
import torch

from mts3.data import SequenceDataset, Trajectory
from mts3.evaluate import LinearRollout, persistence
from mts3.evaluate.batches import batches
from mts3.evaluate.least_squares import Gram
from tests.evaluate.conftest import CONTEXT, STEPS, simulate


def _random_case(seed=0):
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(4, 15, 3, generator=generator)
    mask = torch.rand(4, 15, 3, generator=generator) < 0.5
    return obs, mask


def test_persistence_holds_the_last_value_seen_of_each_dimension():
    obs, mask = _random_case()
    mean = persistence(obs, mask)
    for b, t, o in np.ndindex(*obs.shape):
        seen = [s for s in range(t + 1) if mask[b, s, o]]
        assert mean[b, t, o] == (obs[b, seen[-1], o] if seen else 0.0)


def test_persistence_takes_a_mask_a_step_and_nan():
    obs, mask = _random_case()
    step_mask = mask[..., 0]
    expected = persistence(obs, step_mask[..., None].expand_as(mask))
    assert torch.equal(persistence(obs, step_mask), expected)
    hidden = torch.where(step_mask[..., None], obs, torch.nan)
    assert torch.equal(persistence(hidden), expected)


def test_linear_finds_a_linear_system_and_rolls_it_out(normalizer):
    """Noise-free data of the system itself: the error far ahead is that of float32."""
    train = SequenceDataset([simulate(seed) for seed in range(8)], normalizer, STEPS, 10)
    test = SequenceDataset([simulate(50)], normalizer, STEPS, STEPS)
    obs, actions = next(batches(test, range(len(test)), 10))
    linear = LinearRollout.fit(train, CONTEXT)
    mean = linear.predict(obs[:, :-1], actions, torch.arange(STEPS).expand(len(obs), -1) < CONTEXT)
    torch.testing.assert_close(mean[:, CONTEXT - 1 :], obs[:, CONTEXT:], atol=1e-3, rtol=0)


def test_weights_are_those_of_ridge_regression(train_sequences):
    """The streamed sums against one explicit design matrix, constant not shrunk."""
    lags, ridge = 5, 1e-3
    obs, actions = next(batches(train_sequences, range(len(train_sequences)), 10_000))
    obs, actions = obs.double().numpy(), actions.double().numpy()
    rows, targets = [], []
    for b in range(len(obs)):
        for t in range(lags - 1, STEPS):
            rows.append(
                np.concatenate([obs[b, t - np.arange(lags)].ravel(), actions[b, t - np.arange(lags)].ravel(), [1]])
            )
            targets.append(obs[b, t + 1] - obs[b, t])
    x, y = np.array(rows), np.array(targets)
    penalty = ridge * len(x) * np.diag([1.0] * (x.shape[1] - 1) + [0.0])
    expected = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    gram = Gram.of(train_sequences, range(len(train_sequences)), lags, batch_size=7)
    np.testing.assert_allclose(gram.solve(ridge).numpy(), expected, rtol=1e-6, atol=1e-9)
    assert gram.squared_error(gram.solve(ridge)) == pytest.approx(((y - x @ expected) ** 2).sum(), rel=1e-6)


def test_prediction_is_the_formula_once_every_lag_was_seen(train_sequences):
    linear = LinearRollout.fit(train_sequences)
    obs, actions = next(batches(train_sequences, range(3), 3))
    mean = linear.predict(obs[:, :-1], actions)
    for t in (4, 11, STEPS - 1):
        expected = obs[:, t].double() + linear.constant
        for lag in range(5):
            expected = expected + obs[:, t - lag].double() @ linear.obs_weights[lag]
            expected = expected + actions[:, t - lag].double() @ linear.action_weights[lag]
        torch.testing.assert_close(mean[:, t], expected.float())


def test_hidden_values_and_the_future_do_not_matter(train_sequences):
    linear = LinearRollout.fit(train_sequences, CONTEXT)
    obs, actions = next(batches(train_sequences, range(3), 3))
    obs = obs[:, :-1]
    mask = torch.rand(obs.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    mean = linear.predict(obs, actions, mask)
    assert torch.equal(linear.predict(torch.where(mask, obs, torch.nan), actions, mask), mean)
    changed_obs, changed_actions = obs.clone(), actions.clone()
    changed_obs[:, 12:], changed_actions[:, 12:] = 9.0, 9.0
    assert torch.equal(linear.predict(changed_obs, changed_actions, mask)[:, :12], mean[:, :12])


def test_gaps_are_bridged_not_taken_for_speed(normalizer):
    """Two-step gaps in a straight ramp, learned exactly: the rollout across and after them stays on the ramp."""
    ramp = [Trajectory(np.outer(np.arange(60), s), np.zeros((60, 1)), f"ramp{s}") for s in ([1.0, 2.0], [2.0, -1.0])]
    train = SequenceDataset(ramp, normalizer, STEPS, 10)
    linear = LinearRollout.fit(train)
    obs, actions = next(batches(train, range(4), 4))
    # A disturbance in the gap: a jump when the value is seen again.
    obs = obs[:, :-1].clone()
    obs[:, 12:] += 0.5
    mask = torch.ones(obs.shape, dtype=torch.bool)
    mask[:, 10:13] = False
    mean = linear.predict(obs, actions, mask)
    bridged = obs.clone()
    line = torch.arange(1, 4)[:, None] / 4
    bridged[:, 10:13] = obs[:, 9:10] + line * (obs[:, 13:14] - obs[:, 9:10])
    torch.testing.assert_close(mean[:, 13], linear.predict(bridged, actions)[:, 13])


def test_missing_rows_are_left_out_of_the_fit(train_trajectories, train_sequences, normalizer):
    holes = []
    for trajectory in train_trajectories:
        obs = trajectory.obs.copy()
        obs[30:33, 0] = np.nan
        holes.append(Trajectory(obs, trajectory.actions, trajectory.name))
    with_holes = SequenceDataset(holes, normalizer, STEPS, 10)
    whole = Gram.of(train_sequences, range(len(train_sequences)), 5, 64)
    fewer = Gram.of(with_holes, range(len(with_holes)), 5, 64)
    assert 0 < fewer.rows < whole.rows
    weights = LinearRollout.fit(with_holes, CONTEXT).obs_weights
    assert torch.isfinite(weights).all()


def test_without_a_complete_row_linear_is_persistence(train_trajectories, normalizer):
    holes = []
    for trajectory in train_trajectories[:3]:
        obs = trajectory.obs.copy()
        obs[::3] = np.nan
        holes.append(Trajectory(obs, trajectory.actions, trajectory.name))
    train = SequenceDataset(holes, normalizer, STEPS, 10)
    linear = LinearRollout.fit(train, CONTEXT)
    obs, actions = next(batches(train, range(4), 4))
    torch.testing.assert_close(linear.predict(obs[:, :-1], actions), persistence(obs[:, :-1]))


def test_a_single_sequence_and_no_actions_are_enough():
    from mts3.data import fit_normalizer

    trajectory = Trajectory(simulate(3).obs, np.zeros((60, 0)), "one")
    one = SequenceDataset([trajectory], fit_normalizer([trajectory])[0], 59, 59)
    assert len(one) == 1
    linear = LinearRollout.fit(one, CONTEXT)
    obs, actions = next(batches(one, [0], 1))
    mean = linear.predict(obs[:, :-1], actions)
    assert (mean - obs[:, 1:]).square().mean() < (persistence(obs[:, :-1]) - obs[:, 1:]).square().mean()


def test_a_diverging_rollout_stays_a_number(normalizer):
    linear = LinearRollout(
        torch.eye(2, dtype=torch.float64).expand(5, 2, 2), torch.zeros(5, 1, 2, dtype=torch.float64), torch.ones(2), 0.0
    )
    mean = linear.predict(torch.ones(1, 2000, 2), torch.zeros(1, 2000, 1), torch.arange(2000)[None] < 5)
    assert torch.isfinite(mean).all()
