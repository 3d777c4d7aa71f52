"""RMSE against numpy, windows against the slow definition."""

import math

import numpy as np
import pytest
import torch

from mts3.errors import UserError
from mts3.metrics import rmse, sliding_window_rmse
from mts3.prediction import Prediction


def test_rmse_is_pooled_over_values_not_over_batches(pred, target):
    error = (pred.mean - target).numpy()
    assert rmse(pred, target) == pytest.approx(np.sqrt(np.nanmean(error**2)), rel=1e-6)


def test_rmse_of_nothing_is_nan(pred):
    assert math.isnan(rmse(pred, torch.full_like(pred.mean, torch.nan)))


@pytest.mark.parametrize("window", [1, 3, 11, 500])
def test_sliding_window_covers_the_steps_up_to_each_step(pred, target, window):
    error = (pred.mean - target).numpy()
    slow = [np.sqrt(np.nanmean(error[:, max(0, t + 1 - window) : t + 1] ** 2)) for t in range(error.shape[1])]
    np.testing.assert_allclose(sliding_window_rmse(pred, target, window).numpy(), slow, rtol=1e-6)


def test_sliding_window_reaches_the_last_step():
    mean = torch.zeros(2, 10, 1)
    target = mean.clone()
    target[:, -1] = 3.0
    curve = sliding_window_rmse(Prediction(mean, torch.ones_like(mean)), target, 4)
    assert curve[:-1].eq(0).all()
    assert curve[-1].item() == pytest.approx(1.5)


def test_sliding_window_forgets_a_huge_early_error():
    mean = torch.zeros(1, 6, 1)
    target = torch.tensor([1e15, 1.0, 1.0, 1.0, 1.0, 1.0]).reshape(1, 6, 1)
    curve = sliding_window_rmse(Prediction(mean, torch.ones_like(mean)), target, 2)
    assert torch.equal(curve[2:], torch.ones(4, dtype=torch.float64))


def test_sliding_window_without_values_is_nan():
    mean = torch.zeros(1, 4, 1)
    target = torch.tensor([torch.nan, torch.nan, 1.0, torch.nan]).reshape(1, 4, 1)
    curve = sliding_window_rmse(Prediction(mean, torch.ones_like(mean)), target, 1)
    assert torch.isnan(curve).tolist() == [True, True, False, True]


def test_window_below_one_is_refused(pred, target):
    with pytest.raises(UserError, match="metric_window must be a number of steps >= 1, got 0"):
        sliding_window_rmse(pred, target, 0)


def test_a_target_that_would_broadcast_is_refused(pred, target):
    with pytest.raises(UserError, match=r"target has shape \(5, 1, 3\), the prediction has \(5, 11, 3\)"):
        rmse(pred, target[:, :1])
