"""What a time column counts in: recognised, said or refused; dates as loggers write them; what repeats and why."""

from pathlib import Path

import numpy as np
import pytest

from mts3.data import load_dataset
from mts3.data.readers import check_file
from mts3.data.readers.values.time_numbers import stated_unit
from mts3.data.readers.values.times import seconds
from mts3.data.rows.columns import TIME_UNITS, Columns
from mts3.data.sets.load import load_with_notes
from mts3.errors import UserError

N = 300
ROWS = np.arange(N)
MAPPING = {"obs": ["x", "v"], "actions": "u"}


def _signal(rows):
    rng = np.random.default_rng(0)
    u = np.repeat(rng.normal(size=rows // 10 + 1), 10)[:rows]
    state = np.zeros((rows, 2))
    for t in range(rows - 1):
        x, v = state[t]
        state[t + 1] = x + 0.1 * v, 0.95 * v - 0.1 * x + 0.2 * u[t]
    return np.c_[state + 0.01 * rng.normal(size=state.shape), u]


def _log(path, stamps, name="t", unit_line=None):
    lines = [f"{name},x,v,u", *([unit_line] if unit_line else [])]
    lines += [f"{stamp},{x:.5f},{v:.5f},{u:.5f}" for stamp, (x, v, u) in zip(stamps, _signal(len(stamps)), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _read(values, name="t", unit="", **mapping):
    """From Python's numbers or text, as CSV hands them over."""
    text = np.array([str(value) for value in values], dtype=object)
    return seconds([text], Columns(time=(name,), **mapping), "log.csv", {name: unit})


# --- What numbers count in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamps", "step", "words"),
    [
        (1664374975506310939 + ROWS * 10**7, 0.01, "nanoseconds since 1970, from 2022-09-28 14:22:55 on"),
        (1664374975506310939 + ROWS * 10**3, 1e-6, "nanoseconds since 1970"),  # finer than a float64 of that size
        (1664374975506310 + ROWS * 2000, 0.002, "microseconds since 1970"),
        (1664374975506 + ROWS * 200, 0.2, "milliseconds since 1970"),
        (1664374975 + ROWS * 60, 60.0, "seconds since 1970"),
        (1664374975.25 + ROWS / 50, 0.02, "seconds since 1970"),
        (45000.0 + ROWS / 1440 / 24, 2.5, "days, as spreadsheets"),
        (45000.0 + ROWS * 420 / 86400, 420.0, "days, as spreadsheets"),
        (45000.0 + ROWS / 30, 1 / 30, "taken for seconds"),
        (739000.0 + ROWS / 86400, 1.0, "days, as spreadsheets and MATLAB"),
        (2460000.5 + ROWS / 1440, 60.0, "days"),
        (200 * ROWS, 200.0, "taken for seconds (time_unit=ms"),
        (45000 + 0.01 * ROWS, 0.01, "taken for seconds"),  # a clock that runs since yesterday
        (0.1 * ROWS, 0.1, ""),
        (ROWS, 1.0, ""),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_what_numbers_count_in_is_told_by_their_size_and_step(stamps, step, words, as_text):
    times = _read(stamps) if as_text else seconds([stamps], Columns(time=("t",)), "log.npz")
    assert words in times.written.words
    assert bool(times.written.words) == bool(words)
    # Days since 1900 are known to some microseconds.
    np.testing.assert_allclose(
        times.seconds - times.seconds[0], step * ROWS, rtol=1e-9, atol=4e-5 if step > 0.1 else 3e-7
    )


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([202401312359, 202402010000, 202402010001], [0, 60, 120]),
        ([20240131235959, 20240201000000, 20240201000001], [0, 1, 2]),
        (["20240131235959.5", "20240201000000.0", "20240201000000.5"], [0, 0.5, 1]),
        ([20240228, 20240229, 20240301], [0, 86400, 2 * 86400]),
    ],
)
def test_dates_written_as_one_number(stamps, expected):
    times = _read(stamps)
    np.testing.assert_allclose(times.seconds, expected)
    assert "dates as YYYYMMDD" in times.written.words


def test_a_count_that_looks_like_a_date_only_at_first_is_none():
    stamps = 20240101 + ROWS
    np.testing.assert_array_equal(_read(stamps).seconds, stamps)


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("t_ms", "", "ms"), ("time [ms]", "", "ms"), ("Time (s)", "", "s"), ("stamp_ns", "", "ns"), ("t/us", "", "us"),
        ("timestampMs", "", "ms"), ("time, min", "", "min"), ("elapsed_hours", "", "h"), ("stamp.nsecs", "", "ns"),
        ("t", "ms", "ms"), ("t", "[µs]", "us"), ("time", "hours since 1990-01-01", "h"), ("seconds", "", "s"),
        ("days since 1950-01-01", "", "d"), ("t", "", None), ("time", "", None), ("s", "", None), ("bounds", "", None),
        ("items", "", None), ("t", "hh:mm:ss", None), ("t", "-", None),
    ],
)  # fmt: skip
def test_units_in_names_and_lines_of_units(name, unit, expected):
    assert stated_unit(name, unit) == expected


def test_hours_and_days_may_count_from_long_ago():
    stamps = 1_600_000 + ROWS
    assert _read(stamps, name="hours since 1850-01-01").written.words == "time 'hours since 1850-01-01': hours"
    np.testing.assert_array_equal(np.diff(_read(700_000 + ROWS, unit="days since 0001-01-01").seconds), 86400)


@pytest.mark.parametrize("unit", TIME_UNITS)
def test_a_unit_that_is_said_is_obeyed(unit):
    stamps = 1_000_000 + 7 * ROWS
    for times in (_read(stamps, time_unit=unit), _read(stamps, name=f"t [{unit}]"), _read(stamps, unit=unit)):
        apart = times.seconds - times.seconds[0]
        np.testing.assert_allclose(apart, 7 * TIME_UNITS[unit] * ROWS, rtol=1e-9, atol=1e-9 * TIME_UNITS[unit])
    # Since when such a unit counts is not known, and not claimed.
    assert _read(1664374975506 + ROWS, name="t_ms").written.words == "time 't_ms': milliseconds"
    # The user's word stands above the name's.
    assert (
        _read(stamps, name="t_ms", time_unit="s").seconds[1] - _read(stamps, name="t_ms", time_unit="s").seconds[0] == 7
    )


@pytest.mark.parametrize(
    ("stamps", "name", "words"),
    [
        (12345678901234 + ROWS * 10**7, "t", "starts with 12345678901234, too large for seconds, .* time_unit=s, ms"),
        (1664374975506 + 200 * ROWS, "t_s", "too large for seconds"),
        (1664374975 + 10**4 * ROWS, "t", "could be seconds since 1970, or count from another start"),
        (45000.25 + ROWS / 24, "t", "could count in days, a row every 3600 s, or in seconds: .*time_unit"),
        (np.round(45000.25 + ROWS / 24, 6), "t", "could count in days, a row every 3600.* s, or in seconds"),
        (np.round(45000.25 + ROWS / 144, 4), "t", "could count in days, a row every 600.* s, or in seconds"),
    ],
)
def test_numbers_that_could_count_in_several_units_are_refused(stamps, name, words):
    with pytest.raises(UserError, match=words):
        _read(stamps, name=name)


def test_events_now_and_then_are_in_seconds_since_1970():
    apart = np.random.default_rng(0).integers(1, 9001, N)
    times = _read(1664374975 + np.cumsum(apart))
    np.testing.assert_array_equal(np.diff(times.seconds), apart[1:])


def test_a_log_says_what_its_time_was_taken_for(tmp_path):
    path = _log(tmp_path / "log.csv", 1664374975506310939 + ROWS * 10**7, "%time")
    dataset, notes = load_with_notes(None, path, MAPPING | {"time": "%time"})
    assert dataset.sample_time == pytest.approx(0.01, rel=1e-9)
    assert "time '%time': nanoseconds since 1970, from 2022-09-28 14:22:55 on, every 0.01 s" in notes
    path = _log(tmp_path / "units.csv", 200 * ROWS, unit_line="ms,m,m/s,N")
    assert load_dataset(None, path, MAPPING | {"time": "t"}).sample_time == pytest.approx(0.2)


def test_a_sampling_time_that_contradicts_the_clock_is_refused(tmp_path):
    path = _log(tmp_path / "log.csv", [f"{0.1 * row:.1f}" for row in ROWS])
    mapping = MAPPING | {"time": "t", "sample_time": 0.5}
    with pytest.raises(UserError, match=r"sample_time=0\.5 and the times of .*, every 0\.1 s, contradict"):
        load_dataset(None, path, mapping)
    assert load_dataset(None, path, mapping | {"resample": True}).sample_time == 0.5
    dataset, notes = load_with_notes(None, path, mapping | {"sample_time": 0.104})
    assert dataset.sample_time == 0.104
    assert "sample_time=0.104 is taken as given; the times are 0.1 s apart" in notes
    assert not any("sample_time" in note for note in load_with_notes(None, path, mapping | {"sample_time": 0.1})[1])


# --- Dates --------------------------------------------------------------------------------------------------------

DAY = 86400.0


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (["05/13/2024 11:59:59 PM", "05/14/2024 12:00:00 AM", "05/14/2024 12:00:01 AM"], [0, 1, 2]),
        (["13/05/2024 11:59 a.m.", "13/05/2024 12:01 p.m."], [0, 120]),
        (["13.05.2024 23:59", "13.05.2024 24:00", "14.05.2024 00:01"], [0, 60, 120]),
        (["31.12.2023 23:45", "01.01.2024", "01.01.2024 00:15"], [0, 900, 1800]),  # spreadsheets leave 00:00 out
        (["01-May-24", "02-May-24"], [0, DAY]),
        (["28-Feb-2024 10:00", "1-Mar-2024 10:00"], [0, 2 * DAY]),
        (["May 13, 2024 1:00 PM", "May 13, 2024 1:05 PM"], [0, 300]),
        (["13 September 2024 10:00:00", "13 Sept 2024 10:00:01"], [0, 1]),
        (["Mon, 13 May 2024 12:00:00 GMT", "Mon, 13 May 2024 12:00:02 GMT"], [0, 2]),
        (["2024/05/13", "2024/05/14"], [0, DAY]),
        (["2024-5-3 1:02", "2024-5-3 1:03"], [0, 60]),
        (["13/05/24", "14/05/24"], [0, DAY]),
        (["24/05/13", "24/05/14"], [0, DAY]),
        (["2024-05-13 12:00:00 UTC", "2024-05-13 12:00:01 UTC"], [0, 1]),
        (["2024-10-27 02:59:59 CEST", "2024-10-27 02:00:00 CET"], [0, 1]),
        (["2024-05-13T12:00:00+0200", "2024-05-13T10:00:01Z"], [0, 1]),
        (["2024-05-01T12:00:00+02:00[Europe/Berlin]", "2024-05-01T12:00:01+02:00[Europe/Berlin]"], [0, 1]),
        (["2024-05-13T12:00:00.123456789", "2024-05-13T12:00:00.123456799"], [0, 1e-8]),
        (["2024-05-13T12:00:00.999999999Z", "2024-05-13T12:00:01.000000000Z"], [0, 1e-9]),
        (["2024-05-01 12:30:00,100", "2024-05-01 12:30:00,200"], [0, 0.1]),
        (["2024-05-01-12.30.00.500", "2024-05-01-12.30.01.000"], [0, 0.5]),
        (["2024-W05-1", "2024-W05-2"], [0, DAY]),
        (["2024-05-01T12:30", "2024-05-01T13"], [0, 1800]),
        (["12:00:00", "12:00:01.5"], [0, 1.5]),
        (["1600-01-01", "1600-01-02"], [0, DAY]),
        (["01/02/2024 10:00:00", "01/02/2024 10:00:01"], [0, 1]),  # either way it is the same day
    ],
)
def test_dates_as_they_are_written(stamps, expected):
    np.testing.assert_allclose(_read(stamps).seconds, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("stamps", "words"),
    [
        (
            ["2024-05-13", "2024-05-14", "2024-05-1x"],
            "has '2024-05-1x' in data row 3; .* like '2024-05-13' in data row 1",
        ),
        (["13.05.2024", "32.05.2024"], "has '32.05.2024' in data row 2; expected a day that exists"),
        (["2024-02-29", "2023-02-29"], "has '2023-02-29' in data row 2"),
        (["13.05.2024", "2024-05-14"], "has '2024-05-14' in data row 2; expected dates all alike"),
        (["2024-05-13T12:00:00", "2024-05-13T12:00:01Z"], "data row 2; expected dates all with a zone"),
        (["2024-05-13 12:00:00 CST", "2024-05-13 12:00:01 CST"], "data row 1; .*not ambiguous instead of 'CST'"),
        (["2024-05-13 25:00:00", "2024-05-13 25:00:01"], "has '2024-05-13 25:00:00' in data row 1"),
        (["13/13/2024 10:00", "13/14/2024 10:00"], "has '13/13/2024 10:00' in data row 1; expected a day that exists"),
        (["01/02/2024", "01/03/2024"], "could be day/month or month/day; .*time_format"),
        ([0.1, 0.2, "x"], "has 'x' in data row 3|has '0.1' in data row 1"),
    ],
)
def test_the_first_cell_that_is_no_date_is_named(stamps, words):
    with pytest.raises(UserError, match=words):
        _read(stamps)


