"""The NLL against torch.distributions, and its gradient with missing targets."""

import numpy as np
import pytest
import torch

from mts3.metrics import nll, sliding_window_nll
from mts3.prediction import Prediction


def _slow_nll(pred, target):
    """(B, T) nats, NaN where a step has no observed dim."""
    density = torch.distributions.Normal(pred.mean, pred.std, validate_args=False).log_prob(target)
    nll = -density.nansum(-1)
    return torch.where(torch.isnan(target).all(-1), torch.nan, nll)


def test_nll_sums_over_dims_and_means_over_steps_with_an_observation(pred, target):
    assert nll(pred, target).item() == pytest.approx(_slow_nll(pred, target).nanmean().item(), rel=1e-5)


def test_sliding_nll_covers_the_steps_up_to_each_step(pred, target):
    nll = _slow_nll(pred, target).numpy()
    slow = [np.nanmean(nll[:, max(0, t - 3) : t + 1]) for t in range(nll.shape[1])]
    np.testing.assert_allclose(sliding_window_nll(pred, target, 4).numpy(), slow, rtol=1e-5)


def test_missing_targets_leave_finite_gradients_and_none_of_their_own(pred, target):
    mean, var = pred.mean.clone().requires_grad_(), pred.var.clone().requires_grad_()
    nll(Prediction(mean, var), target).backward()
    missing = torch.isnan(target)
    for gradient in (mean.grad, var.grad):
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient[missing].eq(0).all()
        assert gradient[~missing].ne(0).all()


def test_nothing_observed_is_loss_zero_with_gradient_zero(pred):
    mean = pred.mean.clone().requires_grad_()
    loss = nll(Prediction(mean, pred.var), torch.full_like(mean, torch.nan))
    loss.backward()
    assert loss.item() == 0.0
    assert mean.grad is not None
    assert mean.grad.eq(0).all()


def test_the_optimum_is_the_truth():
    """The minimiser over (mean, var) of the NLL of a sample is its mean and variance."""
    sample = torch.randn(400, 1, 1, generator=torch.Generator().manual_seed(1)) * 2.0 + 3.0
    mean, log_var = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([mean, log_var], max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = nll(Prediction(mean.expand(400, 1, 1), log_var.exp().expand(400, 1, 1)), sample)
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    assert mean.item() == pytest.approx(sample.mean().item(), rel=1e-3)
    assert log_var.exp().item() == pytest.approx(sample.var(correction=0).item(), rel=1e-3)
