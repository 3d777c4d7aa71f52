"""The linear model and persistence, fitted: against slow definitions and known optima."""

import numpy as np
import pytest
import torch

import mts3
from mts3.data import SequenceDataset, Trajectory, batches, fit_normalizer
from mts3.errors import UserError
from mts3.models import Linear, Persistence
from mts3.train import fit, fit_linear, fit_linears, measure_var
from mts3.train.closed_form import RIDGES
from mts3.train.least_squares import Gram
from tests.evaluate.conftest import CONTEXT, STEPS, normalizer, simulate, train_sequences, train_trajectories
from tests.train.conftest import Sequences

__all__ = ["normalizer", "train_sequences", "train_trajectories"]  # fixtures


def fitted(sequences, context_len=None) -> Linear:
    linear = Linear(sequences.obs_dim, sequences.action_dim).double()
    fit_linear(linear, sequences, context_len)
    return linear


def mean_of(linear, obs, actions, mask=None):
    return linear(obs.double(), actions.double(), None if mask is None else mask & ~obs.isnan()).mean


def test_linear_finds_a_linear_system_and_rolls_it_out(normalizer):
    """Noise-free data of the system itself: the error far ahead is that of float32."""
    train = SequenceDataset([simulate(seed) for seed in range(8)], normalizer, STEPS, 10)
    test = SequenceDataset([simulate(50)], normalizer, STEPS, STEPS)
    obs, actions = next(batches(test, range(len(test)), 10))
    linear = fitted(train, CONTEXT)
    mean = mean_of(linear, obs[:, :-1], actions, torch.arange(STEPS).expand(len(obs), -1)[..., None] < CONTEXT)
    torch.testing.assert_close(mean[:, CONTEXT - 1 :], obs[:, CONTEXT:].double(), atol=1e-3, rtol=0)


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
    linear = fitted(train_sequences)
    obs, actions = next(batches(train_sequences, range(3), 3))
    mean = mean_of(linear, obs[:, :-1], actions)
    for t in (4, 11, STEPS - 1):
        expected = obs[:, t].double() + linear.constant
        for lag in range(5):
            expected = expected + obs[:, t - lag].double() @ linear.obs_weights[lag]
            expected = expected + actions[:, t - lag].double() @ linear.action_weights[lag]
        torch.testing.assert_close(mean[:, t], expected)


