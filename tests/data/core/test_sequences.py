"""Sequences: the right rows, lazily, all of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mts3.data import SequenceDataset, Trajectory
from mts3.errors import UserError
from mts3.normalizer import Normalizer

UNIT = Normalizer(*(np.array([value], np.float32) for value in (0.0, 1.0, 0.0, 1.0)))


def _counting(length: int) -> Trajectory:
    rows = np.arange(length, dtype=np.float32)[:, None]
    return Trajectory(rows, 100 + rows, f"n{length}")


@given(length=st.integers(2, 60), sequence_len=st.integers(1, 25), data=st.data())
def test_every_row_is_used_and_no_sequence_leaves_its_trajectory(length, sequence_len, data):
    stride = data.draw(st.integers(1, sequence_len))
    trajectories = [_counting(length), _counting(length + 3)]
    sequences = SequenceDataset(trajectories, UNIT, sequence_len, stride)
    seen = {trajectory.name: set() for trajectory in trajectories}
    for i in range(len(sequences)):
        item, (trajectory, start) = sequences[i], sequences.locate(i)
        assert item["obs"].shape == (sequence_len + 1, 1)
        assert item["actions"].shape == (sequence_len, 1)
        obs = item["obs"].ravel()
        real = obs[~obs.isnan()]
        np.testing.assert_array_equal(real, trajectory.obs[start : start + sequence_len + 1, 0])
        # actions[t] acts between obs[t] and obs[t+1]
        np.testing.assert_array_equal(item["actions"].ravel()[: len(real) - 1], 100 + real[:-1])
        seen[trajectory.name] |= set(real.tolist())
    assert all(seen[t.name] == set(range(len(t))) for t in trajectories)


def test_starts_and_the_last_sequence():
    sequences = SequenceDataset([_counting(26)], UNIT, sequence_len=10, stride=6)
    assert [sequences.locate(i)[1] for i in range(len(sequences))] == [0, 6, 12, 15]


def test_a_short_trajectory_is_padded_with_unobserved_rows():
    item = SequenceDataset([_counting(4)], UNIT, sequence_len=6, stride=1)[0]
    np.testing.assert_array_equal(item["obs"].ravel(), [0, 1, 2, 3, np.nan, np.nan, np.nan])
    assert item["actions"].ravel().tolist() == [100, 101, 102, 0, 0, 0]


def test_items_are_normalized_float32_and_gaps_stay():
    obs = np.array([[1.0], [np.nan], [5.0]], np.float32)
    normalizer = Normalizer(*(np.array([value], np.float32) for value in (1.0, 2.0, 3.0, 4.0)))
    item = SequenceDataset([Trajectory(obs, np.full((3, 1), 7.0), "t")], normalizer, 2, 1)[0]
    np.testing.assert_array_equal(item["obs"].ravel(), [0, np.nan, 2])
    assert item["actions"].ravel().tolist() == [1, 1]
    assert item["obs"].dtype == item["actions"].dtype == torch.float32


def test_trajectories_are_never_copied_and_never_changed():
    trajectory = _counting(1000)
    obs, before = trajectory.obs, trajectory.obs.copy()
    sequences = SequenceDataset([trajectory], UNIT, 100, 1)
    assert sequences.trajectories[0].obs is obs
    item = sequences[3]
    # What comes back is as large as the sequence, not as the trajectory, and writing to it changes nothing.
    assert item["obs"].untyped_storage().nbytes() == 101 * 4
    item["obs"].fill_(-1.0)
    np.testing.assert_array_equal(obs, before)


def test_no_actions_and_a_loader():
    trajectory = Trajectory(np.ones((50, 3)), np.zeros((50, 0)), "t")
    normalizer = Normalizer(np.zeros(3), np.ones(3), np.zeros(0), np.ones(0))
    sequences = SequenceDataset([trajectory], normalizer, 10, 10)
    assert (sequences.obs_dim, sequences.action_dim) == (3, 0)
    batch = next(iter(torch.utils.data.DataLoader(sequences, batch_size=4)))
    assert batch["obs"].shape == (4, 11, 3)
    assert batch["actions"].shape == (4, 10, 0)


def test_nothing_to_cut_and_lengths_that_are_none():
    with pytest.raises(UserError, match="no trajectory"):
        SequenceDataset([], UNIT, 5, 1)
    for sequence_len, stride in ((0, 1), (5, 0)):
        with pytest.raises(UserError, match="at least 1"):
            SequenceDataset([_counting(9)], UNIT, sequence_len, stride)


def test_the_longest_trajectory_and_whether_anything_is_observed_late():
    silent = np.arange(12.0)[:, None]
    silent[6:] = np.nan
    trajectories = [_counting(4), Trajectory(silent, np.zeros((12, 1)), "silent"), _counting(9)]
    sequences = SequenceDataset(trajectories, UNIT, 10, 10)
    assert sequences.longest is trajectories[1]
    assert sequences.any_observed(8)
    assert not sequences.any_observed(9)
    assert not SequenceDataset(trajectories[:2], UNIT, 10, 10).any_observed(6)


@pytest.mark.parametrize(("sequence_len", "stride"), [(3.0, 1), ("3", 1), (True, 1), (3, 1.5), (3, None)])
def test_lengths_are_whole_numbers(sequence_len, stride):
    with pytest.raises(UserError, match="expected a whole number of rows"):
        SequenceDataset([_counting(9)], UNIT, sequence_len, stride)
