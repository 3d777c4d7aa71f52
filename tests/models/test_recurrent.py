"""LSTM, GRU and the two-rate GRU keep the promises of every model, and are what a loop over steps would be."""

import pytest
import torch
from torch import nn

import mts3
from mts3.layers.recurrence import Recurrence
from mts3.layers.step_io import step_features
from tests.models.conformance import A, B, CausalConformance, H, O, assert_same, part, sequence
from tests.models.messages import Messages

SIZES = {"units": 6, "encoding_dim": 5, "encoder_hidden": 8, "decoder_hidden": 8}
TWO_RATES = {**SIZES, "slow_units": 7, "window_len": H}
ALL = [("lstm", SIZES), ("gru", SIZES), ("gru_two_rate", TWO_RATES)]


class TestLSTM(CausalConformance):
    name = "lstm"
    arguments = SIZES


class TestDeepLSTM(CausalConformance):
    name = "lstm"
    arguments = {**SIZES, "layers": 2}  # noqa: RUF012


class TestGRU(Messages, CausalConformance):
    name = "gru"
    arguments = SIZES


class TestTwoRateGRU(CausalConformance):
    name = "gru_two_rate"
    arguments = TWO_RATES


class TestTwoRateGRUWithWindowsOfOneStep(CausalConformance):
    name = "gru_two_rate"
    arguments = {**TWO_RATES, "window_len": 1}  # noqa: RUF012


def lstm_step(cell: nn.LSTM, x, hidden, memory):
    gates = x @ cell.weight_ih_l0.T + cell.bias_ih_l0 + hidden @ cell.weight_hh_l0.T + cell.bias_hh_l0
    i, f, g, o = gates.chunk(4, -1)
    memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
    return o.sigmoid() * memory.tanh(), memory


def gru_step(cell: nn.GRU, x, hidden):
    xr, xz, xn = (x @ cell.weight_ih_l0.T + cell.bias_ih_l0).chunk(3, -1)
    hr, hz, hn = (hidden @ cell.weight_hh_l0.T + cell.bias_hh_l0).chunk(3, -1)
    z = (xz + hz).sigmoid()
    return (1 - z) * (xn + (xr + hr).sigmoid() * hn).tanh() + z * hidden


def grown(name: str, arguments: dict, **more):
    torch.manual_seed(3)
    return mts3.build(name, obs_dim=O, action_dim=A, **arguments, **more).double()


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_fused_pass_is_a_loop_over_steps(name):
    model = grown(name, SIZES)
    obs, actions, mask = sequence(2 * H)
    mask = mask[..., None].expand(obs.shape)
    encoded = model.encoder.net(torch.cat((obs * mask, mask, actions), -1))
    hidden = memory = torch.zeros(B, SIZES["units"], dtype=torch.float64)
    features = []
    for x in encoded.unbind(1):
        if name == "lstm":
            hidden, memory = lstm_step(model.recurrence.rnn, x, hidden, memory)
        else:
            hidden = gru_step(model.recurrence.rnn, x, hidden)
        features.append(hidden)
    expected = model.heads(torch.stack(features, 1))
    pred, state = model.observe(obs, actions, mask)
    assert_same(pred, expected)
    torch.testing.assert_close(state.memory[0][:, 0], hidden)
    got, wanted = (
        torch.autograd.grad(p.mean.sum() + p.var.log().sum(), list(model.parameters())) for p in (pred, expected)
    )
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("start", [0, 2])
def test_two_rates_are_two_loops(start):
    model = grown("gru_two_rate", TWO_RATES)
    obs, actions, mask = sequence(3 * H + 2)
    mask = mask[..., None].expand(obs.shape)
    encoded = model.encoder.net(torch.cat((obs * mask, mask, actions), -1))
    fast = torch.zeros(B, TWO_RATES["units"], dtype=torch.float64)
    slow = torch.zeros(B, TWO_RATES["slow_units"], dtype=torch.float64)
    features, window = [], []
    for x in encoded.unbind(1):
        fast = gru_step(model.fast.rnn, torch.cat((x, slow), -1), fast)
        features.append(fast)
        window.append(x)
        if len(window) == H:
            slow, window = gru_step(model.slow.rnn, sum(window) / H, slow), []
    expected = model.heads(torch.stack(features, 1))
    state = model.observe(obs[:, :start], actions[:, :start], mask[:, :start])[1] if start else model.initial_state(B)
    pred, state = model.observe(obs[:, start:], actions[:, start:], mask[:, start:], state)
    assert_same(pred, part(expected, slice(start, None)))
    assert state.steps.tolist() == [2] * B
    torch.testing.assert_close(state.closed, slow)
    torch.testing.assert_close(state.gathered, sum(window))
    torch.testing.assert_close(state.fast, fast)


