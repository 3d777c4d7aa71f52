"""Irregular times come onto a regular grid: every value was measured, and none is where nothing was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mts3.data.rows.raw import RawTrajectory
from mts3.data.rows.resample import resample
from mts3.errors import UserError


def _raw(times, obs, actions=None, reward=None):
    obs = np.asarray(obs, dtype=np.float32)
    obs = obs[:, None] if obs.ndim == 1 else obs
    actions = np.zeros((len(obs), 0)) if actions is None else np.asarray(actions, dtype=np.float32)[:, None]
    return RawTrajectory("run", obs, actions, np.asarray(times, dtype=np.float64), reward)


def _one(*args, step=None, max_gap=None, **kwargs):
    (piece,), *_ = resample([_raw(*args, **kwargs)], step, max_gap)
    return piece


@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.sampled_from([1e-3, 0.1, 1.0, 3600.0]),
    start=st.sampled_from([0.0, -5.0, 1.7e9]),
    jitter=st.floats(0.0, 0.25),
    lost=st.floats(0.0, 0.5),
)
def test_lost_rows_are_nan_and_all_others_where_they_belong(seed, step, start, jitter, lost):
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(60, 3)).astype(np.float32)
    actions = rng.normal(size=60).astype(np.float32)
    kept = np.flatnonzero(np.r_[True, rng.random(58) >= lost, True])
    times = start + step * (kept + rng.uniform(-jitter, jitter, size=len(kept)))
    piece = _one(times, whole[kept], actions[kept], step=step, max_gap=100 * step)
    expected = np.full_like(whole, np.nan)
    expected[kept] = whole[kept]
    np.testing.assert_array_equal(piece.obs, expected)
    held = kept[np.searchsorted(kept, np.arange(60), side="right") - 1]
    np.testing.assert_array_equal(piece.actions[:, 0], actions[held])
    assert piece.times is None


@given(seed=st.integers(0, 2**32 - 1), step=st.floats(0.05, 3.0))
def test_every_value_was_measured_within_half_a_step(seed, step):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(size=40))
    piece = _one(times, np.arange(40.0), step=step, max_gap=1e3)
    point = np.flatnonzero(~np.isnan(piece.obs[:, 0]))
    at = times[piece.obs[point, 0].astype(int)]
    assert (np.diff(at) > 0).all()
    # One grid for all: the distances of times to its points span no more than a step.
    assert np.ptp(at - point * step) <= step * (1 + 1e-9)


def test_regular_times_change_nothing():
    rng = np.random.default_rng(0)
    obs, actions = rng.normal(size=(50, 2)).astype(np.float32), rng.normal(size=50).astype(np.float32)
    pieces, step, _ = resample([_raw(1e9 + 0.02 * np.arange(50), obs, actions)])
    assert step == pytest.approx(0.02)
    np.testing.assert_array_equal(pieces[0].obs, obs)
    np.testing.assert_array_equal(pieces[0].actions[:, 0], actions)


def test_the_grid_lies_where_most_times_are_not_where_the_first_is():
    times = np.arange(50) + 0.1 * (-1.0) ** np.arange(50)
    times[0] = 0.45
    assert _one(times, np.arange(50), step=1.0).obs.ravel().tolist() == list(range(50))


def test_the_nearest_row_wins_and_of_equals_the_later():
    piece = _one([0, 1, 1.9, 2.2, 3, 3, 4], [0, 1, 19, 22, 30, 31, 4], step=1.0)
    assert piece.obs.ravel().tolist() == [0, 1, 19, 31, 4]


def test_each_channel_takes_its_own_nearest_value():
    """Two sensors that report in rows of their own, the second one at half the rate."""
    nan = np.nan
    obs = [[1, nan], [nan, 10], [2, nan], [3, nan], [nan, 30], [4, nan]]
    piece = _one([0, 0.1, 1, 2, 2.1, 3], obs, step=1.0)
    np.testing.assert_array_equal(piece.obs, [[1, 10], [2, nan], [3, 30], [4, nan]])


def test_an_action_is_the_one_in_force_in_the_middle_of_its_step():
    piece = _one([0, 1.02, 1.98, 2.4, 3, 4], np.arange(6), [0, 1, 2, 2.5, 3, 4], step=1.0)
    assert piece.actions.ravel().tolist() == [0, 1, 2.5, 3, 4]


def test_the_grid_starts_where_all_actions_are_known_and_holds_them():
    piece = _one(np.arange(6.0), np.arange(6), [np.nan, np.nan, 5, np.nan, np.nan, 6])
    assert piece.obs.ravel().tolist() == [2, 3, 4, 5]
    assert piece.actions.ravel().tolist() == [5, 5, 5, 6]


def test_rewards_in_a_step_add_up():
    reward = np.array([1.0, 2.0, 3.0, np.nan, 5.0])
    piece = _one([0, 0.9, 1.1, 2, 4], np.arange(5), step=1.0, reward=reward)
    np.testing.assert_array_equal(piece.reward, [1, 5, np.nan, np.nan, 5])


def test_a_long_silence_splits_and_a_short_one_does_not():
    times = np.r_[np.arange(5.0), 5 + 9.0, 15 + np.arange(3.0), 40.0, 60 + np.arange(2.0)]
    pieces, step, _ = resample([_raw(times, np.arange(len(times)))])
    assert step == 1.0
    # 10 steps of silence are bridged; the lone row between two longer ones makes no trajectory.
    assert [(piece.name, len(piece)) for piece in pieces] == [("run[0:9]", 18), ("run[10:12]", 2)]
    assert np.isnan(pieces[0].obs[5:14]).all()
    whole = _one(times, np.arange(len(times)), max_gap=30)
    assert (whole.name, len(whole)) == ("run", 62)


def test_trajectories_share_one_step():
    pieces, step, _ = resample(
        [_raw(0.1 * np.arange(9), np.arange(9)), _raw(0.2 * np.arange(5), np.arange(5))], step=0.1
    )
    assert (step, [len(piece) for piece in pieces]) == (0.1, [9, 9])
    assert np.isnan(pieces[1].obs[1::2]).all()
    assert resample([_raw(k * np.arange(5.0), np.arange(5)) for k in (1, 2, 3)])[1] == 2.0


def test_a_coarser_grid_picks_values():
    piece = _one(0.01 * np.arange(101), np.arange(101), step=0.1)
    assert piece.obs.ravel().tolist() == list(range(0, 101, 10))


def test_what_became_of_the_rows_is_counted():
    nan = np.nan
    actions = [nan, nan, 3, 4, 5, 6, 7, 8, 9, 9]
    times = [0, 1, 2, 3, 3.1, 5, 6, 40, 60, 61]
    pieces, _, account = resample([_raw(times, np.arange(10), actions)], step=1.0)
    # Rows 0 and 1 have no action; 3 and 3.1 are one step, in which an observation is lost; nothing comes at 4.
    assert [(piece.name, piece.obs.ravel().tolist()) for piece in pieces][1] == ("run[8:10]", [8, 9])
    np.testing.assert_array_equal(pieces[0].obs.ravel(), [2, 3, nan, 5, 6])
    assert account == (10, 7, 1, 1, 1, 2, 1, 2)
    assert account.words().startswith("10 rows in, 7 out, 1 merged with another row in the same step, 1 step filled")
    assert account.rows == account.points - account.filled + account.merged + account.alone + account.unknown
    both = [[1, nan], [nan, 10], [2, nan]]
    assert resample([_raw([0, 0.1, 1], both)], step=1.0)[2].dropped == 0  # each channel keeps its own


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (None, "no times to resample by"),
        ([0, 1, np.nan, 3], "time in data row 3 is missing"),
        ([0, 1, 0.5, 3], "goes from 1 to 0.5 at data row 3"),
        ([5, 5, 5, 5], "one time for all its rows"),
        ([0], "has 1 row"),
    ],
)
def test_times_that_cannot_be_used(times, words):
    raw = RawTrajectory("run", np.ones((4, 1)), np.ones((4, 1)), None if times is None else np.array(times, float))
    with pytest.raises(UserError, match=words):
        resample([raw])


def test_nothing_that_remains_and_units_that_are_off():
    with pytest.raises(UserError, match=r"no trajectory has 2 rows in a row .* larger max_gap"):
        resample([_raw([0, 1, 2], [1, 2, 3])], step=0.1, max_gap=0.5)
    with pytest.raises(UserError, match="no trajectory has 2 rows in a row with every action known"):
        resample([_raw([0, 1, 2], [1, 2, 3], [np.nan] * 3)])
    with pytest.raises(UserError, match=r"3 rows of 'run' would give 200001 steps; .*check the units"):
        resample([_raw([0, 100, 200], [1, 2, 3])], step=1e-3, max_gap=1e3)
