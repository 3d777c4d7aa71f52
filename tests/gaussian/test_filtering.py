"""Filtering a whole sequence: against the dense Kalman filter, the joint Gaussian, and itself in another grouping."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mts3.gaussian import Belief, associative, dense_map, evidence_of, filtering, modal_map, textbook
from tests.gaussian.dense import as_belief_arrays, as_dense
from tests.gaussian.strategies import random_belief, random_matrix, random_observations, seeds
from tests.gaussian.test_marginalize import dense_of, random_blocks

BATCH, STEPS, DIM = 2, 7, 3


def problem(seed: int, kind: str):
    """A random linear system with gaps; returns the pieces in both notations."""
    g = torch.Generator().manual_seed(seed)
    prior = random_belief(seed, (BATCH,), DIM)
    blocks = 0.6 * random_blocks(seed, DIM)
    matrix = dense_of(blocks) if kind == "modal" else random_matrix(seed, DIM)
    transition = modal_map(blocks) if kind == "modal" else dense_map(matrix)
    shift = torch.randn(BATCH, STEPS, 2 * DIM, generator=g, dtype=torch.float64)
    noise = torch.rand(2, DIM, generator=g, dtype=torch.float64) + 0.1
    fields = torch.cat((noise[0], torch.zeros(DIM).double(), noise[1])).expand(BATCH, STEPS, -1)
    obs, var, mask = random_observations(seed, (BATCH, STEPS), DIM)
    steps = (transition, Belief(shift, fields), evidence_of(obs, var, mask))
    return (
        prior,
        steps,
        (matrix.numpy(), shift.numpy(), np.diag(noise.flatten().numpy()), obs.numpy(), var.numpy(), mask.numpy()),
    )


@given(seeds, st.sampled_from(["dense", "modal"]))
@settings(max_examples=30)
def test_equals_the_dense_kalman_filter(seed, kind):
    """With gaps. Modal filtering is exact; dense filtering is the textbook's, projected after each prediction."""
    prior, steps, (matrix, shift, noise, obs, var, mask) = problem(seed, kind)
    predicted = filtering.scan(prior, filtering.prepare(*steps))
    for b in range(BATCH):
        oracle = textbook.kalman_filter(
            as_dense(prior, b), matrix, shift[b], noise, obs[b], var[b], mask[b], project=kind == "dense"
        )[1]
        for t in range(STEPS):
            mean, cov = as_belief_arrays(oracle[t])
            np.testing.assert_allclose(predicted[t].mean[b], mean, rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(predicted[t].cov[b], cov, rtol=1e-8, atol=1e-9)


@given(seeds)
@settings(max_examples=20)
def test_the_textbook_filter_equals_the_joint_gaussian_of_the_sequence(seed):
    """The oracle itself: one inversion of everything, no recursion."""
    prior, _, (matrix, shift, noise, obs, var, mask) = problem(seed, "dense")
    filtered, _ = textbook.kalman_filter(as_dense(prior, 0), matrix, shift[0], noise, obs[0], var[0], mask[0])
    joint = textbook.joint_of_sequence(as_dense(prior, 0), matrix, shift[0], noise, STEPS)
    rows = [np.eye(1, STEPS, t)[0] for t in range(STEPS) if mask[0, t]]
    if rows:
        select = np.kron(np.array(rows), np.eye(DIM, 2 * DIM))
        seen = obs[0][mask[0]].flatten()
        joint = textbook.condition(joint, select, seen, np.diag(var[0][mask[0]].flatten()))
    last = slice((STEPS - 1) * 2 * DIM, STEPS * 2 * DIM)
    np.testing.assert_allclose(filtered[-1][0], joint[0][last], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(filtered[-1][1], joint[1][last, last], rtol=1e-6, atol=1e-7)


@given(seeds, st.integers(1, STEPS - 1), st.integers(1, STEPS - 1))
@settings(max_examples=30)
def test_modal_steps_compose_in_any_grouping(seed, first, second):
    prior, steps, _ = problem(seed, "modal")
    elements = associative.prepare(*steps)

    def at(t: int) -> associative.ScanElement:
        return associative.ScanElement(*(getattr(elements, field)[:, t] for field in ("A", "b", "C", "eta", "J")))

    expected = filtering.scan(prior, filtering.prepare(*steps))[-1]
    cut = sorted({0, first, second, STEPS})
    parts = []
    for start, stop in itertools.pairwise(cut):
        part = at(start)
        for t in range(start + 1, stop):
            part = associative.combine(part, at(t))
        parts.append(part)
    while len(parts) > 1:  # from the right, the other way round than the filter goes
        parts[-2:] = [associative.combine(*parts[-2:])]
    got = associative.apply(prior, parts[0])
    torch.testing.assert_close(got.mean, expected.mean, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(got.cov, expected.cov, rtol=1e-7, atol=1e-8)


def test_dense_steps_refuse_to_compose():
    _, steps, _ = problem(0, "dense")
    with pytest.raises(ValueError, match="only modal transitions compose, got DenseMap"):
        associative.prepare(*steps)


@pytest.mark.parametrize("kind", ["dense", "modal"])
def test_gradients_against_finite_differences(kind):
    prior, _, (matrix, shift, noise, obs, var, mask) = problem(1, kind)
    start = Belief.from_halves(
        prior.upper_mean, prior.lower_mean, *(torch.full((BATCH, DIM), x).double() for x in (2.0, 0.3, 1.0))
    )
    cov = torch.tensor(np.concatenate([np.diag(noise)[:DIM], np.zeros(DIM), np.diag(noise)[DIM:]])).expand(
        BATCH, STEPS, -1
    )
    parameter = 0.6 * random_blocks(1, DIM) if kind == "modal" else torch.tensor(matrix)

    def last(parameter, shift, obs, var):
        transition = modal_map(parameter) if kind == "modal" else dense_map(parameter)
        evidence = evidence_of(obs, 1.0 + var, torch.tensor(mask))
        after = filtering.scan(start, filtering.prepare(transition, Belief(shift, cov), evidence))[-1]
        return after.mean, after.cov

    inputs = [
        x.clone().requires_grad_() for x in (parameter, torch.tensor(shift), torch.tensor(obs), torch.tensor(var))
    ]
    assert torch.autograd.gradcheck(last, inputs)


def test_detaching_cuts_the_gradient_of_the_state_and_nothing_else():
    prior, steps, _ = problem(2, "modal")
    mean = prior.mean.clone().requires_grad_()
    kept = filtering.scan(Belief(mean, prior.cov), filtering.prepare(*steps))
    cut = filtering.scan(Belief(mean, prior.cov), filtering.prepare(*steps), detach_at=frozenset({3}))
    assert torch.equal(kept[-1].mean, cut[-1].mean)
    assert kept[-1].mean.requires_grad
    assert not cut[-1].mean.requires_grad
