"""Any number of levels: each is one more parent of the one below."""

import pytest
import torch

import mts3
from mts3.gaussian import aggregate, condition, diagonal
from tests.models.conformance import A, B, CausalConformance, H, O, assert_same, sequence
from tests.models.test_mts3 import SIZES, MTS3Conformance, build


class TestThreeLevels(MTS3Conformance):
    window_len = 2 * H
    arguments = {**SIZES, "window_len": [H, 2 * H], "task_belief": "filtered"}  # noqa: RUF012

    @pytest.fixture(params=["filtered", "predicted"])
    def model(self, request):
        self.arguments = {**self.arguments, "task_belief": request.param}
        return self.build()

    # A boundary of a lower window alone is none: the top window's actions are planned from its start.
    @pytest.mark.parametrize("windows", [2])
    def test_splitting_at_a_window_boundary_changes_nothing(self, model, windows):
        super().test_splitting_at_a_window_boundary_changes_nothing(model, windows)


class TestFourLevels(MTS3Conformance):
    window_len = 2 * H
    arguments = {**SIZES, "window_len": [1, H, 2 * H], "transition": "modal"}  # noqa: RUF012
    open_levels = slice(1, None)  # a window of one step closes under the plan of that step, like the fast state

    @pytest.mark.parametrize("windows", [2])
    def test_splitting_at_a_window_boundary_changes_nothing(self, model, windows):
        super().test_splitting_at_a_window_boundary_changes_nothing(model, windows)


class TestOneLevel(CausalConformance):
    name = "mts3"
    arguments = {**SIZES, "window_len": []}  # noqa: RUF012


def test_one_level_is_acrkn_with_a_linear_transition():
    model = build(window_len=[])
    sizes = {key: SIZES[key] for key in ("latent_obs_dim", "encoder_hidden", "control_hidden", "decoder_hidden")}
    relative = mts3.AcRKN(O, A, transition="dense", **sizes).double()
    relative.load_state_dict(model.state_dict())
    obs, actions, mask = sequence(2 * H + 2)
    assert_same(model(obs, actions, mask), relative(obs, actions, mask), rtol=0, atol=0)


def test_a_list_of_one_window_length_is_mts3():
    model, listed = build(), build(window_len=[H])
    listed.load_state_dict(model.state_dict())
    obs, actions, mask = sequence(2 * H + 2)
    assert_same(model(obs, actions, mask), listed(obs, actions, mask), rtol=0, atol=0)


def test_a_level_above_without_influence_changes_nothing():
    """Three levels whose middle does not listen to the top are the two below."""
    two, three = build(window_len=[H]), build(window_len=[H, 3 * H])
    own = {name: value for name, value in three.state_dict().items() if not name.startswith("slow.1")}
    coupling = three.slow[0].marginalization.transitions[2]
    coupling.change.data = -2 * 6 * coupling.initial
    two.load_state_dict({name: value for name, value in own.items() if "transitions.2" not in name})
    obs, actions, mask = sequence(6 * H + 2)
    assert_same(three(obs, actions, mask), two(obs, actions, mask))


def test_every_level_is_one_more_parent_of_the_one_below():
    model = build(window_len=[H, 2 * H])
    assert [len(level.marginalization.transitions) for level in model.slow] == [3, 2]
    assert len(model.fast.marginalization.transitions) == 2
    alone = mts3.MTS3(O, 0, **{**SIZES, "window_len": [H, 2 * H]})
    assert [len(level.marginalization.transitions) for level in alone.slow] == [2, 1]


def test_three_levels_against_the_definition():
    """The prediction of a step, from the levels written out one window and one step at a time."""
    model = build(window_len=[2, 4], task_belief="predicted")
    obs, actions, mask = sequence(8)
    wide = mask[..., None].expand(-1, -1, O)
    pred = model(obs, actions, mask)
    phase = {length: (torch.arange(8, dtype=obs.dtype) % length) / length for length in (2, 4)}
    mid, top = model.slow
    state = model.initial_state(B)
    fast, middle, upper = state.prior, state.slow[0].closed, state.slow[1].closed
    means = []
    for t in range(8):
        if t % 4 == 0:
            window = slice(t, t + 4)
            act = diagonal(*aggregate(top.action_encoder(actions[:, window], phase[4][window]).sum(1)))
            upper_prior = top.marginalization([upper, act])
            seen = top.obs_encoder(obs[:, window], wide[:, window], phase[4][window]).sum(1)
            upper = condition(upper_prior, seen)
        if t % 2 == 0:
            window = slice(t, t + 2)
            act = diagonal(*aggregate(mid.action_encoder(actions[:, window], phase[2][window]).sum(1)))
            middle_prior = mid.marginalization([middle, act, upper_prior])
            seen = mid.obs_encoder(obs[:, window], wide[:, window], phase[2][window]).sum(1)
            middle = condition(middle_prior, seen)
        evidence = model.fast.encoder(obs[:, t : t + 1], wide[:, t : t + 1])
        posterior = condition(fast, evidence.map(lambda fields: fields[:, 0]))
        fast = model.fast.marginalization([posterior, middle_prior], model.fast.control(actions[:, t]))
        means.append(model.fast.decoder(fast.map(lambda fields: fields[:, None])).mean)
    torch.testing.assert_close(pred.mean, torch.cat(means, 1))


@pytest.mark.parametrize("window_len", [0, [5, 12], [10, 5], [5, 5], [1, 1], [0, 5]])
def test_windows_must_nest(window_len):
    with pytest.raises(ValueError, match="window_len >= 1, or a list of growing lengths"):
        mts3.MTS3(O, A, **{**SIZES, "window_len": window_len})
