"""Transitions: structure that lasts, stability, and pushes that do not pile up."""

import pytest
import torch

from mts3.errors import UserError
from mts3.gaussian import BandedMap, Belief, DenseMap, Evidence, ModalMap, associative
from mts3.layers import DenseTransition, GaussianMarginalization, ModalTransition, make_transition
from mts3.layers.transitions import INITIALS, input_gain
from mts3.layers.transitions.dense import band
from mts3.layers.transitions.modal import OscillatorTransition

DIM = 6


def blocks_of(linear_map) -> torch.Tensor:
    """(2, 2, D): the diagonals of the four blocks of M."""
    if isinstance(linear_map, ModalMap):
        return linear_map.mean_blocks
    matrix = linear_map.mean_matrix.T
    return torch.stack([torch.stack([b.diagonal() for b in row.split(DIM, 1)]) for row in matrix.split(DIM, 0)])


@pytest.mark.parametrize("init", INITIALS)
def test_all_kinds_start_as_the_same_map(init):
    dense, banded, modal = (make_transition(kind, DIM, init)() for kind in ("dense", "banded", "modal"))
    assert isinstance(dense, DenseMap)
    torch.testing.assert_close(dense.mean_matrix, banded.mean_matrix)
    torch.testing.assert_close(blocks_of(dense), modal.mean_blocks)


def test_published_initialisation():
    blocks = blocks_of(make_transition("dense", DIM, "published")())
    assert torch.equal(blocks[0, 1], torch.full((DIM,), 0.2))
    assert torch.equal(blocks[1, 0], torch.full((DIM,), -0.2))
    assert (blocks[0, 0] == 0).all()


@pytest.mark.parametrize("bandwidth", [0, 1, 4])
def test_a_band_is_applied_in_every_block(bandwidth):
    transition = DenseTransition(DIM, INITIALS["identity"](DIM), band(DIM, bandwidth))
    transition.change.data.normal_(generator=torch.Generator().manual_seed(0))
    index = torch.arange(DIM)
    far = ((index[:, None] - index[None, :]).abs() > bandwidth).repeat(2, 2)
    assert far.any()
    assert (transition.matrix()[far] == 0).all()
    assert (transition.matrix()[~far] != 0).all()
    transition().mean_matrix.square().sum().backward()
    assert (transition.change.grad[far] == 0).all()


def test_an_oscillator_is_stable_wherever_training_takes_it():
    transition = OscillatorTransition(DIM)
    for parameter in transition.parameters():
        parameter.data.normal_(0.0, 5.0, generator=torch.Generator().manual_seed(1))
    blocks = transition().mean_blocks.detach().double().permute(2, 0, 1)
    assert (torch.linalg.eigvals(blocks).abs() <= 1.0 + 1e-6).all()


def test_an_optimizer_step_leaves_a_long_memory_stable_at_any_width():
    """The raw matrix at Adam's usual learning rate leaves stability at once, the more the wider it is."""
    for dim in (5, 40):
        transition = make_transition("dense", dim, "oscillator")
        optimizer = torch.optim.Adam(transition.parameters(), 3e-3)
        target = torch.randn(2 * dim, 2 * dim, generator=torch.Generator().manual_seed(2))
        before = transition.matrix().detach()
        (transition().mean_matrix * target).sum().backward()
        optimizer.step()
        moved = torch.linalg.matrix_norm(transition.matrix() - before, 2)
        assert 0 < moved <= 3.1e-3


@pytest.mark.parametrize("kind", ["dense", "modal"])
def test_white_pushes_add_up_to_about_their_own_size(kind):
    """A mode that remembers 1,000 steps and one that remembers 3 end up equally far from where they started."""
    layer = GaussianMarginalization(DIM, [make_transition(kind, DIM, "oscillator")])
    generator = torch.Generator().manual_seed(3)
    pushes = torch.randn(2000, 100, 2 * DIM, generator=generator)
    with torch.no_grad():
        linear_map = layer.transitions[0]()
        belief = layer.offset([], pushes[0])
        for push in pushes[1:]:
            belief = linear_map.apply(belief) + layer.offset([], push)
    assert (belief.mean.std(0) > 0.7).all()
    assert (belief.mean.std(0) < 1.4).all()


def test_an_identity_takes_pushes_whole():
    assert torch.equal(input_gain(make_transition("dense", DIM, "identity")), torch.ones(DIM))
    assert torch.equal(input_gain(ModalTransition(DIM, INITIALS["identity"](DIM))), torch.ones(DIM))


@pytest.mark.parametrize(
    ("kind", "init", "message"),
    [("densely", "identity", "did you mean dense"), ("dense", "identty", "did you mean identity")],
)
def test_unknown_names(kind, init, message):
    with pytest.raises(UserError, match=message):
        make_transition(kind, DIM, init)


def test_a_locally_linear_map_is_the_mixture_of_its_bases():
    """alpha = softmax(net(mean)), M = M_0 + sum_k alpha_k B_k, each member of the batch through its own M."""
    transition = make_transition("locally_linear", DIM, "identity", bandwidth=2, bases=3)
    transition.bases.data.normal_(generator=torch.Generator().manual_seed(0))
    g = torch.Generator().manual_seed(1)
    mean = torch.randn(4, 2 * DIM, generator=g)
    belief = Belief(mean, torch.cat((torch.ones(4, DIM), torch.zeros(4, DIM), torch.ones(4, DIM)), -1))
    moved = transition().apply(belief)
    alpha = transition.coefficients(mean).softmax(-1)
    assert (alpha[0] != alpha[1]).any()
    initial = torch.zeros(2, 2, 5, DIM)
    initial[:, :, 2] = INITIALS["identity"](DIM)
    for b in range(4):
        mixed = initial + sum(alpha[b, k] * transition.bases[k] / (2 * 5) for k in range(3))
        expected = BandedMap(mixed).apply(Belief(belief.mean[b], belief.cov[b]))
        torch.testing.assert_close(moved.mean[b], expected.mean)
        torch.testing.assert_close(moved.cov[b], expected.cov)


@pytest.mark.parametrize("init", INITIALS)
def test_a_locally_linear_transition_starts_close_to_its_initial_blocks(init):
    transition, dense = (make_transition(kind, DIM, init) for kind in ("locally_linear", "dense"))
    g = torch.Generator().manual_seed(1)
    belief = Belief(torch.randn(4, 2 * DIM, generator=g), torch.rand(4, 3 * DIM, generator=g))
    torch.testing.assert_close(transition().apply(belief).mean, dense().apply(belief).mean, atol=0.02, rtol=0.02)
    torch.testing.assert_close(transition.blocks(), dense.blocks())


def test_a_locally_linear_transition_does_not_compose():
    nothing = torch.zeros(1, 2, DIM)
    with pytest.raises(ValueError, match="only modal transitions compose, got LocallyLinearMap"):
        associative.prepare(
            make_transition("locally_linear", DIM, "identity")(),
            Belief(torch.zeros(1, 2, 2 * DIM), torch.zeros(1, 2, 3 * DIM)),
            Evidence(nothing, nothing),
        )


def test_pushes_of_a_latent_without_memory_follow_its_real_decay():
    transition = make_transition("dense", DIM, "oscillator", memory=False)
    assert (transition.blocks()[0, 1] == 0).all()
    torch.testing.assert_close(input_gain(transition), (1 - transition.blocks()[0, 0] ** 2).sqrt())
