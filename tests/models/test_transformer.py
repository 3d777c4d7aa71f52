"""Transformers keep the promises of every model; attention is the softmax of the textbook."""

import math

import pytest
import torch

import mts3
from mts3.layers import attention
from mts3.layers.attention import alibi_bias, alibi_slopes, attend, bias_for
from mts3.layers.causal_transformer import CausalTransformer
from mts3.layers.key_values import KeyValues
from mts3.layers.step_io import step_features
from mts3.prediction import Prediction
from tests.models.conformance import A, B, CausalConformance, H, O, assert_same, part, sequence
from tests.models.messages import Messages

SIZES = {"width": 8, "heads": 2, "layers": 2, "decoder_hidden": 8}
NAMES = ["transformer_multi", "transformer_ar"]


class TestTransformerMulti(CausalConformance):
    name = "transformer_multi"
    arguments = SIZES


class TestTransformerMultiShortMemory(CausalConformance):
    name = "transformer_multi"
    arguments = {**SIZES, "memory_len": 3}  # noqa: RUF012


class TestTransformerMultiOneStepOfMemory(CausalConformance):
    name = "transformer_multi"
    arguments = {**SIZES, "memory_len": 1}  # noqa: RUF012


class TestTransformerAR(Messages, CausalConformance):
    name = "transformer_ar"
    arguments = SIZES


class TestTransformerARShortMemory(CausalConformance):
    name = "transformer_ar"
    arguments = {**SIZES, "memory_len": 3}  # noqa: RUF012


def grown(name: str, **more):
    torch.manual_seed(3)
    return mts3.build(name, obs_dim=O, action_dim=A, **{**SIZES, **more}).double()


def textbook_attention(query, keys, values, slopes, memory_len):
    """One query, one key at a time; the last query belongs to the last key."""
    batch, heads, steps, size = query.shape
    past = keys.shape[2] - steps
    result = torch.zeros_like(query)
    for b in range(batch):
        for n in range(heads):
            for t in range(steps):
                i = past + t
                seen = range(max(0, i - memory_len + 1), i + 1)
                scores = torch.stack(
                    [query[b, n, t] @ keys[b, n, j] / math.sqrt(size) - slopes[n] * (i - j) for j in seen]
                )
                weights = scores.exp() / scores.exp().sum()
                result[b, n, t] = sum(w * values[b, n, j] for w, j in zip(weights, seen, strict=True))
    return result


@pytest.mark.parametrize("block", [2, 3, 64])
@pytest.mark.parametrize("memory_len", [1, 3, 64])
@pytest.mark.parametrize(("past", "steps"), [(0, 1), (0, 7), (4, 1), (2, 5), (5, 6)])
def test_attention_is_the_textbooks(monkeypatch, block, memory_len, past, steps):
    monkeypatch.setattr(attention, "BLOCK", block)
    g = torch.Generator().manual_seed(0)
    slopes = alibi_slopes(2).double()
    shapes = [(2, 2, steps, 3), (2, 2, past + steps, 3), (2, 2, past + steps, 3)]
    inputs = [torch.randn(s, generator=g, dtype=torch.float64, requires_grad=True) for s in shapes]
    got = attend(*inputs, bias_for(slopes, past, steps, memory_len))
    expected = textbook_attention(*inputs, slopes, memory_len)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)
    weight = torch.randn(expected.shape, generator=g, dtype=torch.float64)
    for left, right in zip(*(torch.autograd.grad((y * weight).sum(), inputs) for y in (got, expected)), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-12)


def test_slopes_and_bias_by_hand():
    torch.testing.assert_close(alibi_slopes(4), torch.tensor([2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8]))
    bias = alibi_bias(torch.tensor([0.5]), 2, 4, 3)
    never = -math.inf
    assert bias.tolist() == [[[-1.0, -0.5, 0.0, never], [never, -1.0, -0.5, 0.0]]]


def test_a_layer_looks_back_over_the_window_and_no_further():
    torch.manual_seed(0)
    trunk = CausalTransformer(8, 2, 1, memory_len=4).double()
    x = torch.randn(1, 12, 8, dtype=torch.float64)
    before = trunk(x, trunk.initial(1))[0]
    moved = x.clone()
    moved[:, 2] += 1.0
    changed = (trunk(moved, trunk.initial(1))[0] != before).any(-1)[0]
    assert changed.tolist() == [2 <= t < 6 for t in range(12)]


