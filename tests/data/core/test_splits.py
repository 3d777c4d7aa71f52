"""Every row in exactly one part; seeds decide; time goes forwards."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mts3.data import Dataset, Trajectory, leave_out_short, split
from mts3.errors import UserError


def _many(count: int, length: int = 4) -> Dataset:
    trajectories = tuple(Trajectory(np.full((length, 1), i), np.zeros((length, 0)), f"t{i}") for i in range(count))
    return Dataset("many", trajectories, ("x",), (), 1.0)


def _names(part):
    return [trajectory.name for trajectory in part]


@given(count=st.integers(3, 60), seed=st.integers(0, 99), first=st.floats(0.05, 0.9), second=st.floats(0.1, 0.9))
def test_trajectories_are_dealt_out_whole_and_once(count, seed, first, second):
    shares = (first, (1 - first) * second, (1 - first) * (1 - second))
    parts = split(_many(count), seed, shares)
    dealt = [_names(part) for part in (parts.train, parts.validation, parts.test)]
    assert sorted(itertools.chain(*dealt)) == sorted(f"t{i}" for i in range(count))
    assert all(dealt)


def test_shares_are_kept():
    parts = split(_many(100), 0, (0.7, 0.2, 0.1))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (70, 20, 10)


def test_the_seed_decides_and_nothing_else():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (_names(split(_many(30), seed).test) for seed in (1, 1, 2))
    assert first == again != other
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_one_recording_is_cut_by_time_into_views_without_a_common_row():
    obs = np.arange(1000, dtype=np.float32)[:, None]
    dataset = Dataset("long", (Trajectory(obs, np.zeros((1000, 0)), "r"),), ("x",), (), 1.0)
    parts = split(dataset, 5)
    pieces = [part[0].obs for part in (parts.train, parts.validation, parts.test)]
    assert [len(piece) for piece in pieces] == [700, 150, 150]
    assert np.concatenate(pieces).ravel().tolist() == obs.ravel().tolist()
    assert all(np.shares_memory(piece, obs) for piece in pieces)
    assert parts.test[0].name == "r[850:1000]"


def test_two_recordings_are_each_cut_by_time():
    parts = split(_many(2, length=100), 0)
    assert _names(parts.validation) == ["t0[70:85]", "t1[70:85]"]


def test_a_reserved_test_part_is_kept():
    dataset = _many(20)
    reserved = Dataset("many", dataset.trajectories, ("x",), (), 1.0, test_names=("t3", "t4", "t5"))
    parts = split(reserved, 0, (0.7, 0.15, 0.15))
    assert _names(parts.test) == ["t3", "t4", "t5"]
    assert len(parts.validation) == 3  # 15 of 85 hundredths of the other 17
    assert not set(_names(parts.train)) & set(_names(parts.validation) + _names(parts.test))


@pytest.mark.parametrize(
    "shares", [(0.5, 0.5), (0.7, 0.2, 0.2), (1.0, 0.0, 0.0), (0.9, 0.2, -0.1), ("a", "b", "c"), ((1,), 0.5, 0.5)]
)
def test_shares_that_are_none(shares):
    with pytest.raises(UserError, match="split_fractions"):
        split(_many(5), 0, shares)


def test_a_recording_too_short_to_be_cut_says_what_is_needed():
    with pytest.raises(
        UserError, match=r"'t0' has 100 rows.*has 15; expected at least 21.*data\.context_len=14 or less,"
    ):
        split(_many(1, length=100), 0, min_length=21, window_len=10)


def _of_lengths(*rows: int, test_names: tuple[str, ...] = ()) -> Dataset:
    trajectories = tuple(Trajectory(np.ones((n, 1)), np.zeros((n, 0)), f"len{n}") for n in rows)
    return Dataset("mixed", trajectories, ("x",), (), 1.0, test_names=test_names)


def test_a_short_trajectory_is_named_or_left_out():
    dataset = _of_lengths(30, 20, 21, 5)
    with pytest.raises(
        UserError, match=r"'len5'.*5 rows; expected at least 21.*the 2 that are too short with data\.skip_short=true$"
    ):
        leave_out_short(dataset, 21)
    kept, left_out = leave_out_short(dataset, 21, skip_short=True)
    assert (_names(kept.trajectories), left_out) == (["len30", "len21"], 2)
    assert leave_out_short(dataset, 5) == (dataset, 0)


@pytest.mark.parametrize(
    ("window_len", "skip_short", "advice"),
    [
        (4, False, "'len5'.*: choose data.context_len=4 or less$"),
        (10, False, "'len5'.*: choose data.window_len=4 and data.context_len=4 or less$"),
        (20, True, "every trajectory.*'len20'.*20 rows.*: choose data.window_len=19 and data.context_len=19 or less$"),
        (19, True, "every trajectory.*'len20'.*20 rows.*: choose data.context_len=19 or less$"),
    ],
)
def test_the_advice_names_what_binds_and_holds(window_len, skip_short, advice):
    dataset = _of_lengths(20, 5)
    with pytest.raises(UserError, match=advice):
        leave_out_short(dataset, 31, skip_short, window_len)
    leave_out_short(dataset, 20 if skip_short else 5, skip_short)  # the context that was named, and one row


def test_reserved_test_trajectories_that_are_all_too_short():
    dataset = _of_lengths(30, 40, 20, 5, test_names=("len20", "len5"))
    with pytest.raises(
        UserError, match=r"every test trajectory of 'mixed'.*'len20'.*choose data\.context_len=19 or less$"
    ):
        leave_out_short(dataset, 21, skip_short=True)