def test_the_slow_hidden_state_moves_when_a_window_closes():
    model = grown("gru_two_rate", TWO_RATES)
    obs, actions, mask = sequence(3 * H)
    state, before = model.initial_state(B), torch.zeros(B, TWO_RATES["slow_units"], dtype=torch.float64)
    for t in range(3 * H):
        state = model.step(state, obs[:, t], actions[:, t], mask[:, t])[1]
        assert torch.equal(state.closed, before) == ((t + 1) % H != 0)
        before = state.closed
    assert (state.gathered == 0).all()


def test_what_was_seen_in_a_closed_window_reaches_the_next_through_the_slow_path():
    """With the fast memory cut off, only the slow one is left."""
    model = grown("gru_two_rate", TWO_RATES)
    obs, actions, mask = sequence(H)
    one, other = (model.observe(o, actions, mask)[1] for o in (obs, obs + 1.0))
    cut = [mts3.models.two_rate_gru.TwoRateState(one.fast, s.closed, s.gathered, s.steps) for s in (one, other)]
    first, second = (model.imagine(state, actions).mean for state in cut)
    assert (first[:, 0] != second[:, 0]).any()


@pytest.mark.parametrize(("name", "sizes"), ALL)
@pytest.mark.parametrize("cut", range(1, 2 * H + 1))
def test_a_sequence_may_be_cut_anywhere(name, sizes, cut):
    model = grown(name, sizes)
    obs, actions, mask = sequence(2 * H + 2)
    whole = model(obs, actions, mask)
    first, state = model.observe(obs[:, :cut], actions[:, :cut], mask[:, :cut])
    second, _ = model.observe(obs[:, cut:], actions[:, cut:], mask[:, cut:], state)
    assert_same(first, part(whole, slice(None, cut)))
    assert_same(second, part(whole, slice(cut, None)))


@pytest.mark.parametrize(("name", "sizes"), ALL)
def test_the_reward_is_a_second_belief(name, sizes):
    model = grown(name, sizes, reward=True)
    obs, actions, mask = sequence(2 * H)
    pred = model(obs, actions, mask)
    assert pred.reward is not None
    assert pred.reward.mean.shape == pred.reward.var.shape == (B, 2 * H, 1)
    assert (pred.reward.var > 0).all()
    (-pred.reward.log_prob(torch.ones(B, 2 * H, 1, dtype=obs.dtype))).mean().backward()
    assert all((p.grad != 0).any() for p in model.heads.reward_net.parameters())
    assert all((p.grad != 0).any() for p in model.encoder.parameters())
    assert grown(name, sizes)(obs, actions, mask).reward is None


@pytest.mark.parametrize(("name", "sizes"), ALL)
def test_a_size_below_one_is_named(name, sizes):
    for size in sizes:
        with pytest.raises(ValueError, match=f"expected {size} >= 1, got 0"):
            grown(name, {**sizes, size: 0})
    with pytest.raises(ValueError, match="expected layers >= 1, got 0"):
        mts3.models.LSTM(O, A, layers=0)


@pytest.mark.parametrize(("name", "sizes"), ALL)
def test_default_sizes_are_near_those_of_mts3(name, sizes):
    model = mts3.build(name, obs_dim=4, action_dim=2)
    assert 120_000 < sum(p.numel() for p in model.parameters()) < 190_000


def test_evaluation_mode_leaves_the_fused_cell_differentiable_on_a_gpu():
    recurrence = Recurrence(nn.GRU, 3, 4)
    recurrence.eval()
    assert not recurrence.training
    assert recurrence.rnn.training
    assert mts3.models.GRU(O, A).eval().recurrence.rnn.training


@pytest.mark.parametrize(("name", "sizes"), ALL)
def test_under_autocast_the_memory_stays_precise(name, sizes):
    model = grown(name, sizes).float()
    obs, actions, mask = sequence(2 * H)
    obs, actions = obs.float(), actions.float()
    with torch.autocast("cpu", torch.bfloat16):
        pred, state = model.observe(obs, actions, mask)
        (-model.observe(obs, actions, mask, state)[0].log_prob(obs)).mean().backward()
    torch.testing.assert_close(pred.mean.float(), model(obs, actions, mask).mean, rtol=0.02, atol=0.02)
    assert (state.memory[0] if name != "gru_two_rate" else state.fast).dtype == torch.float32


def test_forget_gates_start_open():
    recurrence = Recurrence(nn.LSTM, 3, 4, layers=2)
    for layer in range(2):
        assert (getattr(recurrence.rnn, f"bias_ih_l{layer}")[4:8] == 1.0).all()


def test_features_never_read_what_is_masked():
    obs, actions, mask = sequence(H)
    mask = mask[..., None].expand(obs.shape)
    features = step_features(torch.where(mask, obs, torch.nan), mask, actions)
    torch.testing.assert_close(features, torch.cat((obs * mask, mask.double(), actions), -1), rtol=0, atol=0)
    standing_in = step_features(torch.where(mask, obs, torch.nan), mask, actions, torch.full_like(obs, 7.0))
    assert (standing_in[..., :O][~mask] == 7.0).all()
