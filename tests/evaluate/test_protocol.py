"""What is hidden, what is scored, and that neither batch size nor seed leaks into the scores."""

import dataclasses

import numpy as np
import pytest
import torch

import mts3
from mts3 import segments
from mts3.data import SequenceDataset, Trajectory, fit_normalizer
from mts3.errors import UserError
from mts3.evaluate import Evaluation, Scores, evaluate
from mts3.evaluate.tasks import imputation, long_horizon, one_step
from mts3.prediction import Prediction
from tests.evaluate.conftest import CONTEXT, STEPS, LastValue, LooksAhead, MaskReader, Model


def _evaluate(model, sequences, train_sequences, **options):
    return evaluate(model, sequences, train_sequences, CONTEXT, metric_window=4, **options)


def test_an_honest_last_value_model_scores_as_persistence(sequences, train_sequences):
    found = _evaluate(LastValue(), sequences, train_sequences)
    for scores in (found.long_horizon, found.one_step, found.imputation):
        assert scores is not None
        summary = scores.summary(found.obs_std)
        assert summary["nrmse"] == pytest.approx(summary["persistence_nrmse"], rel=1e-6)
        assert summary["rmse"] == pytest.approx(summary["persistence_rmse"], rel=1e-6)
    assert found.one_step.model.errors.rmse() < found.long_horizon.model.errors.rmse()


