"""Marginalization against the textbook, for every kind of map and any number of parents."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mts3.gaussian import Belief, dense_map, marginalize, modal_map, noise_cov, textbook
from tests.gaussian.dense import as_belief_arrays, as_dense
from tests.gaussian.strategies import dims, random_belief, random_matrix, seeds

BATCH = 2


def random_blocks(seed: int, dim: int):
    return torch.randn(2, 2, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense_of(blocks: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.cat([torch.diag(b) for b in row], 1) for row in blocks], 0)


@given(seeds, dims, st.integers(0, 3))
def test_any_number_of_parents_equals_the_textbook(seed, dim, parents):
    beliefs = [random_belief(seed + i, (BATCH,), dim) for i in range(parents)]
    matrices = [random_matrix(seed + i, dim) for i in range(parents)]
    shift = random_belief(seed - 1, (BATCH,), dim).mean
    noise = torch.rand(2, dim, generator=torch.Generator().manual_seed(seed)).double()
    got = marginalize([(dense_map(m), b) for m, b in zip(matrices, beliefs, strict=True)], noise_cov(*noise), shift)
    for b in range(BATCH):
        dense = [(m.numpy(), as_dense(belief, b)) for m, belief in zip(matrices, beliefs, strict=True)]
        mean, cov = as_belief_arrays(textbook.marginalize(dense, shift[b].numpy(), np.diag(noise.flatten().numpy())))
        np.testing.assert_allclose(got.mean[b], mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(got.cov[b], cov, rtol=1e-9, atol=1e-12)


@given(seeds, dims)
def test_modal_is_dense_with_diagonal_blocks_and_drops_nothing(seed, dim):
    belief, blocks = random_belief(seed, (BATCH,), dim), random_blocks(seed, dim)
    modal, dense = modal_map(blocks).apply(belief), dense_map(dense_of(blocks)).apply(belief)
    torch.testing.assert_close(modal.mean, dense.mean)
    torch.testing.assert_close(modal.cov, dense.cov)
    exact = textbook.marginalize(
        [(dense_of(blocks).numpy(), as_dense(belief, 0))], np.zeros(2 * dim), np.zeros((2 * dim, 2 * dim))
    )
    np.testing.assert_allclose(textbook.keep_blocks(exact)[1], exact[1])
    np.testing.assert_allclose(as_dense(modal, 0)[1], exact[1], rtol=1e-9, atol=1e-12)


@given(seeds, dims)
def test_blocks_stay_positive_definite(seed, dim):
    belief = random_belief(seed, (BATCH,), dim, torch.float32)
    noise = noise_cov(torch.full((dim,), 0.1), torch.full((dim,), 0.1))
    after = marginalize([(dense_map(random_matrix(seed, dim, torch.float32)), belief)], noise)
    assert (after.upper_var * after.lower_var > after.side**2).all()


@given(seeds, dims)
def test_a_parent_s_variance_reaches_the_child(seed, dim):
    """The published code adds two lists here: a wide parent and a narrow one gave the same child."""
    narrow, other = random_belief(seed, (BATCH,), dim), random_belief(seed + 1, (BATCH,), dim)
    wide = Belief(narrow.mean, 4.0 * narrow.cov)
    maps = [dense_map(random_matrix(seed + i, dim)) for i in range(2)]
    noise = torch.zeros(3 * dim).double()
    first = marginalize([(maps[0], other), (maps[1], narrow)], noise)
    second = marginalize([(maps[0], other), (maps[1], wide)], noise)
    torch.testing.assert_close(second.cov - first.cov, 3.0 * maps[1].apply(narrow).cov)
    assert (second.upper_var > first.upper_var).all()


def test_noise_is_added_once_however_many_parents():
    belief = random_belief(3, (BATCH,), 2)
    still = dense_map(torch.zeros(4, 4).double())
    noise = noise_cov(torch.tensor([0.1, 0.2]), torch.tensor([0.3, 0.4])).double()
    assert torch.equal(marginalize([(still, belief)] * 3, noise).cov, noise.expand(BATCH, -1))


@pytest.mark.parametrize("prepare", [dense_map, modal_map])
def test_gradients_against_finite_differences(prepare):
    belief = random_belief(5, (BATCH,), 2)
    matrix = random_matrix(5, 2) if prepare is dense_map else random_blocks(5, 2)

    def child(matrix, mean, cov):
        after = marginalize([(prepare(matrix), Belief(mean, cov))], torch.zeros(6).double())
        return after.mean, after.cov

    inputs = [x.clone().requires_grad_() for x in (matrix, belief.mean, belief.cov / belief.cov.abs().max())]
    assert torch.autograd.gradcheck(child, inputs)
