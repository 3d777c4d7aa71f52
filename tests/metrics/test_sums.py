"""Running sums give what one big batch gives, and inputs are never changed."""

import pytest
import torch

from mts3.errors import UserError
from mts3.metrics import (
    RELIABILITY_LEVELS,
    LikelihoodSums,
    coverage,
    crps_gaussian,
    nll,
    rmse,
    sliding_window_nll,
    sliding_window_rmse,
)
from mts3.prediction import Prediction


@pytest.fixture
def sums(pred, target):
    """Added in batches of uneven size, whose means must not be what is averaged."""
    sums = LikelihoodSums(steps=11, obs_dim=3)
    for part in (slice(0, 1), slice(1, 5)):
        sums.add(Prediction(pred.mean[part], pred.var[part]), target[part])
    return sums


def test_uneven_batches_equal_one_batch(sums, pred, target):
    assert sums.errors.rmse() == pytest.approx(rmse(pred, target), rel=1e-6)
    assert sums.mean_nll() == pytest.approx(nll(pred, target).item(), rel=1e-6)
    assert sums.mean_crps() == pytest.approx(crps_gaussian(pred, target).nanmean().item(), rel=1e-6)
    for level in RELIABILITY_LEVELS:
        assert sums.coverage(level) == pytest.approx(coverage(pred, target, level), abs=1e-12)


def test_curves_equal_the_sliding_functions(sums, pred, target):
    torch.testing.assert_close(sums.errors.rmse_per_step(metric_window=3), sliding_window_rmse(pred, target, 3))
    torch.testing.assert_close(
        sums.nll_per_step(metric_window=3), sliding_window_nll(pred, target, 3), rtol=1e-6, atol=1e-6
    )


def test_scores_by_step_and_dimension(sums, pred, target):
    for t in (0, 10):
        step = Prediction(pred.mean[:, t : t + 1], pred.var[:, t : t + 1])
        assert sums.coverage_per_step(0.9)[t].item() == pytest.approx(coverage(step, target[:, t : t + 1], 0.9))
        assert sums.errors.rmse_per_step()[t].item() == pytest.approx(rmse(step, target[:, t : t + 1]), rel=1e-6)
    squared = ((pred.mean - target) ** 2)[..., 1]
    assert sums.errors.rmse_per_dim()[1].item() == pytest.approx(squared.nanmean().sqrt().item(), rel=1e-6)


def test_physical_scores_are_those_of_physical_values(sums, pred, target):
    scale = torch.tensor([0.1, 2.0, 30.0])
    physical = Prediction(pred.mean * scale, pred.var * scale**2)
    assert sums.errors.rmse(scale) == pytest.approx(rmse(physical, target * scale), rel=1e-6)
    torch.testing.assert_close(
        sums.errors.rmse_per_step(scale), sliding_window_rmse(physical, target * scale, 1), rtol=1e-6, atol=1e-6
    )


def test_a_nan_belief_about_an_observed_value_stays_visible(pred, target):
    broken = Prediction(pred.mean.clone(), pred.var)
    broken.mean[0, 0] = torch.nan  # sequence 0 is fully observed
    sums = LikelihoodSums(steps=11, obs_dim=3)
    sums.add(broken, target)
    for score in (sums.errors.rmse(), sums.mean_nll(), sums.mean_crps()):
        assert torch.isnan(torch.tensor(score))


def test_no_metric_changes_its_inputs(pred, target):
    before = pred.mean.clone(), pred.var.clone(), target.clone()
    LikelihoodSums(steps=11, obs_dim=3).add(pred, target)
    rmse(pred, target), nll(pred, target), crps_gaussian(pred, target), coverage(pred, target, 0.5)
    sliding_window_rmse(pred, target, 3), sliding_window_nll(pred, target, 3)
    torch.testing.assert_close((pred.mean, pred.var, target), before, rtol=0, atol=0, equal_nan=True)


def test_a_level_that_was_not_counted_is_refused(sums):
    with pytest.raises(UserError, match=r"no coverage was counted at level 0\.42"):
        sums.coverage(0.42)
