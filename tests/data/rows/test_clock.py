"""The clock behind time stamps: its step where it rounds or jitters, and rows that are missing, which is neither."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mts3.data.rows.clock import in_distinct_digits, read_clock, tick
from mts3.data.rows.raw import RawTrajectory, Written
from mts3.data.rows.resample import resample

RATES = (24, 25, 30, 48, 50, 60, 64, 80, 100, 120, 125, 144, 200, 240, 250, 300, 480)


def _raw(times, written=None):
    obs = np.arange(len(times), dtype=np.float32)[:, None]
    return RawTrajectory("run", obs, np.zeros((len(times), 0)), np.asarray(times, float), written=written or Written())


@given(
    rate=st.sampled_from(RATES),
    offset=st.floats(0, 1),
    start=st.sampled_from([0.0, 37.0, 1e6]),
    rows=st.integers(120, 900),
    rounds=st.sampled_from([np.round, np.floor]),
)
@settings(max_examples=80, derandomize=True)
def test_a_clock_in_whole_milliseconds_has_the_true_step_and_keeps_every_row(rate, offset, start, rows, rounds):
    shown = rounds(1000 * (np.arange(rows) + offset) / rate) / 1000 + start
    raw = _raw(shown)
    clock = read_clock(shown, tick([raw]))
    assert clock.regular
    assert clock.step == pytest.approx(1 / rate, rel=0.05 / rows)
    (piece,), step, account = resample([raw])
    assert (step, account) == (clock.step, account._replace(rows=rows, points=rows, merged=0, filled=0, cuts=0))
    np.testing.assert_array_equal(piece.obs, raw.obs)


@pytest.mark.parametrize(
    ("rate", "shown"), [(100, 0.01), (60, 0.01), (80, 0.01), (1 / 1.5, 1.0), (7, 0.1), (240, 0.001)]
)
def test_a_clock_that_is_nearly_as_coarse_as_its_rows(rate, shown):
    times = np.floor(np.arange(900) / rate / shown + 0.3) * shown
    clock = read_clock(times, tick([_raw(times)]))
    assert clock.regular
    assert clock.step == pytest.approx(1 / rate, rel=1e-4)
    np.testing.assert_array_equal(resample([_raw(times)])[0][0].obs.ravel(), np.arange(900))


def test_a_gap_in_a_clock_that_rounds_is_found_and_filled_as_long_as_it_is():
    kept = np.delete(np.arange(600), slice(200, 207))
    times = np.round(kept / 0.24) / 1000  # 240 Hz
    clock = read_clock(times, tick([_raw(times)]))
    assert np.flatnonzero(clock.wide).tolist() == [199]
    assert not clock.uneven.any()
    (piece,), step, _ = resample([_raw(times)])
    assert step == pytest.approx(1 / 240, rel=1e-6)
    expected = np.full(600, np.nan)
    expected[kept] = np.arange(593)
    np.testing.assert_array_equal(piece.obs.ravel(), expected)


@given(
    seed=st.integers(0, 2**32 - 1),
    lost=st.sampled_from([0.002, 0.01, 0.05, 0.2]),
    step=st.sampled_from([60.0, 1.0, 0.1, 0.01]),
    rows=st.integers(10, 900),
)
@settings(max_examples=80, derandomize=True)
def test_rows_lost_at_random_are_gaps_and_no_slower_clock(seed, lost, step, rows):
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(np.r_[True, rng.random(rows - 2) >= lost, True])
    times = np.round(step * kept, 6)
    clock = read_clock(times, tick([_raw(times)]))
    assert clock.step == pytest.approx(step)
    np.testing.assert_array_equal(clock.wide, np.diff(kept) > 1)


@given(seed=st.integers(0, 2**32 - 1), jitter=st.floats(0.001, 0.049), start=st.sampled_from([0.0, 1.7e9]))
@settings(max_examples=40, derandomize=True)
def test_a_clock_that_jitters_is_regular_and_its_step_is_span_over_count(seed, jitter, start):
    rng = np.random.default_rng(seed)
    times = start + 0.02 * (np.arange(2000) + rng.uniform(-jitter, jitter, 2000))
    clock = read_clock(times, tick([_raw(times)]))
    assert clock.regular
    assert clock.step == pytest.approx(0.02, rel=0.05 / 2000)  # after all rows it is off by less than a tenth of one
    np.testing.assert_array_equal(resample([_raw(times)])[0][0].obs.ravel(), np.arange(2000))


def test_one_step_that_is_off_makes_no_coarse_clock():
    for odd in (1.5, 1.3, 2.0, 0.5):
        times = np.cumsum(np.r_[0, np.ones(20), odd, np.ones(20)])
        clock = read_clock(times, tick([_raw(times)]))
        assert not clock.regular
        assert clock.step == 1.0


def test_a_second_that_is_lost_in_every_minute_is_a_gap():
    times = np.array([second for second in range(3600) if second % 60 != 7], float)
    clock = read_clock(times, tick([_raw(times)]))
    assert (clock.step, int(clock.wide.sum())) == (1.0, 60)


def test_short_trajectories_are_judged_together():
    times = np.round(np.arange(15) / 0.24) / 1000
    assert tick([_raw(times)]) == 0.0
    assert tick([_raw(times)] * 5) == pytest.approx(0.001)


def test_times_of_float32_are_as_coarse_as_their_digits():
    times = np.float32(20_000 + 0.01 * np.arange(500)).astype(float)  # numbers 0.002 apart
    assert not read_clock(times, tick([_raw(times)])).uneven.all()
    assert read_clock(times, tick([_raw(times, Written(spacing=0.001953125))])).regular


def test_times_are_in_distinct_digits():
    assert in_distinct_digits(1664374975.5, 1664374975.4) == ("1664374975.5", "1664374975.4")
    assert in_distinct_digits(1.0, 0.5) == ("1", "0.5")
    assert len(set(in_distinct_digits(1e9, np.nextafter(1e9, 0)))) == 2
