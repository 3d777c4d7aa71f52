"""The lean step is the step of the levels, and steps aside where it must."""

import pytest
import torch

import mts3
from mts3.kernels import use_backend
from tests.models.conformance import A, H, O, assert_same

SIZES = {"latent_obs_dim": 6, "encoder_hidden": 8, "set_encoder_hidden": 9, "control_hidden": 7, "decoder_hidden": 8}

pytestmark = pytest.mark.usefixtures("auto_backend")


def build(action_dim=A, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = mts3.MTS3(O, action_dim, **{"window_len": H, **SIZES, **changes}).double()
        for parameter in model.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def inputs(steps, action_dim=A):
    """Observations with gaps of every kind, actions, and plans of any length, None among them."""
    g = torch.Generator().manual_seed(1)
    for t in range(steps):
        obs = torch.randn(1, O, generator=g, dtype=torch.float64)
        action = torch.randn(1, action_dim, generator=g, dtype=torch.float64)
        plan = torch.randn(1, t % (2 * H), action_dim, generator=g, dtype=torch.float64)
        obs[0, t % O] = torch.nan if t % 4 == 1 else 0.5
        yield torch.full_like(obs, torch.nan) if t % 7 == 2 else obs, action, None, plan if t % 3 else None


@pytest.mark.parametrize(
    "changes",
    [
        {"transition": "dense"},
        {"transition": "modal", "task_belief": "filtered"},
        {"transition": "banded", "window_len": [1, H, 2 * H]},
        {"window_len": [H, 2 * H], "task_belief": "filtered", "reward": True},
        {"window_len": []},
        {"abstract_action": False},
        {"memory": False},
        {"action_dim": 0},
    ],
)
@torch.no_grad()
def test_it_is_the_step_of_the_levels(changes):
    model = build(**changes)
    lean = plain = model.initial_state(1)
    for step in inputs(3 * H + 2, model.action_dim):
        pred, lean = model.step(lean, *step)
        with use_backend("reference"):
            expected, plain = model.step(plain, *step)
        assert_same(pred, expected, rtol=1e-10, atol=1e-11)
        if model.fast.reward_decoder is not None:
            assert_same(pred.reward, expected.reward, rtol=1e-10, atol=1e-11)
        for one, other in zip(lean.slow, plain.slow, strict=True):
            for part in ("closed", "obs", "actions"):
                left, right = getattr(one, part), getattr(other, part)
                if right is not None:
                    torch.testing.assert_close(vars(left), vars(right), rtol=1e-10, atol=1e-11)
            assert one.steps == other.steps
    assert model._lean() is not None
    action = torch.zeros(1, H, model.action_dim, dtype=torch.float64)
    assert_same(model.imagine(lean, action), model.imagine(plain, action))


@pytest.mark.parametrize("belief", ["predicted", "filtered"])
def test_it_is_observe(belief):
    model = build(task_belief=belief)
    g = torch.Generator().manual_seed(2)
    obs, actions = (torch.randn(1, 2 * H + 3, n, generator=g, dtype=torch.float64) for n in (O, A))
    with torch.no_grad():
        expected, state = model.observe(obs, actions)[0], model.initial_state(1)
        for t in range(obs.shape[1]):
            rest = actions[:, t + 1 : (t // H + 1) * H]
            pred, state = model.step(state, obs[:, t], actions[:, t], planned_actions=rest)
            assert_same(pred, expected.steps(slice(t, t + 1)))


def test_a_change_of_any_weight_is_seen():
    model = build(task_belief="filtered")
    obs, action, *_ = next(inputs(1))
    with torch.no_grad():
        state = model.step(model.initial_state(1), obs, action)[1]
        for parameter in model.parameters():
            before = model.step(state, obs, action)[0]
            parameter.data.mul_(1.5).add_(0.3)
            after = model.step(state, obs, action)[0]
            with use_backend("reference"):
                assert_same(after, model.step(state, obs, action)[0], rtol=1e-9)
            assert (after.mean != before.mean).any() or (after.var != before.var).any()


def test_gradients_take_the_plain_way():
    model = build()
    obs, action, *_ = next(inputs(1))
    with torch.no_grad():
        model.step(model.initial_state(1), obs, action)
    model.step(model.initial_state(1), obs, action)[0].mean.sum().backward()
    assert model.fast.encoder.encoder.net[0].weight.grad is not None


@torch.no_grad()
def test_it_steps_aside_for_hooks_and_modules_of_another_kind():
    model = build()
    obs, action, *_ = next(inputs(1))
    state = model.initial_state(1)
    before = model.step(state, obs, action)[0]
    hook = model.fast.decoder.mean_net[2].register_forward_hook(lambda module, given, out: out + 1.0)
    torch.testing.assert_close(model.step(state, obs, action)[0].mean, before.mean + 1.0)
    hook.remove()
    assert_same(model.step(state, obs, action)[0], before, rtol=0, atol=0)
    for place, other in ((1, torch.nn.Tanh()), (2, torch.nn.Linear(8, O, bias=False).double())):
        model.fast.decoder.mean_net[place] = other
        assert (model.step(state, obs, action)[0].mean != before.mean).any()
        with use_backend("reference"):
            expected = model.step(state, obs, action)[0]
        assert_same(model.step(state, obs, action)[0], expected, rtol=0, atol=0)


@torch.no_grad()
def test_autocast_does_not_coarsen_it():
    model, given = build().float(), [x if x is None else x.float() for x in next(inputs(1))]
    state = model.initial_state(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model._lean() is None
        coarse = model.step(state, *given)[0].mean.float()
    torch.testing.assert_close(coarse, model.step(state, *given)[0].mean, rtol=0.1, atol=0.1)
