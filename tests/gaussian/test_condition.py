"""Theorems of conditioning, and the textbook beside it."""

import numpy as np
import torch
from hypothesis import given

from mts3.gaussian import Belief, Evidence, aggregate, condition, evidence_of, textbook
from tests.gaussian.dense import as_dense
from tests.gaussian.strategies import dims, no_evidence, random_belief, random_observations, seeds

BATCH, SET = 3, 5


def problem(seed: int, dim: int):
    return random_belief(seed, (BATCH,), dim), *random_observations(seed, (BATCH, SET), dim)


@given(seeds, dims)
def test_order_of_observations_does_not_matter(seed, dim):
    prior, obs, var, mask = problem(seed, dim)
    order = torch.randperm(SET, generator=torch.Generator().manual_seed(seed))
    once = condition(prior, evidence_of(obs, var, mask).sum(1))
    shuffled = condition(prior, evidence_of(obs[:, order], var[:, order], mask[:, order]).sum(1))
    torch.testing.assert_close(once.mean, shuffled.mean, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(once.cov, shuffled.cov, rtol=1e-9, atol=1e-12)


@given(seeds, dims)
def test_a_set_equals_one_by_one(seed, dim):
    prior, obs, var, mask = problem(seed, dim)
    at_once = condition(prior, evidence_of(obs, var, mask).sum(1))
    belief = prior
    for evidence in evidence_of(obs, var, mask).unbind(1):
        belief = condition(belief, evidence)
    torch.testing.assert_close(at_once.mean, belief.mean, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(at_once.cov, belief.cov, rtol=1e-8, atol=1e-10)


@given(seeds, dims)
def test_masked_members_are_as_if_absent(seed, dim):
    prior, obs, var, _ = problem(seed, dim)
    keep = torch.tensor([True, False, True, True, False])
    masked = condition(prior, evidence_of(obs, var, keep.expand(BATCH, SET)).sum(1))
    absent = condition(prior, evidence_of(obs[:, keep], var[:, keep], torch.ones(BATCH, 3, dtype=torch.bool)).sum(1))
    torch.testing.assert_close(masked.mean, absent.mean)
    torch.testing.assert_close(masked.cov, absent.cov)


@given(seeds, dims)
def test_conditioning_never_widens(seed, dim):
    prior, obs, var, mask = problem(seed, dim)
    posterior = condition(prior, evidence_of(obs, var, mask).sum(1))
    assert (posterior.upper_var <= prior.upper_var).all()
    assert (posterior.lower_var <= prior.lower_var).all()


@given(seeds, dims)
def test_nothing_observed_is_the_prior_bit_for_bit(seed, dim):
    prior, obs, var, _ = problem(seed, dim)
    nothing = torch.zeros(BATCH, SET, dtype=torch.bool)
    for evidence in (evidence_of(obs, var, nothing).sum(1), no_evidence((BATCH,), dim)):
        posterior = condition(prior, evidence)
        assert torch.equal(posterior.mean, prior.mean)
        assert torch.equal(posterior.cov, prior.cov)


@given(seeds, dims)
def test_blocks_stay_positive_definite(seed, dim):
    prior, obs, var, mask = problem(seed, dim)
    single = Belief(prior.mean.float(), prior.cov.float())
    posterior = condition(single, evidence_of(obs.float(), var.float(), mask).sum(1))
    assert (posterior.upper_var > 0).all()
    assert (posterior.upper_var * posterior.lower_var > posterior.side**2).all()


@given(seeds, dims)
def test_equals_the_textbook(seed, dim):
    prior, obs, var, mask = problem(seed, dim)
    posterior = condition(prior, evidence_of(obs, var, mask).sum(1))
    for b in range(BATCH):
        belief = as_dense(prior, b)
        for n in range(SET):
            if mask[b, n]:
                upper = np.eye(dim, 2 * dim)
                belief = textbook.condition(belief, upper, obs[b, n].numpy(), np.diag(var[b, n].numpy()))
        mean, cov = as_dense(posterior, b)
        np.testing.assert_allclose(mean, belief[0], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(cov, belief[1], rtol=1e-8, atol=1e-10)


def test_a_value_under_a_false_mask_is_never_read_nor_given_gradient():
    prior, obs, var, _ = problem(0, 2)
    mask = torch.tensor([True, False, True, False, True]).expand(BATCH, SET)
    obs = torch.where(mask[..., None], obs, torch.nan).requires_grad_()
    var.requires_grad_()
    posterior = condition(prior, evidence_of(obs, var, mask).sum(1))
    (posterior.mean.sum() + posterior.cov.sum()).backward()
    assert torch.isfinite(posterior.mean).all()
    assert (obs.grad[:, 1] == 0).all()
    assert (var.grad[:, 3] == 0).all()
    assert (obs.grad[:, 0] != 0).all()


def test_gradients_against_finite_differences():
    prior, obs, var, mask = problem(1, 2)

    def posterior(mean, cov, obs, var):
        after = condition(Belief(mean, cov), evidence_of(obs, var, mask).sum(1))
        return after.mean, after.cov

    # Variances of one scale: finite differences over six decades would measure their own step.
    cov = Belief.from_halves(
        *(torch.zeros(BATCH, 2).double(),) * 2, *map(torch.full_like, (prior.upper_var,) * 3, (2.0, 0.5, 1.0))
    ).cov
    inputs = [x.clone().requires_grad_() for x in (prior.mean, cov, obs, 1.0 + var)]
    assert torch.autograd.gradcheck(posterior, inputs)


def test_evidence_adds_as_tensors_do():
    """Evidence was once kept in lists, whose sum is a longer list: the abstract action's variance got lost."""
    one = Evidence(torch.ones(2, 3), 2.0 * torch.ones(2, 3))
    both = one + one
    assert torch.equal(both.precision, torch.full((2, 3), 2.0))
    assert torch.equal(both.information, torch.full((2, 3), 4.0))


@given(seeds, dims)
def test_aggregation_is_conditioning_a_standard_normal(seed, dim):
    obs, var, mask = random_observations(seed, (BATCH, SET), dim)
    evidence = evidence_of(obs, var, mask).sum(1)
    zero, one = torch.zeros(BATCH, dim).double(), torch.ones(BATCH, dim).double()
    posterior = condition(Belief.from_halves(zero, zero, one, zero, one), evidence)
    mean, got = aggregate(evidence)
    torch.testing.assert_close(mean, posterior.upper_mean)
    torch.testing.assert_close(got, posterior.upper_var)
