"""What is hidden, what is scored, and that neither batch size nor seed leaks into the scores."""

import dataclasses

import numpy as np
import pytest
import torch

import mts3
from mts3.data import SequenceDataset, Trajectory
from mts3.errors import UserError
from mts3.evaluate import evaluate
from mts3.evaluate.tasks import imputation, long_horizon, one_step
from mts3.models import segments
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
    lengths, observe = [], model._observe

    def spy(state, obs, *rest):
        lengths.append(obs.shape[1])
        return observe(state, obs, *rest)

    monkeypatch.setattr(model, "_observe", spy)
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
        shown, mask = task.shown(slice(2), obs[:2])
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