def test_scores_are_those_of_every_observation_after_the_context(sequences, train_sequences):
    found = _evaluate(LastValue(), sequences, train_sequences)
    errors, physical = [], []
    for i in range(len(sequences)):
        obs = sequences[i]["obs"].numpy()
        errors.append(obs[CONTEXT:] - obs[CONTEXT - 1])
        physical.append(errors[-1] * sequences.normalizer.obs_std)
    errors, physical = np.array(errors), np.array(physical)
    summary = found.summary()
    assert summary["horizon"] == STEPS + 1 - CONTEXT
    assert summary["sequences"] == len(sequences)
    assert summary["values"] == errors.size
    assert summary["nrmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)
    assert summary["rmse"] == pytest.approx(np.sqrt((physical**2).mean()), rel=1e-5)
    np.testing.assert_allclose(summary["per_dim"], np.sqrt((physical**2).mean((0, 1))), rtol=1e-5)
    nll = 0.5 * (errors**2 / 0.25 + np.log(0.25) + np.log(2 * np.pi)).sum(-1)
    assert summary["nll"] == pytest.approx(nll.mean(), rel=1e-5)
    curves = found.curves()
    np.testing.assert_allclose(curves["model_nrmse"], np.sqrt((errors**2).mean((0, 2))), rtol=1e-5)
    np.testing.assert_allclose(curves["model_nrmse_sliding"][-1], np.sqrt((errors[:, -4:] ** 2).mean()), rtol=1e-5)
    np.testing.assert_allclose(curves["model_nll"], nll.mean(0), rtol=1e-5)


def test_a_model_that_reads_hidden_values_gets_nan(sequences, train_sequences):
    found = _evaluate(MaskReader(), sequences, train_sequences)
    assert np.isnan(found.long_horizon.model.errors.rmse())
    assert np.isfinite(found.long_horizon.persistence.rmse())


def test_a_model_that_looks_ahead_gets_no_score_inside_what_it_saw(sequences, train_sequences):
    found = _evaluate(LooksAhead(), sequences, train_sequences)
    assert not found.causal
    assert found.one_step is None
    assert found.imputation is None
    assert found.summary()["one_step"] is None
    assert np.isfinite(found.summary()["nrmse"])


def test_batch_size_does_not_change_a_score(sequences, train_sequences):
    one, other = (_evaluate(LastValue(), sequences, train_sequences, batch_size=size).summary() for size in (2, 100))
    for key in ("rmse", "nll", "crps", "coverage_90", "linear_nrmse"):
        assert one[key] == pytest.approx(other[key], rel=1e-6)
    assert one["imputation"]["nrmse"] == pytest.approx(other["imputation"]["nrmse"], rel=1e-6)


def test_long_sequences_are_observed_in_segments_and_score_the_same(sequences, train_sequences, monkeypatch):
    torch.manual_seed(0)
    model = mts3.MTS3(sequences.obs_dim, sequences.action_dim, window_len=3, latent_obs_dim=4)
    lengths, observe = [], model.advance

    def spy(state, given):
        lengths.append(given.steps)
        return observe(state, given)

    monkeypatch.setattr(model, "advance", spy)
    whole = _evaluate(model, sequences, train_sequences).summary()
    assert set(lengths) == {STEPS}
    monkeypatch.setattr(segments, "STEPS_AT_ONCE", 1)
    lengths.clear()
    parts = _evaluate(model, sequences, train_sequences).summary()
    assert lengths.count(3) == 4 * (STEPS // 3)  # three tasks and the examples; the check of causality sees all at once
    for one, other in (
        (whole, parts),
        (whole["one_step"], parts["one_step"]),
        (whole["imputation"], parts["imputation"]),
    ):
        for key in ("rmse", "nll", "crps", "coverage_90", "per_dim"):
            assert one[key] == pytest.approx(other[key], rel=1e-6), key


def test_the_seed_draws_the_missing_steps_and_global_state_stays(sequences, train_sequences):
    state = torch.get_rng_state()
    scores = [
        _evaluate(LastValue(), sequences, train_sequences, seed=seed).summary()["imputation"]["nrmse"]
        for seed in (0, 0, 1)
    ]
    assert scores[0] == scores[1] != scores[2]
    assert torch.equal(torch.get_rng_state(), state)


def test_tasks_share_their_span_and_score_only_what_is_hidden_or_next():
    shape = 7, 21, CONTEXT
    far, near = long_horizon(*shape), one_step(*shape)
    gaps = imputation(*shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(far.scored, near.scored)
    for task in (far, near, gaps):
        assert not task.scored[:, :CONTEXT].any()
    assert not (far.visible & far.scored).any()
    assert not (gaps.visible & gaps.scored).any()
    assert torch.equal(gaps.scored[:, CONTEXT:], ~gaps.visible[:, CONTEXT:])
    assert gaps.visible.float().mean().item() == pytest.approx(0.5, abs=0.12)


def test_no_task_hands_over_a_hidden_value():
    obs = torch.randn(7, 21, 2, generator=torch.Generator().manual_seed(0))
    obs[0, 2, 1] = torch.nan
    for task in (long_horizon(7, 21, CONTEXT), imputation(7, 21, CONTEXT, torch.Generator().manual_seed(0))):
        shown, _, mask = task.given(slice(2), obs[:2], torch.zeros(2, 20, 1))
        assert torch.isnan(shown[~mask]).all()
        assert torch.equal(shown[mask], obs[:2, :-1][mask])
        assert torch.isnan(shown[~task.visible[:2, :-1]]).all()
        assert not mask[0, 2, 1]


def test_missing_observations_are_neither_shown_nor_scored(test_trajectories, normalizer, train_sequences):
    holes = []
    for trajectory in test_trajectories:
        obs = trajectory.obs.copy()
        obs[4:12, 1] = np.nan
        holes.append(Trajectory(obs, trajectory.actions, trajectory.name))
    sequences = SequenceDataset(holes, normalizer, STEPS, STEPS)
    found = _evaluate(LastValue(), sequences, train_sequences)
    targets = torch.stack([item["obs"][CONTEXT:] for item in sequences])
    assert found.long_horizon.values == (~torch.isnan(targets)).sum()
    assert np.isfinite(found.summary()["rmse"])


@pytest.fixture
def short_sequences(test_trajectories, normalizer):
    """Of 14, 20, 3 (less than the context) and 11 rows, where STEPS + 1 were asked for: 14 of 15 hidden steps exist."""
    rows = (14, 20, 3, 11)
    cut = [trajectory.rows(0, number) for trajectory, number in zip(test_trajectories, rows, strict=False)]
    return SequenceDataset(cut, normalizer, STEPS, STEPS)


def test_what_is_reported_is_what_was_scored(short_sequences, train_sequences):
    found = _evaluate(LastValue(), short_sequences, train_sequences)
    summary = found.summary()
    assert (summary["horizon"], summary["scored_steps"], summary["configured_horizon"]) == (14, 14, 15)
    assert (summary["sequences"], summary["sequences_at_end"]) == (3, 1)
    assert summary["values"] == 2 * (8 + 14 + 5)
    assert {len(curve) for curve in found.curves().values()} == {14}
    assert found.long_horizon.model.nll_count.tolist() == [3] * 5 + [2] * 3 + [1] * 6 + [0]
    for task in ("one_step", "imputation"):
        assert summary[task]["sequences"] == 3


def test_examples_end_with_what_exists(short_sequences, train_sequences):
    examples = _evaluate(LastValue(), short_sequences, train_sequences).examples
    assert examples.obs.shape == (4, CONTEXT + 14, 2)
    assert examples.mean.shape == (4, CONTEXT + 13, 2)
    for i, rows in enumerate((14, 20, 3, 11)):
        for name in ("actions", "mean", "var", "persistence", "linear"):
            values = getattr(examples, name)[i]
            assert np.isfinite(values[: rows - 1]).all(), name
            assert np.isnan(values[rows - 1 :]).all(), name
        assert np.isnan(examples.obs[i, rows:]).all()
        assert not examples.obs_mask[i, rows:].any()


def test_a_look_ahead_is_seen_where_all_sequences_are_short(test_trajectories, normalizer, train_sequences):
    """A change of rows that are not there shows nothing."""

    class LooksAheadOnce(LooksAhead):
        def mean(self, obs, obs_mask):
            ahead = super().mean(obs, obs_mask)
            return torch.cat([torch.zeros_like(obs[:, :6]), ahead[:, 6:]], 1)  # after the sixth step alone

    cut = [trajectory.rows(0, 9) for trajectory in test_trajectories]
    sequences = SequenceDataset(cut, normalizer, 100, 100)  # 0.09 of 100 is row 9
    assert not _evaluate(LooksAheadOnce(), sequences, train_sequences).causal


def test_coverage_is_told_for_each_third(sequences, train_sequences, short_sequences):
    class Spread(Model):
        """Certain at first, then too sure by far, then too unsure."""

        def observe(self, obs, actions=None, obs_mask=None, state=None):
            std = torch.tensor([1.0] * 10 + [1e-6] * 5 + [1e6] * 5)[: obs.shape[1], None]
            return Prediction(torch.zeros_like(obs), std.square().expand_as(obs).contiguous()), None

    summary = _evaluate(Spread(), sequences, train_sequences).summary()
    first, middle, last = summary["coverage_90_thirds"]  # entries 5-9, 10-14 and 15-19 of 20
    assert (middle, last) == (0.0, 1.0)
    targets = torch.stack([item["obs"][CONTEXT : CONTEXT + 5] for item in sequences])
    assert first == pytest.approx((targets.abs() <= 1.6448536).double().mean().item())
    assert summary["coverage_90"] == pytest.approx((first + middle + last) / 3)
    # Of 14 scored steps: 4, 5 and 5.
    found = _evaluate(LastValue(), short_sequences, train_sequences)
    count, inside = found.long_horizon.model.errors.count.sum(1), found.long_horizon.model.inside[-3]
    thirds = [(inside[part].sum() / count[part].sum()).item() for part in (slice(4), slice(4, 9), slice(9, 14))]
    assert found.summary()["coverage_90_thirds"] == pytest.approx(thirds)


def test_thirds_of_one_step_are_null_where_empty(test_trajectories, normalizer, train_sequences):
    one = SequenceDataset([test_trajectories[0].rows(0, CONTEXT + 1)], normalizer, STEPS, STEPS)
    summary = _evaluate(LastValue(), one, train_sequences).summary()
    assert summary["horizon"] == 1
    assert [third is None for third in summary["coverage_90_thirds"]] == [True, True, False]


def _curves(model, persistence, linear, metric_window=1):
    """An evaluation of one channel whose errors at each step are given; NaN where nothing was observed."""
    scores = Scores.empty(len(model), 1)
    for sums, errors in ((scores.model, model), (scores.persistence, persistence), (scores.linear, linear)):
        mean = torch.tensor(errors, dtype=torch.float32)[None, :, None]
        target = torch.where(torch.isnan(mean), torch.nan, 0.0)
        mean = mean.nan_to_num()
        sums.add(Prediction(mean, torch.ones_like(mean)) if sums is scores.model else mean, target)
    return Evaluation(scores, None, None, True, 1, metric_window, torch.ones(1), 0.0, 0, "cpu", examples=None)


@pytest.mark.parametrize(
    ("model", "persistence", "linear", "steps"),
    [
        ([1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3], 4),  # below both everywhere
        ([1, 1, 3, 1], [2, 2, 2, 2], [4, 4, 4, 4], 2),  # not counted again once it was lost
        ([1, 1, 1, 5], [9, 9, 9, 9], [4, 4, 4, 4], 3),
        ([2, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3], 0),  # as good is not better
        ([1, torch.nan, 1, 3], [2, torch.nan, 2, 2], [3, torch.nan, 3, 3], 3),  # nothing to compare at step 2
        ([1, 1, torch.nan, torch.nan], [2, 2, torch.nan, torch.nan], [2, 2, torch.nan, torch.nan], 2),
    ],
)
def test_the_break_even_horizon(model, persistence, linear, steps):
    assert _curves(model, persistence, linear).break_even_horizon() == steps


def test_the_break_even_horizon_is_of_the_sliding_window():
    model, persistence, linear = [1, 3, 1, 9], [2, 2, 2, 2], [8, 8, 8, 8]
    assert _curves(model, persistence, linear, metric_window=1).break_even_horizon() == 1
    # Over 3 steps: sqrt(1), sqrt(10 / 2), ... against 2.
    assert _curves(model, persistence, linear, metric_window=3).break_even_horizon() == 1
    assert _curves([1, 2.2, 1, 9], persistence, linear, metric_window=3).break_even_horizon() == 3
    # Windows that reach beyond the last scored step are no step.
    rest = [torch.nan] * 2
    assert _curves([1, 1, *rest], [9, 0.5, *rest], [9, 1.1, *rest], metric_window=2).break_even_horizon() == 2


def test_a_reward_that_was_never_known_is_null(test_trajectories, train_trajectories):
    class Tells(LastValue):
        def observe(self, obs, actions=None, obs_mask=None, state=None):
            pred, _ = super().observe(obs, actions, obs_mask)
            reward = pred.mean[..., :1]
            return Prediction(pred.mean, pred.var, Prediction(reward, torch.ones_like(reward))), None

    def rewarded(trajectories, known):
        rows = np.arange(60)
        given = np.where(rows < known, rows, np.nan)
        return [Trajectory(t.obs, t.actions, t.name, given) for t in trajectories]

    train = rewarded(train_trajectories, 60)
    normalizer = fit_normalizer(train)[0]
    train_sequences = SequenceDataset(train, normalizer, STEPS, 10)
    for known, told in ((60, True), (0, False)):
        sequences = SequenceDataset(rewarded(test_trajectories, known), normalizer, STEPS, STEPS)
        found = _evaluate(Tells(), sequences, train_sequences).summary()
        assert (found["reward"] is not None) == told


def test_the_model_is_left_as_it_was(sequences, train_sequences):
    class Remembers(LastValue):
        modes: tuple = ()

        def mean(self, obs, obs_mask):
            self.modes += (self.training, torch.is_grad_enabled())
            return super().mean(obs, obs_mask)

    model = Remembers().train()
    _evaluate(model, sequences, train_sequences)
    assert model.training
    assert not any(model.modes)


def test_examples_are_physical_and_say_what_was_seen(sequences, train_sequences, test_trajectories):
    examples = _evaluate(LastValue(), sequences, train_sequences).examples
    by_name = {trajectory.name: trajectory for trajectory in test_trajectories}
    for i in range(len(examples.obs)):
        source, row = by_name[str(examples.trajectory[i])], examples.first_row[i]
        np.testing.assert_allclose(examples.obs[i], source.obs[row : row + STEPS + 1], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(examples.actions[i], source.actions[row : row + STEPS], rtol=1e-4, atol=1e-4)
    assert examples.obs_mask[:, :CONTEXT].all()
    assert not examples.obs_mask[:, CONTEXT:].any()
    np.testing.assert_allclose(examples.mean, examples.persistence, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(examples.var[0, 0], 0.25 * sequences.normalizer.obs_std**2, rtol=1e-5)


@pytest.mark.parametrize("context_len", [0, STEPS + 1])
def test_a_context_that_leaves_nothing_is_refused(sequences, train_sequences, context_len):
    with pytest.raises(UserError, match=f"context_len is {context_len} and sequences have {STEPS} steps"):
        evaluate(LastValue(), sequences, train_sequences, context_len, metric_window=4)


def test_other_statistics_than_the_models_are_refused(sequences, train_sequences, normalizer):
    model = LastValue()
    model.normalizer = dataclasses.replace(normalizer, obs_mean=normalizer.obs_mean + 1.0)
    with pytest.raises(UserError, match="not normalized with the statistics the model was trained with"):
        _evaluate(model, sequences, train_sequences)


def test_nothing_observed_after_the_context_is_refused(test_trajectories, normalizer, train_sequences):
    first = test_trajectories[0]
    obs = first.obs[: STEPS + 1].copy()
    obs[CONTEXT:] = np.nan
    silent = SequenceDataset([Trajectory(obs, first.actions[: STEPS + 1], "silent")], normalizer, STEPS, STEPS)
    with pytest.raises(UserError, match="nothing to score"):
        _evaluate(LastValue(), silent, train_sequences)


def test_perfect_spread_is_calibrated(normalizer, train_sequences):
    """Observations drawn around 0 with the variance the model claims: every level is covered as it says."""
    rng = np.random.default_rng(0)

    class Knows(Model):
        def observe(self, obs, actions=None, obs_mask=None, state=None):
            return Prediction(torch.zeros_like(obs), torch.full_like(obs, 0.25)), None

    noise = [Trajectory(0.5 * rng.normal(size=(2001, 2)), np.zeros((2001, 1)), "noise")]
    noise = [Trajectory(t.obs * normalizer.obs_std + normalizer.obs_mean, t.actions, t.name) for t in noise]
    sequences = SequenceDataset(noise, normalizer, 2000, 2000)
    found = _evaluate(Knows(), sequences, train_sequences).summary()
    np.testing.assert_allclose(found["reliability"]["coverage"], found["reliability"]["level"], atol=0.03)
    assert found["nll"] == pytest.approx(2 * (0.5 * np.log(2 * np.pi * 0.25) + 0.5), abs=0.05)
    assert found["crps"] == pytest.approx(0.5 / np.sqrt(np.pi), abs=0.01)
