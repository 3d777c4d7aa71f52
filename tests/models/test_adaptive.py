"""Hidden parameters that multiply: what an action does depends on the task, and transitions tell the task."""

import pytest
import torch

import mts3
from mts3.errors import UserError
from tests.models.conformance import A, B, CausalConformance, H, O, assert_same, sequence
from tests.models.test_hiprssm import SIZES as HIP_SIZES
from tests.models.test_mts3 import SIZES, MTS3Conformance

ADAPTIVE = {**SIZES, "adaptive": True}


class TestFiltered(MTS3Conformance):
    arguments = {**ADAPTIVE, "task_belief": "filtered"}  # noqa: RUF012


class TestPredicted(MTS3Conformance):
    arguments = {**ADAPTIVE, "task_belief": "predicted"}  # noqa: RUF012


class TestWithoutAbstractActions(MTS3Conformance):
    arguments = {**ADAPTIVE, "abstract_action": False}  # noqa: RUF012


class TestHiPRSSM(CausalConformance):
    name = "hiprssm"
    arguments = {**HIP_SIZES, "adaptive": True}  # noqa: RUF012


def build(name, **changes):
    torch.manual_seed(3)
    sizes = {"mts3": SIZES, "hiprssm": {**HIP_SIZES, "transition": "dense"}}[name]
    model = mts3.build(name, obs_dim=O, action_dim=A, **{**sizes, **changes}).double().eval()
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", ["mts3", "hiprssm"])
@pytest.mark.parametrize("adaptive", [True, False])
def test_what_an_action_does_depends_on_what_was_seen_before(name, adaptive):
    """Without the option the shift by an action is the same whatever happened: the transition is linear."""
    model = build(name, adaptive=adaptive)
    effects = []
    for seed in (0, 1):
        obs, actions, mask = sequence(H, seed=seed)
        _, state = model.observe(obs, actions, mask)
        unseen, hidden = obs[:, :1], torch.zeros(B, 1, O, dtype=torch.bool)
        # The same later actions are planned: only the one that acts now differs.
        after = [model.observe(unseen, push * torch.ones(B, 1, A).double(), hidden, state)[1] for push in (0.0, 1.0)]
        effects.append(after[1].prior.mean - after[0].prior.mean)
    difference = (effects[0] - effects[1]).abs().max()
    assert difference > 1e-4 if adaptive else difference < 1e-9


def test_transitions_count_only_if_both_ends_were_observed():
    model = build("mts3", adaptive=True)
    obs, actions, _ = sequence(H - 1)
    mask = torch.zeros(B, H - 1, dtype=torch.bool)
    mask[:, ::2] = True
    _, state = model.observe(obs, actions, mask)
    assert (state.slow[0].obs.precision == 0).all()
    mask[:, 1] = True
    _, state = model.observe(obs, actions, mask)
    assert (state.slow[0].obs.precision > 0).all()


def test_a_transition_across_two_calls_counts():
    model = build("mts3", adaptive=True)
    obs, actions, mask = sequence(3)
    mask, plan = torch.ones_like(mask), actions[:, 2:]
    _, together = model.observe(obs, actions, mask)
    _, state = model.step(model.initial_state(B), obs[:, 0], actions[:, 0], mask[:, 0], actions[:, 1:])
    _, state = model.step(state, obs[:, 1], actions[:, 1], mask[:, 1], plan)
    _, state = model.step(state, obs[:, 2], actions[:, 2], mask[:, 2])
    torch.testing.assert_close(state.slow[0].obs.precision, together.slow[0].obs.precision)
    assert (state.slow[0].obs.precision > 0).all()


def test_no_task_no_difference():
    """One level has no task that an action could depend on."""
    plain, adaptive = build("mts3", window_len=[]), build("mts3", window_len=[], adaptive=True)
    adaptive.load_state_dict(plain.state_dict())
    obs, actions, mask = sequence(H)
    assert_same(plain(obs, actions, mask), adaptive(obs, actions, mask), rtol=0, atol=0)


def test_images_are_refused():
    with pytest.raises((UserError, ValueError), match="adaptive=True compares"):
        mts3.MTS3(obs_dim=64, action_dim=1, image_shape=(1, 8, 8), adaptive=True)
