"""Smoothing against the joint Gaussian of the whole sequence, and what must hold of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from mts3.gaussian import Belief, evidence_of, filtering, modal_map, smoothing, stack, textbook
from tests.gaussian.dense import as_belief_arrays, as_dense
from tests.gaussian.strategies import seeds
from tests.gaussian.test_filtering import BATCH, DIM, STEPS, problem


def filtered(prior, steps) -> tuple[Belief, Belief]:
    """The posteriors and predictions of a filter, (B, T) beliefs."""
    posteriors, predictions = [], []
    for step in filtering.prepare(*steps):
        posterior, prior = filtering.combine(prior, step)
        posteriors.append(posterior)
        predictions.append(prior)
    return stack(posteriors, 1), stack(predictions, 1)


@given(seeds)
@settings(max_examples=25)
def test_equals_the_joint_gaussian_of_the_sequence(seed):
    """With gaps: every state given all observations, by one inversion of everything."""
    prior, steps, (matrix, shift, noise, obs, var, mask) = problem(seed, "modal")
    smoothed = smoothing.smooth(*filtered(prior, steps), steps[0])
    for b in range(BATCH):
        joint = textbook.joint_of_sequence(as_dense(prior, b), matrix, shift[b], noise, STEPS)
        if mask[b].any():
            rows = np.eye(STEPS)[mask[b]]
            select = np.kron(rows, np.eye(DIM, 2 * DIM))
            seen = obs[b][mask[b]].flatten()
            joint = textbook.condition(joint, select, seen, np.diag(var[b][mask[b]].flatten()))
        for t in range(STEPS):
            part = slice(2 * DIM * t, 2 * DIM * (t + 1))
            mean, cov = as_belief_arrays((joint[0][part], joint[1][part, part]))
            np.testing.assert_allclose(smoothed.mean[b, t], mean, rtol=1e-6, atol=1e-6 * max(1, abs(mean).max()))
            np.testing.assert_allclose(smoothed.cov[b, t], cov, rtol=1e-6, atol=1e-6 * max(1, abs(cov).max()))


@given(seeds)
@settings(max_examples=25)
def test_the_last_belief_is_the_last_posterior_and_no_variance_grows(seed):
    prior, steps, _ = problem(seed, "modal")
    posteriors, predictions = filtered(prior, steps)
    smoothed = smoothing.smooth(posteriors, predictions, steps[0])
    assert torch.equal(smoothed.mean[:, -1], posteriors.mean[:, -1])
    assert torch.equal(smoothed.cov[:, -1], posteriors.cov[:, -1])
    for name in ("upper_var", "lower_var"):
        after, before = getattr(smoothed, name), getattr(posteriors, name)
        assert (after <= before * (1 + 1e-9) + 1e-9).all(), name
        assert (after > 0).all(), name


def test_what_comes_later_reaches_what_was_not_observed():
    """A gap: the filter knows nothing of it, the smoother does."""
    prior, (transition, offset, _), _ = problem(0, "modal")
    mask = torch.zeros(BATCH, STEPS, dtype=torch.bool)
    mask[:, -1] = True
    obs, var = torch.full((2, BATCH, STEPS, DIM), 0.1, dtype=torch.float64)
    posteriors, predictions = filtered(prior, (transition, offset, evidence_of(obs, var, mask)))
    smoothed = smoothing.smooth(posteriors, predictions, transition)
    assert (smoothed.upper_var[:, -2] < posteriors.upper_var[:, -2]).all()


def test_gradients_against_finite_differences():
    g = torch.Generator().manual_seed(3)
    prior = Belief(torch.zeros(1, 2).double(), torch.tensor([[2.0, 0.3, 1.0]]).double())
    cov = torch.tensor([0.2, 0.0, 0.3]).double().expand(1, 4, -1)
    blocks = 0.8 * torch.randn(2, 2, 1, generator=g, dtype=torch.float64)
    obs = torch.randn(1, 4, 1, generator=g, dtype=torch.float64)
    mask = torch.tensor([[True, False, True, True]])

    def first(blocks, obs, var):
        offset = Belief(torch.ones(1, 4, 2).double(), cov)
        steps = (modal_map(blocks), offset, evidence_of(obs, var.expand_as(obs), mask))
        smoothed = smoothing.smooth(*filtered(prior, steps), steps[0])
        return smoothed.mean[:, 0], smoothed.cov[:, 0]

    inputs = [x.requires_grad_() for x in (blocks, obs, torch.tensor(0.5, dtype=torch.float64))]
    assert torch.autograd.gradcheck(first, inputs)


def test_dense_filters_are_refused():
    prior, steps, _ = problem(0, "dense")
    with pytest.raises(ValueError, match="only modal filters can be smoothed, got DenseMap"):
        smoothing.smooth(*filtered(prior, steps), steps[0])
