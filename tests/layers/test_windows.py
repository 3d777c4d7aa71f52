"""Sequences of a batch count their windows on their own: together they are what each is alone."""

import pytest
import torch

import mts3
from mts3.layers.windows import Windows
from mts3.models.state import choose, tensors_of
from tests.models.conformance import A, H, O, assert_same, sequence

SIZES = {"latent_obs_dim": 6, "encoder_hidden": 8, "control_hidden": 7, "decoder_hidden": 8, "set_encoder_hidden": 9}
MODELS = {
    "predicted": ("mts3", {**SIZES, "window_len": H}),
    "filtered": ("mts3", {**SIZES, "window_len": H, "task_belief": "filtered"}),
    "three levels": ("mts3", {**SIZES, "window_len": [H, 2 * H], "task_belief": "filtered"}),
    "four levels": ("mts3", {**SIZES, "window_len": [1, H, 2 * H], "transition": "modal"}),
    "adaptive": ("mts3", {**SIZES, "window_len": H, "adaptive": True}),
    "two-rate GRU": ("gru_two_rate", {"window_len": H, "units": 6, "slow_units": 5}),
    "HiP-RSSM": ("hiprssm", {**SIZES, "bases": 2}),
}
STARTS = (0, 2, H, H + 3)


def build(name, arguments):
    torch.manual_seed(5)
    return mts3.build(name, obs_dim=O, action_dim=A, **arguments).double().eval()


@pytest.mark.parametrize("steps", [1, 2, H, 2 * H + 1, 4 * H + 2])
@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_sequences_that_started_at_different_times_are_what_each_is_alone(kind, steps):
    model = build(*MODELS[kind])
    obs, actions, mask = sequence(H + 3 + steps, batch=len(STARTS))
    later = slice(H + 3, None)
    state, alone = model.initial_state(len(STARTS)), []
    for t in range(H + 3):
        begins = torch.tensor([t == H + 3 - start for start in STARTS])
        state = choose(begins, model.initial_state(len(STARTS)), state)
        state = model.step(state, obs[:, t], actions[:, t], mask[:, t])[1]
    state = choose(torch.tensor([start == 0 for start in STARTS]), model.initial_state(len(STARTS)), state)
    together, after = model.observe(obs[:, later], actions[:, later], mask[:, later], state)
    for i, start in enumerate(STARTS):
        one = [x[i : i + 1] for x in (obs, actions, mask)]
        own = model.initial_state(1)
        for t in range(H + 3 - start, H + 3):
            own = model.step(own, *(x[:, t] for x in one))[1]
        expected, end = model.observe(*(x[:, later] for x in one), own)
        alone.append(end)
        assert_same(together.map(lambda field, i=i: field[i : i + 1]), expected)
    for i, end in enumerate(alone):
        for (name, ours), (_, theirs) in zip(tensors_of(after), tensors_of(end), strict=True):
            torch.testing.assert_close(ours[i : i + 1], theirs, msg=name)
    plan = sequence(2 * H, batch=len(STARTS), seed=3)[1]
    imagined = model.imagine(after, plan)
    for i, end in enumerate(alone):
        assert_same(imagined.map(lambda field, i=i: field[i : i + 1]), model.imagine(end, plan[i : i + 1]))


@pytest.mark.parametrize("kind", ["predicted", "three levels"])
@torch.no_grad()
def test_a_plan_counts_for_the_open_window_of_each_sequence(kind):
    model = build(*MODELS[kind])
    obs, actions, mask = sequence(4 * H, batch=2)
    state = choose(torch.tensor([False, True]), model.initial_state(2), model.observe(obs[:, :2], actions[:, :2])[1])
    pred = model.step(state, obs[:, 2], actions[:, 2], mask[:, 2], planned_actions=actions[:, 3:])[0]
    for i in range(2):
        one = [x[i : i + 1] for x in (obs, actions, mask)]
        own = model.observe(one[0][:, :2], one[1][:, :2])[1] if i == 0 else model.initial_state(1)
        expected = model.step(own, one[0][:, 2], one[1][:, 2], one[2][:, 2], planned_actions=one[1][:, 3:])[0]
        assert_same(pred.map(lambda field, i=i: field[i : i + 1]), expected)


@pytest.mark.parametrize("start", range(H))
def test_gathering_step_by_step_is_cutting(start):
    """The general way, for sequences that differ, beside the fast one, on sequences that do not."""
    g = torch.Generator().manual_seed(0)
    new, gathered = torch.randn(2, 2 * H + 1, 3, generator=g), torch.randn(2, 3, generator=g) * (start > 0)
    even = Windows.of(torch.full((2,), start), 2 * H + 1, H)
    assert even.first == start
    slow = Windows(H, 2 * H + 1, even.before, even.count, even.slots, None)
    whole = even.cut(new, gathered)
    torch.testing.assert_close(slow.cut(new, gathered).sum(2), whole.sum(2))
    for fields in (whole, whole[:, :, :1]):
        torch.testing.assert_close(slow.at_steps(fields), even.at_steps(fields), rtol=0, atol=0)
    sums = whole.sum(2)
    torch.testing.assert_close(slow.last_closed(gathered, sums), even.last_closed(gathered, sums), rtol=0, atol=0)
    torch.testing.assert_close(slow.still_open(sums), even.still_open(sums), rtol=0, atol=0)
    extra = torch.randn(2, 3, generator=g)
    torch.testing.assert_close(slow.add_to_last(sums, extra), even.add_to_last(sums, extra))
    torch.testing.assert_close(slow.phase(new), even.phase(new).expand(2, -1), rtol=0, atol=0)


def test_gradients_are_cut_where_any_sequence_begins_a_window():
    assert Windows.of(torch.tensor([0, 0]), 2 * H, H).starts() == [0, H]
    assert Windows.of(torch.tensor([0, 2]), H, H).starts() == [0, H - 2]
