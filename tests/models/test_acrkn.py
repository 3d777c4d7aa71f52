"""RKN and Ac-RKN keep the promises of every model."""

import pytest
import torch

import mts3
from tests.models.conformance import A, B, CausalConformance, H, O, assert_same, sequence

SIZES = {"latent_obs_dim": 6, "encoder_hidden": 8, "control_hidden": 8, "decoder_hidden": 8, "bases": 3}


class TestAcRKN(CausalConformance):
    name = "acrkn"
    arguments = SIZES


class TestDenseAcRKN(CausalConformance):
    name = "acrkn"
    arguments = {**SIZES, "transition": "dense"}  # noqa: RUF012


class TestModalAcRKN(CausalConformance):
    name = "acrkn"
    arguments = {**SIZES, "transition": "modal"}  # noqa: RUF012


class TestRKN(CausalConformance):
    name = "rkn"
    arguments = SIZES
    uses_actions = False


def test_rkn_is_acrkn_without_actions():
    torch.manual_seed(0)
    rkn, acrkn = (
        mts3.build("rkn", obs_dim=O, action_dim=A, **SIZES),
        mts3.build("acrkn", obs_dim=O, action_dim=0, **SIZES),
    )
    acrkn.load_state_dict(rkn.state_dict())
    obs, actions, mask = sequence(2 * H)
    assert_same(rkn(obs.float(), actions.float(), mask), acrkn(obs.float(), None, mask), rtol=0, atol=0)


@pytest.mark.parametrize("transition", ["locally_linear", "dense"])
def test_the_reward_is_a_second_belief(transition):
    model = mts3.AcRKN(O, A, **{**SIZES, "transition": transition}, reward=True).double()
    obs, actions, mask = sequence(H)
    pred = model(obs, actions, mask)
    assert pred.reward is not None
    assert pred.reward.mean.shape == pred.reward.var.shape == (B, H, 1)
    (-pred.reward.log_prob(torch.ones(B, H, 1, dtype=obs.dtype))).mean().backward()
    assert all((p.grad != 0).any() for p in model.fast.reward_decoder.parameters())
    assert mts3.AcRKN(O, A, **SIZES).double()(obs, actions, mask).reward is None
