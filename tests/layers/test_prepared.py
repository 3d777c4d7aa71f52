"""A value made from parameters is held while they are what they were, and never a moment longer."""

import copy
import io

import pytest
import torch
from torch import nn

from mts3.layers import GaussianMarginalization, make_transition
from mts3.layers.prepared import unhooked


@pytest.fixture
def transition():
    return make_transition("dense", 3, "oscillator")


def held(transition):
    with torch.no_grad():
        return transition()


def truth(transition):
    with torch.enable_grad():
        return transition()


@pytest.mark.parametrize("kind", ["dense", "banded", "modal", "locally_linear"])
def test_it_is_made_once_and_is_the_same(kind):
    transition = make_transition(kind, 3, "oscillator", bandwidth=1, bases=2)
    first = held(transition)
    assert held(transition) is first
    for left, right in zip(vars(first).values(), vars(truth(transition)).values(), strict=True):
        if isinstance(left, torch.Tensor):
            torch.testing.assert_close(left, right, rtol=0, atol=0)
            assert not left.requires_grad or left is transition.raw


def test_gradients_get_a_value_of_their_own(transition):
    first = held(transition)
    with_graph = truth(transition)
    assert with_graph is not first
    with_graph.cov_matrix.sum().backward()
    assert (transition.change.grad != 0).any()


def fused_step(transition):
    transition.change.grad = torch.ones_like(transition.change)
    torch.optim.Adam([transition.change], 0.1, fused=True).step()


def optimizer_step(transition):
    transition.change.grad = torch.ones_like(transition.change)
    torch.optim.SGD([transition.change], 0.1).step()


def replace(transition):
    transition.change = nn.Parameter(torch.ones_like(transition.change))


@pytest.mark.parametrize(
    "change",
    [
        fused_step,
        optimizer_step,
        replace,
        lambda t: t.load_state_dict({"initial": t.initial, "change": torch.ones_like(t.change)}),
        lambda t: t.change.data.add_(1.0),
        lambda t: t.change.detach().numpy().__setitem__((0, 0), 1.0),
        lambda t: setattr(t.change, "data", torch.ones_like(t.change)),
        lambda t: t.initial.mul_(2.0),
        lambda t: t.double(),
        lambda t: t.to(torch.bfloat16),
    ],
)
def test_every_change_is_seen(transition, change):
    before = held(transition).cov_matrix.clone()
    change(transition)
    after = held(transition).cov_matrix
    torch.testing.assert_close(after, truth(transition).cov_matrix.detach(), rtol=0, atol=0)
    assert after.dtype != before.dtype or (after != before).any()


def test_it_is_no_part_of_copies_pickles_and_state_dicts(transition):
    names = list(transition.state_dict())
    first = held(transition)
    assert list(transition.state_dict()) == names
    file = io.BytesIO()
    torch.save(transition, file)
    file.seek(0)
    for other in (copy.deepcopy(transition), torch.load(file, weights_only=False)):
        assert other.prepared._held is None
        torch.testing.assert_close(held(other).cov_matrix, first.cov_matrix, rtol=0, atol=0)


def test_what_is_made_in_inference_mode_serves_outside_of_it(transition):
    with torch.inference_mode():
        first = transition()
    assert held(transition) is first
    x = torch.ones(1, 9, requires_grad=True)
    (x @ held(transition).cov_matrix).sum().backward()
    assert x.grad is not None


def test_transforms_see_their_own_parameters(transition):
    several = torch.randn(4, *transition.change.shape)
    held(transition)
    with torch.no_grad():
        maps = torch.func.vmap(
            lambda change: torch.func.functional_call(transition, {"change": change}, ()).cov_matrix
        )(several)
    for change, found in zip(several, maps, strict=True):
        transition.change.data = change
        torch.testing.assert_close(found, truth(transition).cov_matrix.detach())


def test_noise_and_gain_are_held_as_well():
    layer = GaussianMarginalization(3, [make_transition("dense", 3, "oscillator")])
    with torch.no_grad():
        before = layer.offset([])
        layer.noise.raw.data.add_(1.0)
        assert (layer.offset([]).cov[:3] > before.cov[:3]).all()


def test_all_tensors_are_found_unless_something_is_hooked_on():
    layer = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3))
    found, kinds = unhooked(layer)
    assert kinds == [nn.Sequential, nn.Linear, nn.BatchNorm1d]
    assert {id(x) for x in found} == {id(x) for x in (*layer.parameters(), *layer.buffers())}
    layer[1].register_forward_hook(lambda *_: None)
    assert unhooked(layer) is None
