"""What a recording accepts, and the one line it answers otherwise."""

import numpy as np
import pytest

from mts3.data import Dataset, Trajectory
from mts3.errors import UserError


def test_float32_arrays_are_kept_without_a_copy():
    obs, actions = np.zeros((5, 2), np.float32), np.zeros((5, 1), np.float32)
    trajectory = Trajectory(obs, actions, "t")
    assert trajectory.obs is obs
    assert trajectory.actions is actions
    assert len(trajectory) == 5


def test_integers_and_doubles_become_float32():
    trajectory = Trajectory(np.arange(4)[:, None], np.ones((4, 1)), "t")
    assert trajectory.obs.dtype == trajectory.actions.dtype == np.float32


def test_the_last_action_is_held_when_missing_and_the_input_stays_as_it_was():
    actions = np.array([[1.0], [2.0], [np.nan]], np.float32)
    assert Trajectory(np.zeros((3, 1)), actions, "t").actions.ravel().tolist() == [1, 2, 2]
    assert np.isnan(actions[2, 0])
    assert Trajectory(np.zeros((3, 1)), actions[:2], "t").actions.ravel().tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("obs", "actions", "words"),
    [
        (np.zeros(5), np.zeros((5, 1)), r"\(5,\).*expected \(T, obs_dim\)"),
        (np.zeros((5, 2)), np.zeros((3, 1)), r"\(5, 2\).*\(3, 1\)"),
        (np.zeros((2, 5, 2)), np.zeros((2, 5, 1)), r"\(2, 5, 2\)"),
        (np.zeros((1, 2)), np.zeros((1, 1)), "at least 2 rows"),
        (np.zeros((5, 0)), np.zeros((5, 1)), "1 column"),
        (np.array([["a"], ["b"]]), np.zeros((2, 0)), "expected numbers"),
        (np.array([[None], [1.0]], dtype=object), np.zeros((2, 0)), "object"),
        (np.array([[0.0], [np.inf]]), np.zeros((2, 0)), "infinite in data row 2, channel 0"),
        (np.array([[0.0], [1e300]]), np.zeros((2, 0)), "float32"),
        (np.zeros((3, 1)), np.array([[0.0], [np.nan], [0.0]]), "NaN or infinite in data row 2, channel 0"),
        (np.zeros((3, 1)), np.array([[np.inf], [0.0], [0.0]]), "NaN or infinite in data row 1"),
    ],
)
def test_bad_arrays_are_one_clear_line(obs, actions, words):
    with pytest.raises(UserError, match=words) as error:
        Trajectory(obs, actions, "run-7")
    assert "run-7" in str(error.value)
    assert "\n" not in str(error.value)


def _dataset(obs, **changes):
    fields = {
        "name": "toy",
        "trajectories": (Trajectory(obs, np.zeros((len(obs), 0)), "t"),),
        "obs_names": ("a", "b"),
        "action_names": (),
        "sample_time": 1.0,
    }
    return Dataset(**(fields | changes))


def test_a_channel_that_is_never_observed_is_named():
    with pytest.raises(UserError, match="'b' is NaN in every row"):
        _dataset(np.array([[1.0, np.nan]] * 4))


def test_a_channel_observed_in_one_trajectory_is_enough():
    blind, seeing = np.array([[1.0, np.nan]] * 4), np.ones((4, 2))
    both = tuple(Trajectory(obs, np.zeros((4, 0)), name) for obs, name in ((blind, "x"), (seeing, "y")))
    assert _dataset(blind, trajectories=both).obs_dim == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trajectories": ()}, "no trajectory"),
        ({"sample_time": 0.0}, "sample_time"),
        ({"obs_names": ("a",)}, "2 obs"),
        ({"obs_names": ("a", "a")}, "repeats the obs channel 'a'"),
        ({"obs_units": ("m",)}, "1 units"),
        ({"test_names": ("other",)}, "no test trajectory 'other'"),
        ({"trajectories": (Trajectory(np.ones((3, 2)), np.zeros((3, 0)), "t"),) * 2}, "two trajectories of one name"),
    ],
)
def test_inconsistent_data_sets_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        _dataset(np.ones((4, 2)), **changes)
