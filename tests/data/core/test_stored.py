"""What stays in its file is what would have been read: every slice, every reader, every error."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from mts3.data import Dataset, SequenceDataset, Trajectory, change_std, fit_normalizer, load_dataset, save_dataset
from mts3.data.core.stored import CHUNK, StoredArray, row_chunks
from mts3.data.readers.formats.npz import NpzSource
from mts3.data.sets.describe import describe_channels
from mts3.errors import UserError

h5py = pytest.importorskip("h5py")
N, T = 4, 23


@pytest.fixture
def everything_stays(monkeypatch):
    """As if a file of one byte were large."""
    for module in ("mts3.data.readers.formats.npz", "mts3.data.readers.arrays.hdf5_checks", "mts3.data.core.native"):
        monkeypatch.setattr(f"{module}.LARGE", 0)
    monkeypatch.setattr("mts3.data.readers.formats.npz.SHORT", 0)


@pytest.fixture
def stored(tmp_path) -> tuple[StoredArray, np.ndarray]:
    """(6, 5, 2) float64 on the disk, and the same in memory."""
    values = np.random.default_rng(0).normal(size=(6, 5, 2))
    (tmp_path / "rows.bin").write_bytes(b"header" + values.tobytes())
    return StoredArray(NpzSource(tmp_path / "rows.bin", "rows", 6, values.shape, values.dtype)), values


def test_views_read_what_slices_hold(stored):
    array, values = stored
    assert array.shape == values.shape
    for key in (slice(2, 5), slice(4, None), slice(-2, None), slice(3, 3), 4, -1):
        assert isinstance(array[key], StoredArray)
        np.testing.assert_array_equal(np.asarray(array[key]), values[key])
    np.testing.assert_array_equal(np.asarray(array[3][1:4][1:]), values[3][1:4][1:])
    np.testing.assert_array_equal(np.asarray(array[1:4][1]), values[1:4][1])
    np.testing.assert_array_equal(array[:, 1], values[:, 1])
    np.testing.assert_array_equal(array[2][::2], values[2][::2])
    np.testing.assert_array_equal(np.isnan(array[2]), np.isnan(values[2]))
    with pytest.raises(IndexError):
        array[6]


def test_a_held_row_repeats_the_last(stored):
    array, values = stored
    longer = array[2][:3].hold_last()
    expected = np.concatenate([values[2, :3], values[2, 2:3]])
    for rows in (slice(None), slice(2, 4), slice(3, 4), slice(1, 3)):
        np.testing.assert_array_equal(np.asarray(longer[rows]), expected[rows])


def test_conversion_happens_when_read(stored):
    array, values = stored
    single = array.as_type(np.float32)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(single[3]), values[3].astype(np.float32))
    assert np.asarray(single[3]).dtype == np.float32


def test_chunks_cover_every_row_once(stored):
    assert [start for start, _ in row_chunks(stored[0])] == [0]
    long = np.arange(CHUNK, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in row_chunks(long)]), long)
    changes = np.concatenate([np.diff(rows, axis=0) for _, rows in row_chunks(long, overlap=1)])
    assert len(changes) == len(long) - 1


def test_a_file_that_was_cut_says_so(stored, tmp_path):
    array, values = stored
    (tmp_path / "rows.bin").write_bytes(b"header" + values.tobytes()[:100])
    with pytest.raises(UserError, match=r"'rows' of .*rows\.bin ends before row"):
        np.asarray(array[3])
    (tmp_path / "rows.bin").unlink()
    with pytest.raises(UserError, match=r"cannot read 'rows' of .*rows\.bin any more"):
        np.asarray(array[3])


def test_more_than_memory_is_not_read_at_once(tmp_path):
    endless = StoredArray(NpzSource(tmp_path / "x.npz", "obs", 0, (10**12, 2), np.dtype(np.float32)))
    with pytest.raises(UserError, match=r"'obs' of .*x\.npz: 7450\.6 GiB are wanted at once"):
        np.asarray(endless)


def recording() -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(1)
    obs = g.normal(size=(N, T, 3))
    obs[1, 4:9, 0] = np.nan
    return obs, g.normal(size=(N, T, 2))


def native(path: Path) -> Path:
    obs, actions = recording()
    reward = np.arange(T, dtype=np.float32)
    trajectories = tuple(Trajectory(o, a, f"t{n}", reward) for n, (o, a) in enumerate(zip(obs, actions, strict=True)))
    return save_dataset(Dataset("set", trajectories, ("x", "y", "z"), ("u", "v"), 0.1), path / "set.npz")


def stacked(path: Path) -> Path:
    obs, actions = recording()
    np.savez(path / "set.npz", obs=obs, actions=actions[:, :-1])
    return path / "set.npz"


def single(path: Path) -> Path:
    obs, actions = recording()
    np.savez(path / "set.npz", obs=obs[1], actions=actions[1, :-1])
    return path / "set.npz"


def presplit(path: Path) -> Path:
    obs, actions = recording()
    np.savez(path / "set.npz", train_obs=obs, train_act=actions[:, 1:], test_obs=obs + 1, test_act=actions[:, 1:])
    return path / "set.npz"


def plain_hdf5(path: Path) -> Path:
    obs, actions = recording()
    with h5py.File(path / "set.h5", "w") as file:
        file.create_dataset("obs", data=obs, chunks=(1, 5, 3), compression="gzip")
        file.create_dataset("actions", data=actions)
    return path / "set.h5"


def d4rl(path: Path) -> Path:
    obs, actions = recording()
    with h5py.File(path / "set.hdf5", "w") as file:
        file["observations"], file["actions"] = obs.reshape(N * T, 3), actions.reshape(N * T, 2)
        file["rewards"] = np.arange(float(N * T))
        file["terminals"] = np.arange(N * T) % T == T - 1
    return path / "set.hdf5"


def minari(path: Path) -> Path:
    obs, actions = recording()
    with h5py.File(path / "main_data.hdf5", "w") as file:
        for n in range(N):
            group = file.create_group(f"episode_{n}")
            group["observations"], group["actions"] = obs[n], actions[n, :-1]
            group["rewards"] = np.arange(T - 1.0)
    return path / "main_data.hdf5"


WRITERS = [native, stacked, single, presplit, plain_hdf5, d4rl, minari]


@pytest.mark.parametrize("write", WRITERS)
def test_every_reader_gives_the_same_as_in_memory(tmp_path, request, write):
    expected = load_dataset(None, write(tmp_path))
    request.getfixturevalue("everything_stays")
    found = load_dataset(None, write(tmp_path))
    assert found.trajectories[0].obs[:2].__class__ is StoredArray
    assert [t.name for t in found.trajectories] == [t.name for t in expected.trajectories]
    assert (found.obs_names, found.action_names) == (expected.obs_names, expected.action_names)
    for one, other in zip(found.trajectories, expected.trajectories, strict=True):
        np.testing.assert_array_equal(np.asarray(one.obs), other.obs)
        np.testing.assert_array_equal(np.asarray(one.actions), other.actions)
        if other.reward is not None:  # the last one is never used
            np.testing.assert_array_equal(np.asarray(one.reward)[:-1], other.reward[:-1])
    assert describe_channels(found) == describe_channels(expected)
    normalizer = fit_normalizer(expected.trajectories)[0]
    assert fit_normalizer(found.trajectories)[0].as_lists() == normalizer.as_lists()
    np.testing.assert_array_equal(
        change_std(found.trajectories, normalizer), change_std(expected.trajectories, normalizer)
    )
    sequences = [SequenceDataset(d.trajectories, normalizer, 7, 5) for d in (found, expected)]
    for index in range(len(sequences[1])):
        for key, value in sequences[1][index].items():
            np.testing.assert_array_equal(sequences[0][index][key], value)
    copied = pickle.loads(pickle.dumps(found.trajectories[-1]))  # as loader processes get it
    np.testing.assert_array_equal(np.asarray(copied.obs), expected.trajectories[-1].obs)


@pytest.mark.usefixtures("everything_stays")
def test_a_large_set_is_written_so_that_it_can_stay(tmp_path):
    kept = load_dataset(None, native(tmp_path))
    again = load_dataset(None, save_dataset(kept, tmp_path / "again.npz"))
    np.testing.assert_array_equal(np.asarray(again.trajectories[2].obs), np.asarray(kept.trajectories[2].obs))


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize(
    ("row", "value", "line"),
    [
        (5, np.inf, r"obs of trajectory 'set-2' are infinite in data row 6, channel 'obs_1'"),
        (3, 1e300, "exceed the range of float32"),
    ],
)
def test_bad_values_are_found_at_the_start(tmp_path, request, stays, row, value, line):
    if stays:
        request.getfixturevalue("everything_stays")
    obs, actions = recording()
    obs[2, row, 1] = value
    np.savez(tmp_path / "set.npz", obs=obs, actions=actions)
    with pytest.raises(UserError, match=line):
        load_dataset(None, tmp_path / "set.npz")


@pytest.mark.usefixtures("everything_stays")
def test_a_missing_action_is_found_at_the_start(tmp_path):
    obs, actions = recording()
    actions[3, 7, 1] = np.nan
    np.savez(tmp_path / "set.npz", obs=obs, actions=actions)
    with pytest.raises(
        UserError, match=r"actions of trajectory 'set-3' are NaN or infinite in data row 8, channel 'actions_1'"
    ):
        load_dataset(None, tmp_path / "set.npz")


@pytest.mark.usefixtures("everything_stays")
def test_rows_are_looked_at_once(tmp_path, monkeypatch):
    dataset = load_dataset(None, stacked(tmp_path))
    read = []
    monkeypatch.setattr(NpzSource, "read", lambda self, prefix, start, stop: read.append((start, stop)))
    dataset.trajectories[0].rows(2, 9)
    assert read == []
