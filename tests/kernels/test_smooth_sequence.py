"""Smoothing solves the problem that filtering states, and agrees with the joint Gaussian of the whole sequence."""

import numpy as np
import pytest
import torch

import mts3
from mts3.gaussian import Belief, textbook
from mts3.kernels import Problem, filter_sequence, smooth_sequence, use_backend
from mts3.models.inputs import Inputs
from tests.kernels.problems import random_problem

STEPS = 6


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_it_is_the_joint_gaussian_given_all_observations(backend):
    torch.manual_seed(0)
    model = mts3.AcRKN(3, 2, transition="modal", latent_obs_dim=2, encoder_hidden=8, decoder_hidden=8).double()
    obs, actions = torch.randn(1, STEPS, 3).double(), torch.randn(1, STEPS, 2).double()
    mask = torch.tensor([True, True, False, True, False, True])[None, :, None].expand(1, STEPS, 3)
    with torch.no_grad(), use_backend(backend):
        given, fast = Inputs(actions, obs, mask), model.fast
        problem = fast.problem(model.initial_state(1).prior, fast.marginalization.offset([]), given)
        smoothed = fast.smooth(problem)
        pred = fast.decode(smoothed)
    assert pred.mean.shape == (1, STEPS, 3)
    blocks = problem.transition.mean_blocks.numpy()
    matrix = np.block([[np.diag(blocks[i, j]) for j in range(2)] for i in range(2)])
    prior = dense(problem.prior.map(lambda x: x[0]))
    noise = dense(problem.offset.map(lambda x: x[0, 0]))[1]
    mean, cov = textbook.joint_of_sequence(prior, matrix, problem.offset.mean[0].numpy(), noise, STEPS)
    observed = [t for t in range(STEPS) if mask[0, t, 0]]
    pick = np.zeros((2 * len(observed), 4 * STEPS))
    for row, t in enumerate(observed):
        pick[2 * row : 2 * row + 2, 4 * t : 4 * t + 2] = np.eye(2)
    precision = problem.evidence.precision[0, observed].numpy()
    values = (problem.evidence.information[0, observed].numpy() / precision).ravel()
    mean, cov = textbook.condition((mean, cov), pick, values, np.diag(1 / precision.ravel()))
    for t in range(STEPS):
        part = slice(4 * t, 4 * t + 4)
        found = dense(smoothed.map(lambda x, t=t: x[0, t]))
        np.testing.assert_allclose(found[0], mean[part], rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found[1], cov[part, part], rtol=1e-7, atol=1e-9)


def dense(belief: Belief):
    """Mean and dense covariance of one belief."""
    upper, side, lower = (np.diag(x) for x in belief.cov.detach().numpy().reshape(3, -1))
    return belief.mean.detach().numpy(), np.block([[upper, side], [side, lower]])


def test_the_last_belief_knows_no_more_than_the_filter():
    problem, _ = random_problem("modal", dtype=torch.float64)
    smoothed, after = smooth_sequence(problem), filter_sequence(problem)
    last = problem.transition.apply(smoothed.select(1, -1)) + problem.offset.select(1, -1)
    torch.testing.assert_close(last.mean, after.mean[:, -1])
    torch.testing.assert_close(last.cov, after.cov[:, -1])


def test_nothing_observed_leaves_the_priors():
    problem, _ = random_problem("modal", dtype=torch.float64)
    blind = Problem(problem.prior, problem.transition, problem.offset, None)
    smoothed = smooth_sequence(blind)
    torch.testing.assert_close(smoothed.mean[:, 0], problem.prior.mean)
    torch.testing.assert_close(smoothed.mean[:, 1:], filter_sequence(blind).mean[:, :-1])


@pytest.mark.usefixtures("auto_backend")
def test_dense_transitions_are_refused_in_words():
    problem, _ = random_problem("dense", dtype=torch.float64)
    with pytest.raises(ValueError, match="only modal filters can be smoothed, got DenseMap"):
        smooth_sequence(problem)
