"""The prepared step is the step of the model, and refuses what it does not know exactly."""

import pytest
import torch

import mts3
from mts3.errors import UserError
from mts3.models.state import choose, tensors_of
from tests.models.conformance import A, H, O, assert_same

SIZES = {"latent_obs_dim": 6, "encoder_hidden": 8, "set_encoder_hidden": 9, "control_hidden": 7, "decoder_hidden": 8}


def build(action_dim=A, kind=mts3.MTS3, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        arguments = {"window_len": H, **SIZES} if issubclass(kind, mts3.MTS3) else {}
        model = kind(O, action_dim, **{**arguments, **changes}).double()
        for parameter in model.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def inputs(steps, action_dim=A, batch=1):
    """Observations with gaps of every kind, actions, and plans of any length, None among them."""
    g = torch.Generator().manual_seed(1)
    for t in range(steps):
        obs = torch.randn(batch, O, generator=g, dtype=torch.float64)
        action = torch.randn(batch, action_dim, generator=g, dtype=torch.float64)
        plan = torch.randn(batch, t % (2 * H), action_dim, generator=g, dtype=torch.float64)
        obs[0, t % O] = torch.nan if t % 4 == 1 else 0.5
        yield torch.full_like(obs, torch.nan) if t % 7 == 2 else obs, action, None, plan if t % 3 else None


def assert_same_state(left, right):
    for (name, one), (_, other) in zip(tensors_of(left), tensors_of(right), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10, msg=name)


VARIANTS = [
    {"transition": "dense"},
    {"transition": "modal", "task_belief": "filtered"},
    {"transition": "modal", "transition_init": "identity"},
    {"transition": "banded", "window_len": [1, H, 2 * H]},
    {"window_len": [H, 2 * H], "task_belief": "filtered", "reward": True},
    {"window_len": []},
    {"abstract_action": False},
    {"memory": False},
    {"action_dim": 0},
    {"kind": mts3.AcRKN, "transition": "dense", "latent_obs_dim": 5},
    {"kind": mts3.RKN, "transition": "modal", "latent_obs_dim": 5},
]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("changes", VARIANTS)
@torch.no_grad()
def test_it_is_the_step_of_the_model(changes, batch):
    model = build(**changes)
    online = model.online()
    prepared, plain = online.initial_state(batch), model.initial_state(batch)
    for step in inputs(3 * H + 2, model.action_dim, batch):
        pred, prepared = online.step(prepared, *step)
        expected, plain = model.step(plain, *step)
        assert_same(pred, expected)
        if model.fast.reward_decoder is not None:
            assert_same(pred.reward, expected.reward)
        assert_same_state(prepared, plain)
    action = torch.zeros(batch, H, model.action_dim, dtype=torch.float64)
    assert_same(model.imagine(prepared, action), model.imagine(plain, action))


@torch.no_grad()
def test_robots_of_one_batch_may_start_at_different_times():
    model = build(window_len=[H, 2 * H], task_belief="filtered")
    online, both = model.online(), model.initial_state(2)
    late = model.initial_state(1)
    for t, (obs, action, _, _) in enumerate(inputs(2 * H + 3, batch=2)):
        if t == 3:  # the second robot starts afresh
            both = choose(torch.tensor([False, True]), model.initial_state(2), both)
        pred, both = online.step(both, obs, action)
        if t >= 3:
            expected, late = model.step(late, obs[1:], action[1:])
            assert_same(pred.map(lambda field: field[1:]), expected)
    assert both.slow[0].steps.tolist() == [(2 * H + 3) % H, 2 * H % H]


@torch.no_grad()
def test_weights_are_held_until_told_otherwise():
    model = build(task_belief="filtered")
    online, (obs, action, *_) = model.online(), next(inputs(1))
    state = model.step(model.initial_state(1), obs, action)[1]
    for parameter in model.parameters():
        before = online.step(state, obs, action)[0]
        parameter.data.mul_(1.5).add_(0.3)
        assert_same(online.step(state, obs, action)[0], before, rtol=0, atol=0)
        online.refresh()
        after = online.step(state, obs, action)[0]
        assert_same(after, model.step(state, obs, action)[0])
        assert (after.mean != before.mean).any() or (after.var != before.var).any()


def test_it_needs_no_gradients_and_gives_none():
    model = build()
    obs, action, *_ = next(inputs(1))
    pred, state = model.online().step(model.initial_state(1), obs, action)
    assert not pred.mean.requires_grad
    assert not any(tensor.requires_grad for _, tensor in tensors_of(state))


def hooked(model):
    model.fast.decoder.mean_net[2].register_forward_hook(lambda module, given, out: out + 1.0)


def replaced(model):
    model.fast.decoder.mean_net[1] = torch.nn.Tanh()


def without_bias(model):
    model.fast.decoder.mean_net[2] = torch.nn.Linear(8, O, bias=False).double()


def deeper(model):
    model.fast.decoder.mean_net.append(torch.nn.ReLU())


def with_a_forward_of_its_own(model):
    model.fast.encoder.forward = lambda obs, mask: None


def exponential(model):
    class Exponential(type(model.fast.decoder)):
        def var(self, belief):
            return self.var_net(belief.cov).exp()

    model.fast.decoder.__class__ = Exponential


def scaled(model):
    torch.nn.utils.parametrizations.weight_norm(model.fast.encoder.encoder.net[0])


def halved(model):
    model.fast.decoder.float()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (halved, "its tensors are of several types"),
        (hooked, r"fast\.decoder\.mean_net\.2 has hooks"),
        (replaced, r"fast\.decoder\.mean_net\.1 is a Tanh|mean_net is a stack of Linear, Tanh, Linear"),
        (without_bias, r"fast\.decoder\.mean_net\.2 has no bias"),
        (deeper, r"mean_net is a stack of Linear, ReLU, Linear, ReLU"),
        (with_a_forward_of_its_own, r"fast\.encoder has a forward of its own"),
        (exponential, r"fast\.decoder is a Exponential"),
        (scaled, r"ParametrizedLinear"),
    ],
)
def test_what_is_not_known_exactly_is_refused_in_words(change, message):
    model = build()
    change(model)
    with pytest.raises(UserError, match=f"cannot be prepared: .*({message}).*use model.step"):
        model.online()


