"""Spaces with parts laid flat: the rows of gymnasium, with names, and nothing cast on the way."""

# ruff: noqa: E402  (gymnasium may be absent)

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces

from mts3.data.gym.recorder import nothing
from mts3.data.gym.spaces import actions_of, channel_names, observations_of
from mts3.errors import UserError

GOAL = spaces.Dict(
    {
        "observation": spaces.Box(-1.0, 1.0, (3,), np.float64),
        "achieved_goal": spaces.Box(-1.0, 1.0, (2,)),
        "hand": spaces.Dict({"open": spaces.Discrete(2), "touch": spaces.MultiBinary(2)}),
    }
)
SPACES = [
    spaces.Box(-1.0, 1.0, ()),
    spaces.Box(0.0, 1.0, (2, 3)),
    spaces.Box(0, 255, (4, 6, 3), np.uint8),
    spaces.Discrete(5, start=-2),
    spaces.MultiDiscrete([2, 3, 4], start=[0, -1, 5]),
    spaces.MultiDiscrete([[2, 3], [1, 2]]),
    spaces.MultiBinary([2, 2]),
    spaces.Tuple((spaces.Discrete(3), spaces.Box(-1.0, 1.0, (2,)), spaces.Tuple((spaces.MultiBinary(2),)))),
    GOAL,
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_rows_are_those_of_gymnasium(space):
    space.seed(0)
    observed, acted = observations_of(space, flatten=True), actions_of(space, flatten=True)
    assert len(observed.names) == len(set(observed.names)) == len(acted.names) == spaces.flatdim(space)
    for _ in range(20):
        value = space.sample()
        expected = np.asarray(spaces.flatten(space, value), np.float32)
        for row in (observed.row(value), acted.row(value)):
            assert row.dtype == np.float32
            np.testing.assert_array_equal(row, expected)
        assert acted.allowed(acted.row(value))
    assert acted.row(nothing(space)).shape == (len(acted.names),)
    assert nothing(space) in space


def test_channels_are_called_by_their_keys():
    assert observations_of(GOAL, flatten=True).names == (
        "achieved_goal_0", "achieved_goal_1", "hand_open_0", "hand_open_1", "hand_touch_0", "hand_touch_1",
        "observation_0", "observation_1", "observation_2",
    )  # fmt: skip
    assert channel_names(spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (1,)))), "obs") == (
        "obs_0_0", "obs_0_1", "obs_1_0",
    )  # fmt: skip
    assert channel_names(spaces.MultiDiscrete([2, 3]), "action") == (
        "action_0_0", "action_0_1", "action_1_0", "action_1_1", "action_1_2",
    )  # fmt: skip
    twice = spaces.Dict({"a": spaces.Dict({"b": spaces.Box(0, 1, (1,))}), "a_b": spaces.Box(0, 1, (1,))})
    assert channel_names(twice, "obs") == ("obs_0", "obs_1")


def test_choices_need_no_flattening():
    assert observations_of(spaces.Discrete(3, start=1)).row(2).tolist() == [0, 1, 0]
    assert actions_of(spaces.MultiDiscrete([2, 3])).row([1, 0]).tolist() == [0, 1, 1, 0, 0]
    assert actions_of(spaces.MultiBinary(3)).row([1, 0, 1]).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("obs", "message"),
    [
        ({"observation": np.zeros(3), "achieved_goal": np.zeros(2)}, "with the keys achieved_goal, hand"),
        ({**nothing(GOAL), "more": 1}, "expected a dict with the keys"),
        (np.zeros(9), r"got ndarray for Dict.*expected a dict"),
        ({**nothing(GOAL), "achieved_goal": np.zeros(3)}, r"observed shape \(3,\)"),
        ({**nothing(GOAL), "achieved_goal": np.array([0, np.inf])}, "infinite value"),
        ({**nothing(GOAL), "achieved_goal": [[1], [1, 2]]}, "expected an array of numbers"),
        ({**nothing(GOAL), "hand": {"open": 2, "touch": [0, 1]}}, r"observed 2; .*Discrete\(2\), and choice 2 "),
        ({**nothing(GOAL), "hand": {"open": -1, "touch": [0, 1]}}, r"Discrete\(2\), and choice -1 is none"),
        ({**nothing(GOAL), "hand": {"open": 1, "touch": [0, 2]}}, r"MultiBinary\(2\), and choice 2 is none"),
        ({**nothing(GOAL), "hand": {"open": 1, "touch": "on"}}, r"observed shape \(\)"),
    ],
)  # fmt: skip
def test_observations_that_are_not_in_their_space(obs, message):
    with pytest.raises(UserError, match=message):
        observations_of(GOAL, flatten=True).row(obs)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ((1, np.zeros(2)), r"got \(1, array.*expected a tuple of 3"),
        ((3, np.zeros(2), (np.zeros(2, np.int8),)), r"action 3 is not in Discrete\(3\)"),
        ((0, np.zeros(1), (np.zeros(2, np.int8),)), "expected 2 finite numbers"),
        ((0, np.zeros(2), (np.array([0, 3]),)), r"is not in MultiBinary\(2\)"),
    ],
)
def test_actions_that_are_not_in_their_space(action, message):
    with pytest.raises(UserError, match=message):
        actions_of(SPACES[-2], flatten=True).row(action)


@pytest.mark.parametrize(
    "values", [np.full((4, 6), 0.5), np.full((4, 6), 256), np.full((4, 6), -1), np.full((4, 6), np.nan)]
)
def test_pixels_that_are_no_bytes_are_not_cut_to_some(values):
    images = observations_of(spaces.Box(0, 255, (4, 6), np.uint8))
    with pytest.raises(UserError, match=r"observed the pixel .*; its observation_space says Box\(0, 255"):
        images.row(values)
    np.testing.assert_array_equal(images.row(np.full((4, 6), 3.0)), np.full(24, 3))
    np.testing.assert_array_equal(images.row(np.ones((4, 6), bool)), np.ones(24))


def test_spaces_without_a_row_are_refused_with_what_to_do():
    text = spaces.Dict({"mission": spaces.Text(5), "x": spaces.Box(0, 1, (1,))})
    for flatten in (True, False):
        with pytest.raises(
            UserError, match=r"Text\(.* has no row of numbers; leave it out or translate it in a gymnasium"
        ):
            observations_of(text, flatten)
        with pytest.raises(
            UserError, match=r"Text\(.* has no row of numbers; translate it in a gymnasium.ActionWrapper"
        ):
            actions_of(text, flatten)
    for space in (GOAL, spaces.Tuple((spaces.Discrete(2),)), spaces.Box(0.0, 1.0, (2, 3))):
        with pytest.raises(UserError, match=r"flatten=true lays .*in Python flatten=True, or .*FlattenObservation"):
            observations_of(space)
    with pytest.raises(UserError, match=r"cannot record actions .* flatten=true lays"):
        actions_of(GOAL)
    for space in (spaces.Box(0.0, 1.0, (0,)), spaces.Dict({})):
        with pytest.raises(UserError, match="expected at least one number"):
            observations_of(space, flatten=True)
    assert actions_of(spaces.Box(0.0, 1.0, (0,))).row(np.zeros(0)).shape == (0,)