def test_missing_times_are_nan_and_the_others_where_they_belong():
    np.testing.assert_array_equal(
        _read(["", "2024-05-01T12:00:00Z", "NaN", "2024-05-01T12:00:02Z"]).seconds, [np.nan, 0, np.nan, 2]
    )
    np.testing.assert_array_equal(_read(["", "01.05.2024", "02.05.2024"]).seconds, [np.nan, 0, DAY])
    stamps = np.array(["NaT", "2024-05-01T12:00", "2024-05-01T12:01"], dtype="datetime64[s]")
    np.testing.assert_array_equal(seconds([stamps], Columns(time=("t",)), "x").seconds, [np.nan, 0, 60])
    np.testing.assert_array_equal(_read(["0.5", "inf", "", "2"]).seconds, [0.5, np.nan, np.nan, 2])
    np.testing.assert_array_equal(_read(["", ""]).seconds, [np.nan, np.nan])


def test_durations_are_seconds():
    durations = np.array([0, 1500, "NaT"], dtype="timedelta64[ms]")
    np.testing.assert_array_equal(seconds([durations], Columns(time=("t",)), "x").seconds, [0, 1.5, np.nan])


def test_a_format_that_is_said_is_obeyed_in_every_row():
    np.testing.assert_array_equal(_read(["01/02/2024", "01/03/2024"], time_format="%d/%m/%Y").seconds, [0, 29 * DAY])
    np.testing.assert_array_equal(_read(["01/02/2024", "01/03/2024"], time_format="%m/%d/%Y").seconds, [0, DAY])
    np.testing.assert_array_equal(_read([240131, 240201], time_format="%y%m%d").seconds, [0, DAY])
    numbers = seconds([np.array([20240131, 20240201])], Columns(time=("t",), time_format="%Y%m%d"), "x")
    np.testing.assert_array_equal(numbers.seconds, [0, DAY])
    with pytest.raises(UserError, match=r"has '13\.13\.24' in data row 2; expected what time_format='%d\.%m\.%y' says"):
        _read(["13.12.24", "13.13.24"], time_format="%d.%m.%y")
    with pytest.raises(UserError, match=r"time_format='%Q' says .*bad directive"):
        _read(["13.12.24"], time_format="%Q")
    with pytest.raises(UserError, match="'noon' in data row 2, no number; time_unit=ms says what numbers count in"):
        _read(["5", "noon"], time_unit="ms")


