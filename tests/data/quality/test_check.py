"""Injected flaws are found where they are; sound recordings, random and real, give nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mts3.data import Columns, Dataset, Trajectory, load_dataset
from mts3.data.quality.channel_flaws import channel_flaws, gaps
from mts3.data.quality.check import check_dataset, find_flaws
from mts3.data.quality.findings import KINDS
from mts3.data.quality.repair import mask_with_notes
from mts3.data.readers import check_file
from mts3.data.rows.raw import RawDataset, RawTrajectory, Written
from mts3.data.sets.load import load_with_notes
from mts3.data.sets.pam import _find
from mts3.errors import UserError

SEEDS = st.integers(0, 2**32 - 1)


def _autoregressive(rng, n):
    x, a = rng.normal(size=n), rng.uniform(0.5, 0.99)
    for i in range(1, n):
        x[i] += a * x[i - 1]
    return x


def _sines(rng, n):
    periods, phases, sizes = rng.uniform(15, 300, 3), rng.uniform(0, 6, 3), rng.uniform(0.2, 2, 3)
    return (sizes[:, None] * np.sin(2 * np.pi * np.arange(n) / periods[:, None] + phases[:, None])).sum(0)


def _moves_and_rests(rng, n):
    """An arm that goes from one place to the next, smoothly, and stands exactly still in between."""
    values, place = [], 0.0
    while len(values) < n:
        goal, steps = rng.normal(), int(rng.integers(20, 80))
        values += list(place + (goal - place) * (0.5 - 0.5 * np.cos(np.pi * np.arange(steps) / steps)))
        values += [goal] * int(rng.integers(0, 100))
        place = goal
    return np.array(values[:n])


SOUND = {
    "white noise": lambda rng, n: rng.normal(size=n),
    "uniform noise": lambda rng, n: rng.uniform(-np.pi, np.pi, size=n),
    "random walk": lambda rng, n: rng.normal(size=n).cumsum(),
    "autoregressive": _autoregressive,
    "smooth": lambda rng, n: _autoregressive(rng, n).cumsum(),
    "sines": _sines,
    "noisy sines": lambda rng, n: _sines(rng, n) + 0.05 * rng.normal(size=n),
    "quantised sines": lambda rng, n: np.round(_sines(rng, n) * rng.uniform(5, 100)),
    "quantised walk": lambda rng, n: np.round(rng.normal(size=n).cumsum() * rng.uniform(0.3, 5)),
    "two values": lambda rng, n: (_autoregressive(rng, n) > 0).astype(float),
    "moves and rests": _moves_and_rests,
    "quantised moves and rests": lambda rng, n: np.round(200 * _moves_and_rests(rng, n)),
}
MOVING = ("white noise", "random walk", "autoregressive", "smooth", "noisy sines")


@pytest.mark.parametrize("kind", SOUND)
def test_sound_recordings_give_no_finding_in_99_of_100_cases(kind):
    wrong = {}
    for seed in range(100):
        rng = np.random.default_rng([seed, 7])
        values = [SOUND[kind](rng, int(rng.integers(50, 600))).astype(np.float32) for _ in range(rng.integers(1, 4))]
        for array in values:
            array[rng.random(len(array)) < 0.1 * (seed % 2)] = np.nan  # every other recording with gaps
        found = [flaw for flaw, spans in channel_flaws(values).items() if any(spans)]
        if found:
            wrong[seed] = found
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("name", ["plaza1", "tiago", "soil"])
def test_shipped_recordings_are_sound(name):
    findings = check_dataset(load_dataset(name)).findings
    # A dip of one hour by 11 times the resolution, from 0.302 to 0.291 and back to 0.304.
    expected = [("outlier", "moisture_25cm", ((1710, 1711),))] if name == "soil" else []
    assert [(f.kind, f.channel, f.rows) for f in findings] == expected


def test_the_real_arm_is_sound_but_for_the_rows_after_its_reset():
    try:
        arrays = np.load(_find())
    except UserError:
        pytest.skip("pam.npz is not at hand")
    ends = np.cumsum(arrays["episode_length"])
    episodes = np.split(arrays["joint_position"], ends[:-1])[::12]
    for joint in range(4):
        assert not any(map(any, channel_flaws([episode[:-1, joint] for episode in episodes]).values()))
        found = channel_flaws([episode[:, joint] for episode in episodes])
        assert [kind for kind, spans in found.items() if any(spans)] == ["reset"]


@given(seed=SEEDS, kind=st.sampled_from([*MOVING, "sines", "quantised sines", "quantised walk"]))
@settings(max_examples=40, derandomize=True)
def test_spikes_are_found_to_the_row(seed, kind):
    rng = np.random.default_rng(seed)
    values = SOUND[kind](rng, int(rng.integers(500, 1000)))
    spread, expected = values.std() + 1, []
    for row in rng.choice(np.arange(20, len(values) - 20, 30), 3, replace=False):
        end = row + int(rng.integers(1, 3))
        values[row:end] += rng.choice([-1, 1]) * 25 * spread
        expected.append((int(row), int(end)))
    found = channel_flaws([values.astype(np.float32)])
    assert found["outlier"] == [sorted(expected)]
    assert not any(any(spans) for kind, spans in found.items() if kind != "outlier")


@given(seed=SEEDS, kind=st.sampled_from([*MOVING[1:], "sines"]), length=st.integers(40, 200), dies=st.booleans())
@settings(max_examples=40, derandomize=True)
def test_a_stuck_sensor_is_found(seed, kind, length, dies):
    rng = np.random.default_rng(seed)
    values = [SOUND[kind](rng, 700) for _ in range(3)]
    first = 700 - length if dies else int(rng.integers(100, 450))
    # It goes on from somewhere else: a sensor that comes back where it was cannot be told from a rest.
    values[1][first : first + length] = values[1][first - 1] + 3 * np.abs(np.diff(values[1])).max()
    found = channel_flaws([array.astype(np.float32) for array in values])["stuck"]
    assert found == [[], [(first, first + length)], []]


def test_a_sensor_that_is_dead_in_one_trajectory():
    rng = np.random.default_rng(0)
    values = [rng.normal(size=100) for _ in range(10)]
    values[4][:] = 0.7
    assert channel_flaws(values)["stuck"][4] == [(0, 100)]
    # Where it is so in many, or where the channel rests in others, it is how the system is used.
    for number in (1, 2, 3):
        values[number][:] = 0.7
    assert not any(channel_flaws(values)["stuck"])
    moves = [_moves_and_rests(np.random.default_rng(i), 400) for i in range(10)]
    moves[4][:] = 0.7
    assert not any(channel_flaws(moves)["stuck"])


@given(
    seed=SEEDS, kind=st.sampled_from([*MOVING, "sines"]), period=st.integers(2, 12), missing=st.sampled_from([0, 0.03])
)
@settings(max_examples=40, derandomize=True)
def test_a_slow_channel_that_is_held(seed, kind, period, missing):
    rng = np.random.default_rng(seed)
    fast = SOUND[kind](rng, 100 * period)
    values = np.repeat(fast[::period], period).astype(np.float32)
    values[rng.random(len(values)) < missing] = np.nan
    (spans,) = channel_flaws([values])["held"]
    kept = values.copy()
    for first, end in spans:
        kept[first:end] = np.nan
    # Once a sample, the first time it is seen; and no sample is lost.
    every = [np.unique(part[~np.isnan(part)]).tolist() for part in values.reshape(100, period)]
    assert [part[~np.isnan(part)].tolist() for part in kept.reshape(100, period)] == every
    assert not any(channel_flaws([fast])["held"])


@given(row=st.integers(120, 280))
@settings(max_examples=20)
def test_a_spike_in_a_rest_is_no_stuck_sensor(row):
    go = 0.5 - 0.5 * np.cos(np.pi * np.arange(100) / 100)
    values = np.concatenate([go, np.ones(200), 1 - go, go])
    assert not any(map(any, channel_flaws([values]).values()))
    values[row] += 20
    found = channel_flaws([values])
    assert (found["outlier"], found["stuck"]) == ([[(row, row + 1)]], [[]])


def test_slow_channels_of_another_clock_and_what_only_looks_like_one():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=400)
    third = samples[(np.arange(1200) * 0.3).astype(int)]  # 3 or 4 rows each
    (spans,) = channel_flaws([third])["held"]
    assert sum(b - a for a, b in spans) == 1200 - 360
    ramp = np.round(np.arange(1000) / 5.0)  # a quantised ramp: every fifth row, always by one
    assert not any(channel_flaws([ramp])["held"])


@given(seed=SEEDS, kind=st.sampled_from([*MOVING[:3], "noisy sines"]), upper=st.booleans())
@settings(max_examples=30, derandomize=True)
def test_a_saturated_channel(seed, kind, upper):
    values = SOUND[kind](np.random.default_rng(seed), 2000)
    limit = np.quantile(values, 0.85)
    clipped = np.minimum(values, limit)
    found = channel_flaws([clipped if upper else -clipped])
    if found["saturated"] == [[]]:  # a walk may reach its limit in one go
        assert kind == "random walk"
        return
    rows = np.concatenate([np.arange(a, b) for a, b in found["saturated"][0]])
    np.testing.assert_array_equal(rows, np.flatnonzero(values >= limit))
    assert not any(found["stuck"])


def test_zero_is_no_limit_of_a_sensor():
    rain = np.maximum(np.random.default_rng(0).normal(size=2000), 0)
    assert not any(channel_flaws([rain])["saturated"])
    assert any(channel_flaws([rain + 1])["saturated"])


@given(seed=SEEDS, turn=st.sampled_from([2 * np.pi, 360.0]), from_zero=st.booleans())
@settings(max_examples=30, derandomize=True)
def test_a_wrapped_angle(seed, turn, from_zero):
    rng = np.random.default_rng(seed)
    angle = turn * (rng.normal(size=1500) * 0.01 + 0.004).cumsum()
    wrapped = np.mod(angle, turn) - (0 if from_zero else turn / 2)
    rows = np.flatnonzero(np.abs(np.diff(wrapped)) > turn / 2)
    found = channel_flaws([wrapped.astype(np.float32)])
    assert found["wrapped"] == [[(int(row), int(row) + 2) for row in rows]]
    assert not any(found["outlier"])
    assert not any(channel_flaws([angle])["wrapped"])


@given(seed=SEEDS, every=st.integers(1, 10))
@settings(max_examples=40, derandomize=True)
def test_gaps_are_the_rows_that_are_missing_beyond_the_usual(seed, every):
    rng = np.random.default_rng(seed)
    values = np.full(30 * every, np.nan)
    values[every - 1 :: every] = rng.normal(size=30)
    assert gaps(values) == []  # a slow channel is no gap
    first = int(rng.integers(1, 28))
    length = int(rng.integers(1, 30 - first))
    values[every * first : every * (first + length)] = np.nan
    assert gaps(values) == [(every * first, every * (first + length + 1) - 1)]


def _recording(obs, actions=None, times=None, names=None):
    obs = [np.asarray(array, dtype=np.float32) for array in obs]
    actions = [np.ones((len(o), 1)) for o in obs] if actions is None else actions
    raw = tuple(
        RawTrajectory(f"t{i}", o, a, None if times is None else np.asarray(times[i], dtype=float))
        for i, (o, a) in enumerate(zip(obs, actions, strict=True))
    )
    return RawDataset("toy", raw, tuple(names or (f"x{i}" for i in range(obs[0].shape[1]))), ("u",))


def _kinds(recording):
    return {f.kind: (f.trajectory, f.channel, f.rows) for f in find_flaws(recording, window_len=1)}


def test_flawed_times():
    noise = np.random.default_rng(0).normal(size=(8, 1))
    actions = [np.arange(8.0)[:, None]]
    for times, expected in (
        (np.arange(8.0), {}),
        ([0, 1.05, 2, 3, 4, 5, 6.05, 7], {}),
        ([0, 1.3, 2, 3, 4, 5, 6, 7], {"irregular": ((0, 2), (1, 3))}),
        ([0, 1, 2, 6, 7, 8, 9, 10], {"time_gap": ((2, 4),)}),
        ([0, 1, 1, 2, 3, 4, 5, 6], {"time_repeated": ((1, 3),)}),
        ([0, 1, 2, 0, 1, 2, 3, 4], {"time_back": ((2, 4),)}),
        ([0, 1, np.nan, 3, 4, 5, 6, 7], {"time_missing": ((2, 3),)}),
        ([0, 1e7, 2e7, 3e7, 4e7, 5e7, 6e7, 7e7], {"time_unit": ()}),
    ):
        found = _kinds(_recording([noise], actions, [times]))
        assert {kind: rows for kind, (_, _, rows) in found.items()} == expected


def _timed(times, **written):
    rows = np.random.default_rng(0).normal(size=(len(times), 2)).astype(np.float32)
    raw = RawTrajectory("t0", rows[:, :1], rows[:, 1:], np.asarray(times, float), written=Written(**written))
    return find_flaws(RawDataset("toy", (raw,), ("x0",), ("u",)), window_len=1)


def test_times_that_repeat_or_jump_name_their_cause():
    (coarse,) = _timed(np.repeat(np.arange(20.0), 5))
    assert (coarse.kind, len(coarse.rows)) == ("time_rounded", 80)
    assert "each time stands in 5 rows: " in coarse.words
    assert "sample_time=0.2 without time=" in coarse.words
    (minutes,) = _timed(60 * np.repeat(np.arange(9.0), 6))
    assert "after the whole minute" in minutes.words
    assert "sample_time=10 " in minutes.words
    (held,) = _timed(128.0 * (np.arange(300) // 128), spacing=128.0)
    assert held.kind == "time_rounded"
    assert "float32, whose numbers lie 128 s apart" in held.words
    hours = 3600 * np.r_[np.arange(9.0), np.arange(8.0, 20)]
    (change,) = _timed(hours, local=True)
    assert (change.kind, change.rows) == ("clock_change", ((8, 10),))
    (repeated,) = _timed(hours)
    assert repeated.kind == "time_repeated"
    (gap,) = _timed(900 * np.r_[np.arange(50.0), np.arange(54.0, 99)], local=True)
    assert (gap.kind, "clocks are set forward" in gap.words) == ("time_gap", True)


def test_a_clock_in_whole_milliseconds_is_no_flaw():
    assert _timed(np.round(np.arange(300) / 0.24) / 1000) == ()


def test_flawed_actions_and_ends():
    rng = np.random.default_rng(0)
    obs = [rng.normal(size=(9, 2)) for _ in range(3)]
    actions = [rng.normal(size=(9, 1)) for _ in range(3)]
    assert _kinds(_recording(obs, actions)) == {}
    last = [np.r_[a[:-1], [[np.nan]]] for a in actions]
    assert _kinds(_recording(obs, last)) == {}  # one action less than observations is how it should be
    shifted = [np.r_[[[np.nan]], a[1:]] for a in actions]
    assert _kinds(_recording(obs, shifted)) == {"action_first": ("", "", ((0, 1),))}
    gone = [actions[0], np.where(np.arange(9)[:, None] == 4, np.nan, actions[1]), actions[2]]
    assert _kinds(_recording(obs, gone)) == {"action_missing": ("t1", "", ((4, 5),))}
    longer = [np.r_[o[:-1], [[np.nan, np.nan]]] for o in obs]
    assert "action_extra" in _kinds(_recording(longer, actions))


def test_channels_that_tell_nothing_and_values_that_cannot_be():
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(50, 4))
    obs[:, 0], obs[:, 1], obs[7, 2] = np.nan, 3.0, np.inf
    found = {(f.kind, f.channel, f.rows) for f in find_flaws(_recording([obs]), window_len=1)}
    assert found == {
        ("infinite", "x2", ((7, 8),)),
        ("never_observed", "x0", ()),
        ("constant", "x1", ()),
        ("constant", "u", ()),
    }


def test_short_trajectories_are_those_without_two_windows_and_a_row():
    obs = [np.random.default_rng(i).normal(size=(n, 1)) for i, n in enumerate((40, 41, 60))]
    recording = _recording(obs, [np.random.default_rng(9).normal(size=(len(o), 1)) for o in obs])
    assert [(f.kind, f.trajectory) for f in find_flaws(recording)] == [("short", "t0")]
    assert find_flaws(recording, window_len=19) == ()


def test_a_last_row_read_after_the_reset():
    rng = np.random.default_rng(0)
    walks = [0.1 * rng.normal(size=(60, 1)).cumsum(0) for _ in range(20)]
    for walk in walks[::3]:
        walk[-1] = walk[-2] + 5
    found = channel_flaws([walk[:, 0] for walk in walks])["reset"]
    assert [bool(spans) for spans in found] == [i % 3 == 0 for i in range(20)]
    assert found[0] == [(59, 60)]


def test_a_file_that_is_refused_is_checked_and_one_that_cannot_be_read_is_not(tmp_path):
    rng = np.random.default_rng(0)
    t, x = np.delete(0.1 * np.arange(300), slice(100, 105)), rng.normal(size=295)
    x[200:203] = np.nan
    x[50] = 40
    lines = ["t,obs_x,u_1", *(f"{a:.1f},{'' if np.isnan(b) else b},{rng.normal()}" for a, b in zip(t, x, strict=True))]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    checked = check_file(path, {"time": "t", "time_unit": "min"})
    assert "irregular times" in checked.refused
    assert checked.notes == ("time 't': minutes",)  # what was taken for granted is said of a refused file, too
    checked = check_file(path, {"time": "t"})
    assert [(f.kind, f.channel, f.rows) for f in checked.findings] == [
        ("time_gap", "", ((99, 101),)),
        ("outlier", "obs_x", ((50, 51),)),
        ("gap", "obs_x", ((200, 203),)),
    ]
    mended = check_file(path, {"time": "t", "resample": True})
    assert (mended.refused, {f.kind for f in mended.findings}) == ("", {"outlier", "gap"})
    with pytest.raises(UserError, match="no column 'clock'"):
        check_file(path, {"time": "clock"})


def test_images_are_checked_by_their_brightness():
    rng = np.random.default_rng(0)
    video = rng.normal(size=(200, 6)).astype(np.float32)
    video[100:150] = video[100]
    images = Dataset("video", (Trajectory(video, np.zeros((200, 0)), "v"),), (), (), 0.1, image_shape=(1, 2, 3))
    assert [(f.kind, f.channel) for f in check_dataset(images).findings] == [("stuck", "brightness")]
    with pytest.raises(UserError, match="holds images"):
        mask_with_notes(images, Columns(mask_stuck=True))


def test_findings_come_in_the_order_of_kinds_and_every_kind_says_what_to_do():
    obs = np.random.default_rng(0).normal(size=(30, 2))
    obs[4, 0] = np.inf
    found = [f.kind for f in find_flaws(_recording([obs], times=[np.r_[np.arange(29.0), 40]]))]
    assert found == sorted(found, key=list(KINDS).index)
    assert all(kind.title and kind.means and kind.do for kind in KINDS.values())


def _flawed(seed):
    """A spike, a stuck span and a slow channel, and the mask each repair should make."""
    rng = np.random.default_rng(seed)
    obs = np.stack([rng.normal(size=400), rng.normal(size=400).cumsum(), np.repeat(rng.normal(size=80), 5)], 1)
    obs[rng.random(obs.shape) < 0.03] = np.nan
    masks = {key: np.zeros(obs.shape, bool) for key in ("mask_outliers", "mask_stuck", "mask_held")}
    obs[47:54, 0], obs[50, 0] = 0, 90.0
    masks["mask_outliers"][50, 0] = True
    obs[200:260, 1] = obs[:, 1][~np.isnan(obs[:, 1])].max() + 9
    masks["mask_stuck"][200:260, 1] = True
    masks["mask_held"][:, 2] = np.arange(400) % 5 > 0
    dataset = Dataset("flawed", (Trajectory(obs, rng.normal(size=(400, 1)), "a"),), ("x", "y", "z"), ("u",), 1.0)
    return dataset, masks


@given(seed=SEEDS, wanted=st.sets(st.sampled_from(["mask_outliers", "mask_stuck", "mask_held"])))
@settings(max_examples=40, derandomize=True)
def test_repairs_leave_out_what_is_flawed_and_change_nothing_else(seed, wanted):
    dataset, masks = _flawed(seed)
    before = dataset.trajectories[0].obs.copy()
    obs = mask_with_notes(dataset, Columns(**dict.fromkeys(wanted, True)))[0].trajectories[0].obs
    expected = before.copy()
    for repair in wanted - {"mask_held"}:
        expected[masks[repair]] = np.nan
    columns = [0, 1]
    np.testing.assert_array_equal(obs[:, columns], expected[:, columns])
    if "mask_held" in wanted:
        # One value a sample, its first one that was seen.
        for old, new in zip(before[:, 2].reshape(80, 5), obs[:, 2].reshape(80, 5), strict=True):
            seen = old[~np.isnan(old)]
            assert new[~np.isnan(new)].tolist() == seen[:1].tolist()
    else:
        np.testing.assert_array_equal(obs[:, 2], before[:, 2])
    np.testing.assert_array_equal(dataset.trajectories[0].obs, before)  # the input is as it was


def test_repairs_reach_files(tmp_path):
    dataset, masks = _flawed(0)
    obs = dataset.trajectories[0].obs
    np.savez(tmp_path / "log.npz", obs=obs, actions=dataset.trajectories[0].actions)
    mapping = {"mask_outliers": True, "mask_stuck": True}
    masked, notes = load_with_notes(None, tmp_path / "log.npz", mapping)
    left_out = masks["mask_outliers"] | masks["mask_stuck"]
    np.testing.assert_array_equal(masked.trajectories[0].obs, np.where(left_out, np.nan, obs))
    seen = ~np.isnan(obs)
    counts = (left_out & seen).sum(0)
    total = f"{counts.sum()} of {seen.sum()} observations left out (obs_0 {counts[0]}, obs_1 {counts[1]})"
    assert notes == (f"mask_stuck, mask_outliers: {total}",)
