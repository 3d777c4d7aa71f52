"""LeRobot sets that do not agree with themselves: clocks, and counts of what should be there."""

import json

import numpy as np
import pytest

from mts3.data import Columns
from mts3.data.readers import read_with_notes
from mts3.data.rows.raw import RefusedRows
from mts3.errors import UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
FPS = 20
FRAMES = 60


def _write(root, stamps=None, info=None, episodes=(0, 1), frames=None, kind=np.float32):
    """Episodes of 60 frames; `stamps` (s) are those of every episode, by number of an episode, or none."""
    (root / "meta").mkdir(parents=True)
    (root / "data").mkdir()
    frames = np.arange(FRAMES) if frames is None else frames
    names = {"observation.state": 1, "action": 1, "episode_index": 0, "frame_index": 0, "timestamp": 0}
    features = {name: {"dtype": "float32", "shape": [1], "names": None} for name in names}
    written = {"codebase_version": "v2.1", "fps": FPS, "features": features} | (info or {})
    (root / "meta" / "info.json").write_text(json.dumps(written))
    for episode in episodes:
        table = {"observation.state": [[float(frame)] for frame in frames], "action": [[0.0]] * len(frames),
                 "episode_index": [episode] * len(frames), "frame_index": frames}  # fmt: skip
        if stamps is not None:
            own = stamps.get(episode, frames / FPS) if isinstance(stamps, dict) else stamps
            table["timestamp"] = own.astype(kind)
        pq.write_table(pa.table(table), root / "data" / f"episode_{episode}.parquet")
    return root


def _read(path, **columns):
    return read_with_notes(path, Columns.parse(columns))


def _late(row=40, seconds=0.5):
    stamps = np.arange(FRAMES) / FPS
    stamps[row:] += seconds
    return stamps


def test_timestamps_that_leave_the_frames_are_irregular_times(tmp_path):
    folder = _write(tmp_path / "arm", {1: _late()})
    words = (
        r"'episode_1' .*irregular times.* data row 41 \(0.55 s\).*timestamp is not frame_index / fps in 1 of 2 episodes"
    )
    with pytest.raises(RefusedRows, match=words) as error:
        _read(folder)
    assert "first at frame 40 of episode_1 (by 0.5 s)" in str(error.value)
    assert error.value.recording is not None
    np.testing.assert_allclose(np.diff(error.value.recording.trajectories[1].times)[39], 0.55, rtol=1e-5)


def test_timestamps_that_leave_the_frames_can_be_resampled(tmp_path):
    dataset = _read(_write(tmp_path / "arm", {1: _late()}), resample=True, max_gap=1.0).dataset
    assert [len(t) for t in dataset.trajectories] == [60, 70]
    np.testing.assert_array_equal(dataset.trajectories[1].obs[[39, 45, 50], 0], [39, np.nan, 40])
    assert dataset.sample_time == pytest.approx(1 / FPS)


@pytest.mark.parametrize(
    "stamps",
    [
        np.arange(FRAMES) / FPS,
        np.arange(FRAMES) / FPS + 3.0,  # counted from another moment
        np.arange(FRAMES) / FPS + 1.7e9,  # which float32 tells to 128 s
        np.arange(FRAMES) / FPS + 0.002 * (-1) ** np.arange(FRAMES),  # within a tenth of a frame
    ],
    ids=["same", "offset", "epoch", "jitter"],
)
def test_timestamps_that_agree_change_nothing(tmp_path, stamps):
    reading = _read(_write(tmp_path / "arm", stamps))
    assert reading.notes == ()
    assert reading.dataset.sample_time == 1 / FPS


def test_timestamps_at_another_rate_are_the_times_and_that_is_said(tmp_path):
    reading = _read(_write(tmp_path / "arm", np.arange(FRAMES) / 10))
    assert reading.dataset.sample_time == pytest.approx(0.1, rel=1e-5)
    assert "timestamp is not frame_index / fps in 2 of 2 episodes" in reading.notes[0]


def test_a_timestamp_that_is_missing_is_refused(tmp_path):
    stamps = np.arange(FRAMES) / FPS
    stamps[7] = np.nan
    with pytest.raises(UserError, match="the time in data row 8 is missing"):
        _read(_write(tmp_path / "arm", stamps))


def test_timestamps_that_are_no_seconds_or_not_there_are_not_compared(tmp_path):
    for name, stamps in (("whole", np.arange(FRAMES) * 50_000_000), ("none", None)):
        reading = _read(_write(tmp_path / name, stamps, kind=np.int64))
        assert reading.notes == ("timestamp is not compared: not every file has it in seconds",)
        assert reading.dataset.sample_time == 1 / FPS


def test_files_that_are_missing_are_counted(tmp_path):
    stamps = np.arange(FRAMES) / FPS
    counts = {"total_episodes": 5, "total_frames": 300}
    notes = _read(_write(tmp_path / "arm", stamps, counts, episodes=(1, 2, 4))).notes
    assert notes == (
        "meta/info.json counts 5 episodes (3 are there) and 300 frames (180 are there): if that is not meant, get the "
        "set again",
        "episode_index leaves out episodes before episode_1, episode_4",
    )


def test_first_frames_that_are_missing_are_said(tmp_path):
    frames = np.arange(5, FRAMES)
    notes = _read(_write(tmp_path / "arm", frames / FPS, {"total_episodes": 2}, frames=frames)).notes
    assert notes == ("first frames are missing of episode_0, episode_1: frame_index does not start at 0",)


@pytest.mark.parametrize("mapping", [{"time": "timestamp"}, {"reward": "x"}, {"trajectory": "episode_index"}])
def test_a_mapping_of_what_it_says_itself_is_refused(tmp_path, mapping):
    with pytest.raises(UserError, match="says itself what its"):
        _read(_write(tmp_path / "arm"), **mapping)
    with pytest.raises(UserError, match="decimal is for numbers written as text"):
        _read(tmp_path / "arm", decimal=",")


def test_timestamps_may_be_observed(tmp_path):
    dataset = _read(_write(tmp_path / "arm", np.arange(FRAMES) / FPS), obs="timestamp").dataset
    assert dataset.obs_names == ("timestamp_0",)