@pytest.mark.parametrize(
    ("names", "first", "second", "expected"),
    [
        (("Date", "Time"), ["2024-05-13", "2024-05-14"], ["23:59:59", "00:00:00"], [0, 1]),
        (("Date", "Time"), ["13.05.2024", "13.05.2024"], ["24:00", "24:00"], [0, 0]),
        (("Date", "Time"), ["05/13/2024", "05/13/2024"], ["1:00:00 PM", "1:00:01 PM"], [0, 1]),
        (("Date", "Time"), [20240513, 20240513], [95959, 100000], [0, 1]),
        (("Date", "Time"), [45000, 45001], [0.5, 0.25], [0, 0.75 * DAY]),
        (("Date", "Time"), ["2024-05-13", ""], ["12:00", "12:01"], [0, np.nan]),
        (("secs", "nsecs"), [1664374975, 1664374976], [999999000, 0], [0, 1e-6]),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_a_date_and_a_time_of_day_in_two_columns(names, first, second, expected, as_text):
    arrays = [np.array(list(map(str, a)) if as_text else a, dtype=object if as_text else None) for a in (first, second)]
    times = seconds(arrays, Columns(time=names), "log.csv").seconds
    np.testing.assert_allclose(times - times[0], expected, atol=1e-9)


def test_two_columns_with_a_format():
    arrays = [np.array(["13.5.24", "13.5.24"], dtype=object), np.array(["12-00", "12-01"], dtype=object)]
    columns = Columns(time=("Date", "Time"), time_format="%d.%m.%y %H-%M")
    np.testing.assert_array_equal(seconds(arrays, columns, "log.csv").seconds, [0, 60])
    with pytest.raises(UserError, match=r"has '13\.5\.24' in data row 1, no number; time_unit=ms"):
        seconds(arrays, Columns(time=("Date", "Time"), time_unit="ms"), "log.csv")


def test_two_columns_of_a_file(tmp_path):
    lines = ["Date,Time,zone,obs_x", *(f"2024-05-13,12:00:{row:02d},CET,{row}" for row in range(30))]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    mapping = {"obs": "obs_x", "time": ["Date", "Time"]}
    assert load_dataset(None, tmp_path / "log.csv", mapping).sample_time == 1.0
    with pytest.raises(UserError, match="names 3 columns; expected one, or a date and a time of day"):
        load_dataset(None, tmp_path / "log.csv", mapping | {"time": ["Date", "Time", "zone"]})


# --- Times that repeat or jump, and what resampling does about it --------------------------------------------------


def _iso(start, step, rows):
    return np.datetime64(start) + (np.arange(rows) * step).astype("timedelta64[s]")


def test_whole_seconds_at_five_rows_a_second(tmp_path):
    path = _log(tmp_path / "log.csv", _iso("2024-05-01T12:00:00", 1, 300).repeat(5))
    for mapping in ({"time": "t"}, {"time": "t", "resample": True}):
        with pytest.raises(
            UserError, match=r"each time stands in 5 rows: .* lost: give sample_time=0\.2 without time="
        ):
            load_dataset(None, path, MAPPING | mapping)
    # What the user asks for is done, and said.
    dataset, notes = load_with_notes(None, path, MAPPING | {"time": "t", "resample": True, "sample_time": 10})
    assert len(dataset.trajectories[0]) == 31
    assert any("1500 rows in, 31 out, 1469 merged" in note for note in notes)


def test_seconds_since_1970_in_float32(tmp_path):
    stamps = np.float32(1664374975 + 0.1 * np.arange(6000))
    path = _log(tmp_path / "log.csv", [f"{stamp:.1f}" for stamp in stamps])
    for mapping in ({"time": "t"}, {"time": "t", "resample": True}):
        with pytest.raises(UserError, match=r"held in float32, whose numbers lie 128 s apart"):
            load_dataset(None, path, MAPPING | mapping)


def _local(hours, change, by):
    """Hourly local times; the clock is changed by an hour at `change`."""
    stamps = _iso("2024-10-20T00:00:00", 3600 * hours, round(240 / hours))
    return np.where(stamps >= np.datetime64(change), stamps + np.timedelta64(by, "h"), stamps)


def test_clocks_that_are_set_back_or_forward(tmp_path):
    hourly = _log(tmp_path / "hourly.csv", _local(1, "2024-10-27T03:00", -1))
    with pytest.raises(UserError, match=r"data rows 171 and 172 have the same time.*clocks are set back: .* in UTC"):
        load_dataset(None, hourly, MAPPING | {"time": "t"})
    dataset, notes = load_with_notes(None, hourly, MAPPING | {"time": "t", "resample": True})
    assert len(dataset.trajectories[0]) == 239
    assert any("240 rows in, 239 out, 1 merged" in note and "clocks are set back" in note for note in notes)
    often = _log(tmp_path / "often.csv", _local(0.25, "2024-10-27T03:00", -1))
    with pytest.raises(UserError, match=r"goes from 614700 to 612000 s after the first row .*clocks are set back"):
        load_dataset(None, often, MAPPING | {"time": "t"})
    spring = _log(tmp_path / "spring.csv", _local(0.25, "2024-10-27T02:00", 1))
    with pytest.raises(UserError, match=r"irregular times, 1 of .* one hour too long, .* clocks are set forward"):
        load_dataset(None, spring, MAPPING | {"time": "t"})
    _, notes = load_with_notes(None, spring, MAPPING | {"time": "t", "resample": True})
    assert any("4 steps filled with NaN" in note and "clocks are set forward" in note for note in notes)
    # The same of times with a zone is no change of a clock.
    zoned = _log(tmp_path / "zoned.csv", [f"{stamp}Z" for stamp in _local(0.25, "2024-10-27T02:00", 1)])
    with pytest.raises(UserError, match=r"irregular times") as error:
        load_dataset(None, zoned, MAPPING | {"time": "t"})
    assert "set forward" not in str(error.value)


def test_a_time_of_day_that_passes_midnight(tmp_path):
    stamps = [str(stamp)[11:] for stamp in _iso("2024-05-13T23:59:00", 1, 120)]
    path = _log(tmp_path / "log.csv", stamps)
    with pytest.raises(UserError, match=r"at data row 61; .* at midnight: .*time=\[DATE,TIME\]"):
        load_dataset(None, path, MAPPING | {"time": "t"})
    dataset, notes = load_with_notes(None, _log(path, stamps[:60]), MAPPING | {"time": "t"})
    assert dataset.sample_time == 1.0
    assert "time 't': times of day without a date, every 1 s" in notes


def test_resampling_refuses_to_lose_rows_and_says_what_it_lost(tmp_path):
    rng = np.random.default_rng(0)
    stamps = np.cumsum(rng.exponential(size=N)).round(3)
    path = _log(tmp_path / "log.csv", stamps)
    with pytest.raises(UserError, match=r"would leave out \d+ of 300 rows, .* give a finer sample_time"):
        load_dataset(None, path, MAPPING | {"time": "t", "resample": True})
    _, notes = load_with_notes(
        None, path, MAPPING | {"time": "t", "resample": True, "sample_time": 0.02, "max_gap": 20}
    )
    (note,) = [note for note in notes if note.startswith("resampled")]
    assert "a row every 0.02 s: 300 rows in, " in note
    lonely = _log(tmp_path / "lonely.csv", np.r_[0.1 * np.arange(100), 100 + 5.0 * np.arange(50)])
    with pytest.raises(UserError, match=r"would leave out 50 of 150 rows, which stand alone .* give max_gap=SECONDS"):
        load_dataset(None, lonely, MAPPING | {"time": "t", "resample": True})
    dataset, notes = load_with_notes(None, lonely, MAPPING | {"time": "t", "resample": True, "max_gap": 1})
    assert [len(t) for t in dataset.trajectories] == [100]
    assert "150 rows in, 100 out, 0 merged" in notes[-1]
    assert "50 cuts at silences, 50 left out that stand alone" in notes[-1]


def test_times_in_messages_are_told_apart(tmp_path):
    stamps = [0.0, 10000000.1, 10000000.3, 10000000.2]
    with pytest.raises(UserError, match=r"goes from 10000000\.3 to 10000000\.2 at data row 4"):
        load_dataset(None, _log(tmp_path / "log.csv", stamps), MAPPING | {"time": "t"})


def test_times_rounded_to_whole_seconds_stand_in_nine_and_eleven_rows_in_turn(tmp_path):
    stamps = [f"{1664374975 + 0.1 * i:.10g}" for i in range(300)]  # half a second goes to the even one
    assert [stamps.count(f"{1664374975 + s}") for s in (1, 2, 3)] == [11, 9, 11]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["t,x", *(f"{stamp},{i % 7}" for i, stamp in enumerate(stamps))]))
    with pytest.raises(
        UserError, match=r"each time stands in about 10\.\d+ rows: .* give sample_time=0\.\d+ without time="
    ):
        load_dataset(None, path, {"obs": "x", "time": "t"})