@pytest.mark.parametrize("name", NAMES)
def test_the_state_keeps_no_more_than_the_window(name):
    model = grown(name, memory_len=4).eval()
    obs, actions, mask = sequence(3 * H)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            state = model.observe(obs, actions, mask)[1]
            once_more = model.step(state, obs[:, 0], actions[:, 0])[1]
        for layer in (*state.past, *once_more.past):
            assert type(layer) is KeyValues
            assert layer.keys.shape == layer.values.shape == (B, 2, 3, 4)
            assert layer.keys.untyped_storage().nbytes() <= 2 * 8 * (3 + 1) * B * 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("memory_len", [2, 1024])
@pytest.mark.parametrize("cut", range(1, 2 * H + 1))
def test_a_sequence_may_be_cut_anywhere(name, memory_len, cut):
    model = grown(name, memory_len=memory_len).eval()
    obs, actions, mask = sequence(2 * H + 2)
    whole = model(obs, actions, mask)
    first, state = model.observe(obs[:, :cut], actions[:, :cut], mask[:, :cut])
    second, _ = model.observe(obs[:, cut:], actions[:, cut:], mask[:, cut:], state)
    assert_same(first, part(whole, slice(None, cut)))
    assert_same(second, part(whole, slice(cut, None)))


def test_direct_prediction_feeds_nothing_back():
    """A hidden step is a token of zeros, mask 0 and its action."""
    model = grown("transformer_multi")
    obs, actions, mask = sequence(2 * H)
    mask = mask[..., None].expand(obs.shape)
    tokens = model.embed(torch.cat((obs * mask, mask, actions), -1))
    assert_same(model(obs, actions, mask), model.heads(model.trunk(tokens, model.trunk.initial(B))[0]))


def rolled_out(model, obs, actions, mask):
    """The definition: step by step, everything so far computed anew, what is missing replaced by its own mean."""
    predicted, fed, preds = torch.zeros_like(obs[:, 0]), [], []
    for t in range(obs.shape[1]):
        fed.append(torch.where(mask[:, t], obs[:, t], predicted))
        seen = slice(None, t + 1)
        tokens = model.embed(torch.cat((torch.stack(fed, 1), mask[:, seen], actions[:, seen]), -1))
        preds.append(model.heads(model.trunk(tokens, model.trunk.initial(obs.shape[0]))[0][:, -1:]))
        predicted = preds[-1].mean[:, 0]
    return Prediction(torch.cat([p.mean for p in preds], 1), torch.cat([p.var for p in preds], 1))


def gaps(kind: str, steps: int = 3 * H):
    obs, actions, by_step = sequence(steps)
    everything = torch.ones_like(obs, dtype=torch.bool)
    if kind == "by dimension":
        return obs, actions, torch.rand(obs.shape, generator=torch.Generator().manual_seed(1)) > 0.4
    if kind == "forecast":
        everything[:, H:] = False
    elif kind == "from the start":
        everything[:, :2] = False
    elif kind == "by step":
        everything &= by_step[..., None]
    return obs, actions, everything


@pytest.mark.parametrize("kind", ["none", "by step", "by dimension", "forecast", "from the start"])
@pytest.mark.parametrize("grad", [True, False])
def test_it_feeds_back_its_own_mean(kind, grad):
    model = grown("transformer_ar").eval()
    obs, actions, mask = gaps(kind)
    with torch.set_grad_enabled(grad):
        pred, state = model.observe(torch.where(mask, obs, torch.nan), actions, mask)
        expected = rolled_out(model, obs, actions, mask)
    assert_same(pred, expected)
    torch.testing.assert_close(state.predicted, expected.mean[:, -1])
    if grad:
        for left, right in zip(
            *(torch.autograd.grad(p.mean.sum(), list(model.trunk.parameters())) for p in (pred, expected)), strict=True
        ):
            torch.testing.assert_close(left, right)


def test_observed_stretches_are_one_pass_each(monkeypatch):
    model = grown("transformer_ar").eval()
    lengths = []
    forward = model.trunk.forward
    monkeypatch.setattr(model.trunk, "forward", lambda x, past: (lengths.append(x.shape[1]), forward(x, past))[1])
    obs, actions, _ = sequence(3 * H)
    mask = torch.ones_like(obs, dtype=torch.bool)
    mask[0, 4, 1] = mask[1, 5] = False
    parallel = model(obs, actions, mask)
    assert lengths == [4, 1, 3 * H - 5]
    assert_same(parallel, rolled_out(model, obs, actions, mask))


def test_a_rollout_does_not_touch_the_state_it_starts_from():
    model = grown("transformer_ar").eval()
    obs, actions, mask = sequence(H)
    with torch.no_grad():
        state = model.observe(obs, actions, mask)[1]
        kept = [layer.keys.clone() for layer in state.past]
        first = model.imagine(state, actions)
        model.imagine(state, 2 * actions)
        assert_same(model.imagine(state, actions), first, rtol=0, atol=0)
    assert all(torch.equal(layer.keys, k) for layer, k in zip(state.past, kept, strict=True))