class Subclass(mts3.MTS3):
    """Any: it may compute something else."""


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: build(kind=Subclass), "a Subclass is none of MTS3, AcRKN, RKN"),
        (lambda: mts3.build("gru", obs_dim=O, action_dim=A), "a GRU is none of"),
        (lambda: build(adaptive=True), "adaptive=True shifts"),
        (lambda: build(transition="locally_linear"), "is a LocallyLinearTransition"),
        (lambda: build(decoder="student_t"), "fast.decoder is a StudentTDecoder"),
        (lambda: build(task_belief="window_posterior"), "causal task_belief"),
    ],
)
def test_other_models_are_refused_in_words(model, message):
    with pytest.raises(UserError, match=message):
        model().online()


@torch.no_grad()
def test_bad_input_is_named_as_by_the_model():
    model = build()
    obs, action, *_ = next(inputs(1))
    with pytest.raises(ValueError, match="NaN or infinite values in action_t"):
        model.online().step(model.initial_state(1), obs, action * torch.nan)
    with pytest.raises(ValueError, match="state holds a batch of 2, obs_t one of 1"):
        model.online().step(model.initial_state(2), obs, action)


@torch.no_grad()
def test_autocast_does_not_coarsen_it():
    model, given = build().float(), [x if x is None else x.float() for x in next(inputs(1))]
    state, online = model.initial_state(1), model.online()
    expected = online.step(state, *given)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(online.step(state, *given)[0], expected, rtol=0, atol=0)