@pytest.mark.parametrize(
    ("stamps", "step", "words"),
    [
        (np.round(45000 + ROWS / 86400, 6), 1.0, "days, as spreadsheets"),
        (np.round(45000 + ROWS / 1440, 5), 60.0, "days, as spreadsheets"),
        (np.round(45000 + ROWS / 60, 6), 1 / 60, "taken for seconds"),
    ],
)
def test_digits_that_were_rounded_away_do_not_hide_what_times_count_in(stamps, step, words):
    times = _read(stamps)
    assert words in times.written.words
    assert (times.seconds[-1] - times.seconds[0]) / (N - 1) == pytest.approx(step, rel=1e-3)


@pytest.mark.parametrize("step", [0.001, 1 / 15, 1 / 30, 1 / 60, 1 / 90])
@pytest.mark.parametrize("jitter", [0.0, 0.02])
def test_seconds_since_midnight_are_no_days(step, jitter):
    shaken = jitter * np.random.default_rng(0).uniform(-1, 1, 200)
    times = 54_000 + step * (np.arange(200) + shaken)
    read = seconds([times], Columns(time=("t",)), Path("x.csv")).seconds
    np.testing.assert_allclose(np.diff(read), np.diff(times), atol=1e-10)


@pytest.mark.parametrize("step", [1800, 3600])
def test_seconds_since_1970_a_little_off_whole_minutes_are_read(step):
    times = 1_714_564_800 + step * np.arange(100) + np.random.default_rng(0).uniform(-2, 2, 100)
    read = seconds([times], Columns(time=("t",)), Path("x.csv")).seconds
    np.testing.assert_allclose(read, times - times[0], atol=1e-6)


