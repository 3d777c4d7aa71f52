"""HiP-RSSM keeps the promises of every model, and its task is told by complete triples alone."""

import itertools

import pytest
import torch

import mts3
from mts3.gaussian import Belief, Evidence
from tests.models.conformance import A, B, CausalConformance, H, O, assert_same, sequence

SIZES = {
    "latent_obs_dim": 6,
    "encoder_hidden": 8,
    "set_encoder_hidden": 8,
    "control_hidden": 8,
    "decoder_hidden": 8,
    "bases": 3,
}


class TestHiPRSSM(CausalConformance):
    name = "hiprssm"
    arguments = SIZES


class TestDenseHiPRSSM(CausalConformance):
    name = "hiprssm"
    arguments = {**SIZES, "transition": "dense"}  # noqa: RUF012


def build(**changes):
    torch.manual_seed(5)
    model = mts3.HiPRSSM(O, A, **{**SIZES, **changes}).double().eval()
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model


def context(model, obs, actions, mask) -> Evidence:
    return model.observe(obs, actions, mask)[1].context


def test_a_triple_counts_only_if_both_its_observations_were_observed():
    """The published code counts one whose next observation was not."""
    model = build()
    obs, actions, _ = sequence(6)
    for visible, complete in (([0, 2, 4], 0), ([0, 1, 3], 1), ([0, 1, 2, 5], 2)):
        mask = torch.zeros(B, 6, dtype=torch.bool)
        mask[:, visible] = True
        found = context(model, obs, actions, mask)
        by_hand = torch.zeros_like(found.precision)
        for i in range(5):
            if i in visible and i + 1 in visible:
                part = slice(i, i + 2)
                by_hand = by_hand + context(model, obs[:, part], actions[:, part], mask[:, part]).precision
        torch.testing.assert_close(found.precision, by_hand)
        assert (found.precision > 0).all() == (complete > 0)


def test_the_task_sharpens_with_every_triple_and_stays_without():
    model = build()
    obs, actions, _ = sequence(8)
    precisions, state = [], model.initial_state(B)
    for t in range(8):
        seen = torch.full((B,), t < 5)
        state = model.step(state, obs[:, t], actions[:, t], seen)[1]
        precisions.append(state.context.precision)
    growth = [(b > a).all().item() for a, b in itertools.pairwise(precisions)]
    assert growth == [True] * 4 + [False] * 3
    assert torch.equal(precisions[4], precisions[-1])


def test_adapting_is_the_context_of_observing_without_moving_the_state():
    model = build()
    obs, actions, mask = sequence(9)
    adapted = model.adapt(obs, actions, mask)
    observed = model.observe(obs, actions, mask)[1]
    torch.testing.assert_close(adapted.context.precision, observed.context.precision)
    torch.testing.assert_close(adapted.context.information, observed.context.information)
    assert torch.equal(adapted.prior.mean, model.initial_state(B).prior.mean)
    twice = model.adapt(obs, actions, mask, state=adapted)
    torch.testing.assert_close(twice.context.precision, 2 * adapted.context.precision)
    before, after = model(obs, actions, mask), model.observe(obs, actions, mask, adapted)[0]
    assert (before.mean != after.mean).any()


def test_a_context_mask_leaves_triples_out():
    model = build()
    obs, actions, mask = sequence(9)
    mask[:] = True
    counted = torch.zeros_like(mask)
    counted[:, 2:4] = True  # (o2, a2, o3) and (o3, a3, o4)
    expected = model.adapt(obs[:, 2:5], actions[:, 2:5])
    found = model.adapt(obs, actions, mask, counted)
    torch.testing.assert_close(found.context.information, expected.context.information)
    with pytest.raises(ValueError, match=r"expected context_mask \(3, 9\) of bool"):
        model.adapt(obs, actions, mask, counted.float())


def test_no_influence_of_the_task_is_acrkn():
    model = build()
    coupling = model.fast.marginalization.transitions[1]
    coupling.change.data = -2 * 6 * coupling.initial
    sizes = {key: value for key, value in SIZES.items() if key != "set_encoder_hidden"}
    relative = mts3.AcRKN(O, A, **sizes).double()
    relative.fast.load_state_dict(
        {name: value for name, value in model.fast.state_dict().items() if "transitions.1" not in name}
    )
    obs, actions, mask = sequence(2 * H + 2)
    assert_same(model(obs, actions, mask), relative(obs, actions, mask))


def test_mts3_with_a_constant_task_is_hiprssm_with_the_same_context():
    """One window for the whole sequence, a task that neither moves nor blurs, and the triples as its evidence."""
    hip = build(transition="dense")
    steps = 3 * H
    same = {key: value for key, value in SIZES.items() if key != "bases"}
    model = mts3.MTS3(O, A, window_len=steps, task_belief="filtered", abstract_action=False, **same).double()
    model.fast.load_state_dict(hip.fast.state_dict())
    slow = model.slow[0]
    own = slow.marginalization.transitions[0]
    own.change.data = 2 * 6 * (torch.eye(12, dtype=torch.float64) - own.initial)  # X = I
    slow.marginalization.noise.raw.data.fill_(-80.0)
    dim, obs_dim = 6, O

    class Triples(torch.nn.Module):
        """HiP-RSSM's evidence about the upper half, in the place of the encoder of single observations."""

        def forward(self, obs, obs_mask, phase):
            def before(x):
                return torch.cat((torch.zeros_like(x[:, :1]), x[:, :-1]), 1)

            evidence = hip.context_encoder(before(obs), before(obs_mask), before(actions), obs, obs_mask)
            return evidence.map(lambda fields: fields[..., :dim])

    slow.obs_encoder = Triples()
    final = hip.context_encoder.encoder.net[-1]
    final.weight.data[3 * dim :], final.bias.data[3 * dim :] = 0.0, 1e9  # the lower half of the task is not told
    obs, actions, mask = sequence(steps)
    standard = Belief(
        torch.zeros(B, 2 * dim, dtype=torch.float64),
        torch.ones(B, 3, dim, dtype=torch.float64).index_fill(1, torch.tensor([1]), 0.0).flatten(1),
    )
    start = model.initial_state(B)
    start = type(start)(start.prior, (slow.initial_state(standard),))
    pred = model.observe(obs, actions, mask, start)[0]
    assert_same(pred, hip(obs, actions, mask), rtol=1e-6, atol=1e-7)
    assert obs.shape[-1] == obs_dim
