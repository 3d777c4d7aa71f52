import torch

from mts3.evaluate import Baselines, evaluate
from mts3.train import fit_linear
from tests.evaluate.conftest import CONTEXT, LastValue


def test_each_question_has_the_linear_baseline_that_is_fitted_for_it(train_sequences):
    baselines = Baselines.of(train_sequences, CONTEXT)
    for linear, context_len in ((baselines.far, CONTEXT), (baselines.near, None)):
        alone = type(linear)(2, 1).double()
        fit_linear(alone, train_sequences, context_len)
        assert all(torch.equal(a, b) for a, b in zip(linear.buffers(), alone.buffers(), strict=True))


def test_images_too_large_for_a_regression_are_compared_with_persistence(train_sequences, monkeypatch):
    monkeypatch.setattr("mts3.evaluate.baselines.MOST_INPUTS", 2)
    baselines = Baselines.of(train_sequences, CONTEXT)
    assert not baselines.far.obs_weights.any()
    obs, actions = torch.randn(1, 4, 2), torch.randn(1, 4, 1)
    for mean in baselines.means(baselines.far, obs, actions, torch.ones_like(obs, dtype=torch.bool)):
        assert torch.equal(mean, obs)


def test_what_is_handed_in_is_not_fitted_again(sequences, train_sequences, monkeypatch):
    alone = evaluate(LastValue(), sequences, train_sequences, CONTEXT, metric_window=4).summary()
    baselines = Baselines.of(train_sequences, CONTEXT)
    monkeypatch.setattr("mts3.evaluate.baselines.fit_linears", None)
    found = evaluate(LastValue(), sequences, train_sequences, CONTEXT, metric_window=4, baselines=baselines)
    assert found.summary() == alone