@pytest.mark.parametrize(
    ("stamps", "flagged"),
    [
        (45000 + ROWS, True),  # days of a spreadsheet, a row a day
        (1_000_000 * ROWS, True),  # microseconds, a row a second
        (1000 * ROWS, True),  # milliseconds
        (3600 * ROWS, False),
        (45000 + np.round(0.1 * ROWS, 1), False),  # seconds since midnight
        (10 * ROWS, False),
        (86_400 * ROWS, False),
    ],
)
def test_check_flags_numbers_that_seem_to_count_something_else(tmp_path, stamps, flagged):
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["t,x", *(f"{stamp},{(i * i) % 17}" for i, stamp in enumerate(stamps))]))
    kinds = [finding.kind for finding in check_file(path, {"obs": "x", "time": "t"}).findings]
    assert ("time_unit" in kinds) == flagged


def test_seconds_and_nanoseconds_in_float32_lose_nothing_when_subtracted():
    columns = [np.array([7.0, 7.0, 8.0], np.float32), np.array([3.0, 5e8, 3.0], np.float32)]
    times = seconds(columns, Columns(time=("sec", "nanosec")), "log.npz")
    assert times.written.words == "time 'sec and nanosec': s and ns together"
    np.testing.assert_allclose(times.seconds, [0.0, 0.499999997, 1.0], rtol=0, atol=1e-12)