@pytest.mark.parametrize("kind", ["by step", "by dimension", "forecast"])
def test_training_predicts_what_evaluation_does_and_takes_what_is_fed_back_as_given(kind):
    """The same values; the gradient is that of one parallel pass over a sequence whose gaps hold those means."""
    model = grown("transformer_ar").eval()
    obs, actions, mask = gaps(kind)
    with torch.no_grad():
        exact, end = model.observe(obs, actions, mask)
    pred, state = model.train().observe(torch.where(mask, obs, torch.nan), actions, mask)
    assert_same(pred, exact)
    torch.testing.assert_close(state.predicted, end.predicted)
    missing = torch.cat((torch.zeros_like(obs[:, :1]), exact.mean[:, :-1]), 1)
    start = model.trunk.initial(B)
    expected = model.heads(model.trunk(model.embed(step_features(obs, mask, actions, missing)), start)[0])
    parameters = list(model.parameters())
    got, wanted = (torch.autograd.grad(-p.log_prob(obs).mean(), parameters) for p in (pred, expected))
    torch.testing.assert_close(got, wanted)
    assert all(torch.isfinite(g).all() for g in got)
    assert all((g != 0).any() for g in got)


def test_training_is_causal():
    model = grown("transformer_ar").train()
    obs, actions, mask = sequence(3 * H)
    before = model(obs, actions, mask)
    for t in (0, H - 1, 2 * H):
        later, done = obs.clone(), actions.clone()
        later[:, t + 1 :] += 10.0
        done[:, t + 1 :] += 1.0
        assert_same(part(model(later, done, mask), slice(None, t + 1)), part(before, slice(None, t + 1)), 0, 1e-12)


def test_stepping_is_exact_in_training_mode_too():
    model = grown("transformer_ar")
    obs, actions, mask = sequence(2 * H)
    expected = model.eval()(obs, actions, mask)
    model.train()
    state, means = model.initial_state(B), []
    for t in range(2 * H):
        pred, state = model.step(state, obs[:, t], actions[:, t], mask[:, t])
        means.append(pred.mean)
    torch.testing.assert_close(torch.cat(means, 1), expected.mean)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [True, False])
def test_the_reward_is_a_second_belief(name, training):
    model = grown(name, reward=True).train(training)
    obs, actions, mask = sequence(2 * H)
    pred = model(obs, actions, mask)
    assert pred.reward is not None
    assert pred.reward.mean.shape == pred.reward.var.shape == (B, 2 * H, 1)
    assert (pred.reward.var > 0).all()
    (-pred.reward.log_prob(torch.ones(B, 2 * H, 1, dtype=obs.dtype))).mean().backward()
    assert all((p.grad != 0).any() for p in model.heads.reward_net.parameters())
    assert (model.embed.weight.grad != 0).any()
    assert grown(name)(obs, actions, mask).reward is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [True, False])
def test_under_autocast_calls_go_on_in_either_precision(name, training):
    model = grown(name).float().train(training)
    obs, actions, mask = sequence(2 * H)
    obs, actions = obs.float(), actions.float()
    with torch.autocast("cpu", torch.bfloat16):
        pred, state = model.observe(obs, actions, mask)
        (-model.observe(obs, actions, mask, state)[0].log_prob(obs)).mean().backward()
        with torch.no_grad():
            model.imagine(model.observe(obs, actions, mask)[1], actions)
    torch.testing.assert_close(pred.mean.float(), model(obs, actions, mask).mean, rtol=0.05, atol=0.05)
    assert model.observe(obs, actions, mask, state)[0].mean.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 10, "heads": 4}, "width 10 does not divide into 4 heads"),
        ({"layers": 0}, "expected layers >= 1, got 0"),
        ({"heads": 0}, "expected heads >= 1, got 0"),
        ({"width": 0}, "expected width >= 1, got 0"),
        ({"memory_len": 0}, "expected memory_len >= 1, got 0"),
        ({"decoder_hidden": 0}, "expected decoder_hidden >= 1, got 0"),
    ],
)
def test_sizes_that_do_not_fit_are_named(name, change, message):
    with pytest.raises(ValueError, match=message):
        grown(name, **change)


@pytest.mark.parametrize("name", NAMES)
def test_default_sizes_are_near_those_of_mts3(name):
    model = mts3.build(name, obs_dim=4, action_dim=2)
    assert 100_000 < sum(p.numel() for p in model.parameters()) < 190_000