def test_hidden_values_and_the_future_do_not_matter(train_sequences):
    linear = fitted(train_sequences, CONTEXT)
    obs, actions = next(batches(train_sequences, range(3), 3))
    obs = obs[:, :-1]
    mask = torch.rand(obs.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    mean = mean_of(linear, obs, actions, mask)
    assert torch.equal(mean_of(linear, torch.where(mask, obs, torch.nan), actions, mask), mean)
    changed_obs, changed_actions = obs.clone(), actions.clone()
    changed_obs[:, 12:], changed_actions[:, 12:] = 9.0, 9.0
    assert torch.equal(mean_of(linear, changed_obs, changed_actions, mask)[:, :12], mean[:, :12])


def test_gaps_are_bridged_not_taken_for_speed(normalizer):
    """Two-step gaps in a straight ramp, learned exactly: the rollout across and after them stays on the ramp."""
    ramp = [Trajectory(np.outer(np.arange(60), s), np.zeros((60, 1)), f"ramp{s}") for s in ([1.0, 2.0], [2.0, -1.0])]
    train = SequenceDataset(ramp, normalizer, STEPS, 10)
    linear = fitted(train)
    obs, actions = next(batches(train, range(4), 4))
    # A disturbance in the gap: a jump when the value is seen again.
    obs = obs[:, :-1].clone()
    obs[:, 12:] += 0.5
    mask = torch.ones(obs.shape, dtype=torch.bool)
    mask[:, 10:13] = False
    mean = mean_of(linear, obs, actions, mask)
    bridged = obs.clone()
    line = torch.arange(1, 4)[:, None] / 4
    bridged[:, 10:13] = obs[:, 9:10] + line * (obs[:, 13:14] - obs[:, 9:10])
    torch.testing.assert_close(mean[:, 13], mean_of(linear, bridged, actions)[:, 13])


def slowly_chosen(train, context_len) -> float:
    """The ridge by its definition: one model a ridge and part, rolled out on its own."""
    parts = [range(i * len(train) // 5, (i + 1) * len(train) // 5) for i in range(5)]
    grams = [Gram.of(train, part, 5, 64) for part in parts]
    errors = []
    for ridge in RIDGES:
        error = 0.0
        for i, part in enumerate(parts):
            linear = Linear(2, 1).double()
            linear.set_weights(Gram.total(grams[:i] + grams[i + 1 :]).solve(ridge), ridge)
            obs, actions = next(batches(train, part[:: -(-len(part) // 16)], 1000))
            visible = torch.arange(STEPS)[:, None] < (STEPS if context_len is None else context_len)
            error += (
                (mean_of(linear, obs[:, :-1], actions, visible.expand(len(obs), -1, -1)) - obs[:, 1:])[
                    :, (5 if context_len is None else context_len) - 1 :
                ]
                .square()
                .sum()
            )
        errors.append(error)
    return RIDGES[min(range(len(RIDGES)), key=errors.__getitem__)]


def test_ridges_of_several_questions_are_chosen_together_as_each_alone():
    trajectories = [simulate(seed, rows=30, noise=0.05) for seed in range(12)]
    train = SequenceDataset(trajectories, fit_normalizer(trajectories)[0], STEPS, 10)
    together = {context_len: Linear(2, 1).double() for context_len in (CONTEXT, 2, None)}
    fit_linears(together, train)
    for context_len, linear in together.items():
        assert linear.ridge.item() == slowly_chosen(train, context_len)
        alone = fitted(train, context_len)
        assert all(torch.equal(a, b) for a, b in zip(linear.buffers(), alone.buffers(), strict=True))
    assert len({linear.ridge.item() for linear in together.values()}) == 3


def test_all_ridges_of_a_part_are_one_rollout_and_all_questions_share_the_sums(train_sequences, monkeypatch):
    rollouts, sums, of = [], [], Gram.of
    monkeypatch.setattr(Gram, "of", lambda *rest: sums.append(rest) or of(*rest))
    observe = Linear.advance
    monkeypatch.setattr(Linear, "advance", lambda self, *rest: rollouts.append(self) or observe(self, *rest))
    fit_linears({context_len: Linear(2, 1).double() for context_len in (CONTEXT, None)}, train_sequences)
    assert (len(rollouts), len(sums)) == (5, 5)


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
    weights = fitted(with_holes, CONTEXT).obs_weights
    assert torch.isfinite(weights).all()


def test_without_a_complete_row_linear_is_persistence(train_trajectories, normalizer):
    holes = []
    for trajectory in train_trajectories[:3]:
        obs = trajectory.obs.copy()
        obs[::3] = np.nan
        holes.append(Trajectory(obs, trajectory.actions, trajectory.name))
    train = SequenceDataset(holes, normalizer, STEPS, 10)
    linear = fitted(train, CONTEXT)
    obs, actions = next(batches(train, range(4), 4))
    torch.testing.assert_close(
        mean_of(linear, obs[:, :-1], actions), Persistence(2, 1).double()(obs[:, :-1].double(), actions.double()).mean
    )


def test_a_single_sequence_and_no_actions_are_enough():
    trajectory = Trajectory(simulate(3).obs, np.zeros((60, 0)), "one")
    one = SequenceDataset([trajectory], fit_normalizer([trajectory])[0], 59, 59)
    assert len(one) == 1
    linear = fitted(one, CONTEXT)
    obs, actions = next(batches(one, [0], 1))
    mean = mean_of(linear, obs[:, :-1], actions)
    assert (mean - obs[:, 1:]).square().mean() < (
        Persistence(2, 0)(obs[:, :-1], actions).mean - obs[:, 1:]
    ).square().mean()


def test_a_diverging_rollout_stays_a_number():
    linear = Linear(2, 1)
    linear.obs_weights.copy_(torch.eye(2).expand(5, 2, 2))
    linear.constant.fill_(1.0)
    mean = linear(torch.ones(1, 2000, 2), torch.zeros(1, 2000, 1), torch.arange(2000)[None] < 5).mean
    assert torch.isfinite(mean).all()


def test_more_inputs_than_a_regression_can_take_are_named(train_sequences, monkeypatch):
    monkeypatch.setattr("mts3.train.closed_form.MOST_INPUTS", 10)
    with pytest.raises(UserError, match=r"5 lags of 2 observations and 1 actions has 15 inputs; expected at most 10"):
        fitted(train_sequences, CONTEXT)


@pytest.mark.parametrize("kind", [Linear, Persistence])
def test_the_variance_is_the_squared_error_at_each_age(train_sequences, kind):
    model = kind(2, 1, max_age=30)
    if kind is Linear:
        fit_linear(model, train_sequences, CONTEXT)
    measure_var(model, train_sequences, CONTEXT, batch_size=7)
    obs, actions = next(batches(train_sequences, range(len(train_sequences)), 10_000))
    seen = (torch.arange(STEPS) < CONTEXT).expand(len(obs), -1)
    pred = model(obs[:, :-1], actions, seen)
    hidden = slice(CONTEXT - 1, None)
    squared = (pred.mean[:, hidden] - obs[:, CONTEXT:]).square().mean(0)
    torch.testing.assert_close(model.var_by_age[: len(squared)], squared, rtol=1e-4, atol=1e-6)
    assert torch.equal(model.var_by_age[len(squared) :], squared[-1:].expand(30 - len(squared), -1)) or torch.allclose(
        model.var_by_age[len(squared) :], squared[-1:]
    )
    assert torch.equal(pred.var[:, hidden], model.var_by_age[: len(squared)].expand(len(obs), -1, -1))
    one_step = model(obs[:, :-1], actions)
    assert torch.equal(one_step.var, model.var_by_age[:1].expand(len(obs), STEPS, -1))


@pytest.mark.parametrize("name", ["linear", "persistence"])
def test_fit_trains_and_saves_it_like_any_model(train_sequences, tmp_path, name):
    model = mts3.build(name, obs_dim=2, action_dim=1, max_age=STEPS)
    model.normalizer = train_sequences.normalizer
    result = fit(model, train_sequences, train_sequences, tmp_path, context_len=CONTEXT, window_len=2)
    assert result.gradient_steps == 0
    assert 0 < result.best_val_crps < 1
    obs, actions = next(batches(train_sequences, range(3), 3))
    loaded = mts3.load(tmp_path)
    assert torch.equal(loaded(obs[:, :-1], actions).mean, model(obs[:, :-1], actions).mean)
    assert torch.equal(loaded(obs[:, :-1], actions).var, model(obs[:, :-1], actions).var)
    with pytest.raises(UserError, match=r"is fitted on mts3\.data.SequenceDataset, got Sequences"):
        fit(model, Sequences(3, 0), Sequences(2, 1), tmp_path, context_len=CONTEXT, window_len=2)
