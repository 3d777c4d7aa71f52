"""HDF5 that others write with meaning in attributes and names: NetCDF-4, MATLAB 7.3, robomimic, arrays of ends."""

import numpy as np
import pytest

from mts3.data import Columns, load_dataset
from mts3.data.readers import read_with_notes
from mts3.errors import UserError

h5py = pytest.importorskip("h5py")
T = 40


def _read(path, **columns):
    return read_with_notes(path, Columns.parse(columns))


def _write(path, attributes=None, **arrays):
    """The arrays, with attributes by the name of the array."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
            for key, value in (attributes or {}).get(name, {}).items():
                file[name].attrs[key] = value
    return path


@pytest.fixture
def stored(rng):
    """Packed observations as NetCDF writes them, with what they mean."""
    numbers = rng.integers(-900, 900, size=(T, 2)).astype(np.int16)
    numbers[3, 1] = -32768
    meant = numbers * 0.01 + 20.0
    meant[3, 1] = np.nan
    return numbers, meant


def test_netcdf_is_unpacked_in_its_units_and_minutes_are_no_seconds(tmp_path, stored):
    numbers, meant = stored
    packing = {"scale_factor": np.array([0.01]), "add_offset": np.array([20.0]), "units": np.bytes_(b"degC"),
               "_FillValue": np.array([-32768], np.int16)}  # fmt: skip
    path = _write(
        tmp_path / "log.nc",
        {"obs": packing, "time": {"units": "minutes since 2024-01-01 00:00:00"}, "actions": {"units": "V"}},
        obs=numbers, time=np.arange(T) * 10, actions=np.ones((T, 1)),
    )  # fmt: skip
    reading = _read(path, obs="obs", actions="actions", time="time")
    dataset = reading.dataset
    np.testing.assert_array_equal(dataset.trajectories[0].obs, meant.astype(np.float32))
    assert (dataset.sample_time, dataset.obs_units, dataset.action_units) == (600.0, ("degC", "degC"), ("V",))
    assert reading.notes == (
        "unpacked by scale_factor and add_offset: obs",
        "values missing, by _FillValue, missing_value or valid_range: obs (1)",
        "time 'time': minutes, every 600 s",
    )


def test_missing_values_of_every_kind_and_those_out_of_range(tmp_path):
    obs = np.array([[1.0, 2.0], [1e20, -99.0], [7.0, 9.969209968386869e36], [4.0, 50.0]], np.float32)
    with h5py.File(tmp_path / "log.nc", "w") as file:
        # As netCDF4 makes a variable without a _FillValue of its own.
        dataset = file.create_dataset("obs", data=obs, fillvalue=np.float32(9.969209968386869e36))
        dataset.attrs["missing_value"] = [1e20, -99.0]
        dataset.attrs["valid_range"] = np.float32([0.0, 40.0])
    found = _read(tmp_path / "log.nc").dataset.trajectories[0].obs
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan], [7, np.nan], [4, np.nan]])


def test_numbers_that_miss_nothing_stay_as_they_are(tmp_path, rng):
    ids = np.repeat([7, 8], T // 2)
    path = _write(tmp_path / "log.nc", {"run": {"_FillValue": -1}, "obs": {"_FillValue": np.nan}},
                  obs=rng.normal(size=(T, 2)), run=ids)  # fmt: skip
    assert [t.name for t in _read(path, obs="obs", trajectory="run").dataset.trajectories] == ["7", "8"]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"scale_factor": 0.1, "valid_max": 9.0}, "before or after unpacking; xarray.open_dataset reads it"),
        ({"_Unsigned": "true"}, "attribute _Unsigned, which changes"),
        ({"scale_factor": "0.1"}, "scale_factor=0.1; expected a number"),
        ({"scale_factor": [0.1, 0.2]}, "expected a number"),
        ({"MATLAB_class": "char"}, "is text; expected numbers"),
        ({"MATLAB_class": "double", "MATLAB_empty": 1}, "is empty; expected numbers"),
    ],
)
def test_attributes_that_can_be_meant_in_two_ways_are_refused(tmp_path, attributes, words):
    path = _write(tmp_path / "log.nc", {"obs": attributes}, obs=np.ones((T, 2), np.int16))
    with pytest.raises(UserError, match=words):
        _read(path)


@pytest.mark.parametrize(
    ("unit", "step"),
    [("milli", 1e-3), ("millis", 1e-3), ("micro", 1e-6), ("micros", 1e-6), ("\u00b5s", 1e-6), ("\u03bcs", 1e-6),
     ("nano", 1e-9), ("nanos", 1e-9), ("nanosec", 1e-9)],
)  # fmt: skip
def test_parts_of_a_second_go_by_all_their_names(tmp_path, unit, step):
    path = _write(tmp_path / "log.h5", {"time": {"units": unit}}, obs=np.eye(T, 2), time=np.arange(T) * 20)
    assert _read(path, obs="obs", time="time").dataset.sample_time == pytest.approx(20 * step, rel=1e-12)


def test_months_are_no_seconds(tmp_path):
    path = _write(tmp_path / "log.nc", {"time": {"units": "months since 2000-01-01"}}, obs=np.ones((T, 2)),
                  time=np.arange(T))  # fmt: skip
    with pytest.raises(UserError, match="counts in 'months', which are no seconds"):
        _read(path, obs="obs", time="time")


def test_packed_values_of_a_large_file_stay_in_it(tmp_path, monkeypatch, stored):
    monkeypatch.setattr("mts3.data.readers.arrays.hdf5_checks.LARGE", 0)
    numbers, meant = stored
    path = _write(tmp_path / "log.nc", {"obs": {"scale_factor": 0.01, "add_offset": 20.0, "missing_value": -32768}},
                  obs=numbers)  # fmt: skip
    obs = _read(path).dataset.trajectories[0].obs
    assert not isinstance(obs, np.ndarray)
    np.testing.assert_array_equal(np.asarray(obs[2:9]), meant[2:9].astype(np.float32))


def _matlab(path, **arrays):
    """As MATLAB 7.3 writes arrays: axes turned round, a class each, after a block of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
            file[name].attrs["MATLAB_class"] = np.bytes_(b"double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))


def test_matlab_writes_columns_first(tmp_path, rng):
    obs, actions = rng.normal(size=(T, 2)), rng.normal(size=(T, 1))
    _matlab(tmp_path / "run.mat", obs=obs, actions=actions, t=np.arange(T)[None] * 0.5)
    reading = _read(tmp_path / "run.mat", obs="obs", actions="actions", time="t")
    np.testing.assert_array_equal(reading.dataset.trajectories[0].obs, obs.astype(np.float32))
    np.testing.assert_array_equal(reading.dataset.trajectories[0].actions, actions.astype(np.float32))
    assert reading.dataset.sample_time == 0.5
    assert reading.notes == ("MATLAB writes columns first; their axes are turned round: obs, actions, t",)


@pytest.mark.parametrize(
    ("start", "words"),
    [(b"MATLAB 5.0 MAT-file", "version 5"), (b"CDF\x01", "nccopy"), (b"\x93NUMPY", "a single array; save")],
)
def test_formats_that_are_not_read_say_what_makes_one_that_is(tmp_path, start, words):
    (tmp_path / "log.bin").write_bytes(start + bytes(600))
    with pytest.raises(UserError, match=words):
        _read(tmp_path / "log.bin")


@pytest.mark.parametrize("actions", [(1, T), (1, T - 1), (T, 1)])
@pytest.mark.parametrize("ending", ["h5", "npz"])
def test_rows_and_channels_that_changed_places_are_refused(tmp_path, actions, ending):
    arrays = {"obs": np.ones((2, T)), "actions": np.ones(actions)}
    path = tmp_path / f"log.{ending}"
    _write(path, **arrays) if ending == "h5" else np.savez(path, **arrays)
    with pytest.raises(UserError, match=r"40 steps seem to lie side by side.*transpose"):
        _read(path)


def test_many_channels_and_few_rows_are_read_and_remarked(tmp_path, rng):
    np.savez(tmp_path / "wide.npz", obs=rng.normal(size=(3, 60)), actions=np.ones((3, 1)))
    reading = _read(tmp_path / "wide.npz")
    assert reading.dataset.obs_dim == 60
    assert reading.notes == ("3 rows of 60 channels: if they are 60 rows of 3, transpose obs (numpy: obs.T)",)


# --- What else is in the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["h5", "npz"])
def test_arrays_that_are_not_used_are_named(tmp_path, ending):
    arrays = {"obs": np.ones((T, 2)), "odometry": np.ones((T, 1)), "dones": np.zeros(T), "episode_id": np.zeros(T)}
    path = tmp_path / f"log.{ending}"
    _write(path, **arrays) if ending == "h5" else np.savez(path, **arrays)
    notes = _read(path).notes
    names = [name for name in arrays if name != "obs"]
    assert notes[0] == f"not used: {', '.join(sorted(names) if ending == 'h5' else names)}"
    assert any("'dones' may mark ends or starts of episodes and is not used" in note for note in notes)
    assert any("say trajectory=episode_id" in note for note in notes)
    assert len(notes) == 3


@pytest.mark.parametrize("ending", ["h5", "npz"])
def test_terminals_beside_named_arrays_end_episodes(tmp_path, rng, ending):
    terminals, timeouts = np.zeros(T, bool), np.zeros((T, 1))
    terminals[9] = timeouts[29] = timeouts[39] = True
    arrays = {"q": rng.normal(size=(T, 2)), "tau": rng.normal(size=(T, 1)), "terminals": terminals,
              "timeouts": timeouts}  # fmt: skip
    path = tmp_path / f"log.{ending}"
    _write(path, **arrays) if ending == "h5" else np.savez(path, **arrays)
    reading = _read(path, obs="q", actions="tau")
    assert [len(t) for t in reading.dataset.trajectories] == [10, 20, 10]
    np.testing.assert_array_equal(reading.dataset.trajectories[1].obs, arrays["q"][10:30].astype(np.float32))
    assert reading.notes == ("3 episodes, which end at terminals or timeouts",)


def test_terminals_that_are_no_flags_or_beside_a_column_of_ids_end_nothing(tmp_path):
    ids = np.repeat([0, 1], T // 2)
    np.savez(tmp_path / "a.npz", obs=np.ones((T, 2)), terminals=np.arange(T), run=ids)
    reading = _read(tmp_path / "a.npz")
    assert len(reading.dataset.trajectories) == 1
    assert any("'terminals' may mark" in note for note in reading.notes)
    np.savez(tmp_path / "b.npz", obs=np.ones((T, 2)), terminals=np.ones(T), run=ids)
    assert [len(t) for t in _read(tmp_path / "b.npz", obs="obs", trajectory="run").dataset.trajectories] == [20, 20]


def test_d4rl_names_what_else_has_a_row_a_step(tmp_path):
    others = {"infos/qpos": np.ones((T, 3)), "metadata/policy/w": np.ones((5, 5))}
    path = _write(tmp_path / "x.hdf5", observations=np.ones((T, 2)), actions=np.ones((T, 1)), terminals=np.zeros(T),
                  timeouts=np.zeros(T), **others)  # fmt: skip
    assert "not used: infos/qpos" in _read(path).notes


def test_thousands_of_datasets_are_named_in_short(tmp_path):
    _write(tmp_path / "many.h5", obs=np.ones((T, 2)), **{f"log/x{i:03}": np.ones(3) for i in range(999)})
    assert _read(tmp_path / "many.h5").notes == ("not used: log/x000, log/x001, log/x002, log/x003, .. log/x998 (999)",)


def test_groups_within_themselves_end(tmp_path):
    _write(tmp_path / "loop.h5", obs=np.ones((T, 2)), **{"group/x": np.ones(3)})
    with h5py.File(tmp_path / "loop.h5", "a") as file:
        for number in range(9):
            file[f"group/again{number}"] = file["group"]
    assert _read(tmp_path / "loop.h5").notes == ("not used: group/x",)


# --- robomimic ----------------------------------------------------------------------------------------------------


def _robomimic(path, rng, steps=(5, 7, 6)):
    demos = []
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["total"] = sum(steps)
        data.attrs["env_args"] = '{"env_name": "Lift", "env_kwargs": {"control_freq": 20}}'
        for number, rows in zip((0, 2, 10), steps, strict=True):
            pos, quat = rng.normal(size=(rows, 3)), rng.normal(size=(rows, 4))
            group = data.create_group(f"demo_{number}")
            group["obs/eef_pos"], group["obs/eef_quat"] = pos, quat
            group["obs/agentview_image"] = np.zeros((rows, 8, 8, 3), np.uint8)
            group["next_obs/eef_pos"] = pos
            group["actions"], group["rewards"], group["dones"] = (
                rng.normal(size=(rows, 2)),
                np.ones(rows),
                np.ones(rows),
            )
            group["states"] = np.ones((rows, 9))
            demos.append((np.concatenate([pos, quat], 1), group["actions"][()]))
        file["mask/train"] = np.array([b"demo_0"])
    return demos


def test_robomimic_demonstrations_are_episodes(tmp_path, rng):
    demos = _robomimic(tmp_path / "low_dim.hdf5", rng)
    reading = _read(tmp_path / "low_dim.hdf5")
    dataset = reading.dataset
    assert [t.name for t in dataset.trajectories] == ["demo_0", "demo_2", "demo_10"]
    for trajectory, (obs, actions) in zip(dataset.trajectories, demos, strict=True):
        np.testing.assert_array_equal(trajectory.obs, obs.astype(np.float32))
        np.testing.assert_array_equal(trajectory.actions, actions.astype(np.float32))
    assert dataset.obs_names == (*(f"eef_pos_{i}" for i in range(3)), *(f"eef_quat_{i}" for i in range(4)))
    assert (dataset.sample_time, dataset.has_reward, reading.format) == (0.05, True, "robomimic HDF5")
    assert reading.notes == (
        "left out, images or text: agentview_image",
        "not used: next_obs, states",
        "env_args says 20 steps a second",
        "not used, lists of demonstrations: mask/train",
    )
    assert _read(tmp_path / "low_dim.hdf5", obs="eef_pos_*", sample_time=0.1).dataset.obs_dim == 3


def test_robomimic_with_demonstrations_missing_or_without_observations(tmp_path, rng):
    _robomimic(tmp_path / "x.hdf5", rng)
    with h5py.File(tmp_path / "x.hdf5", "a") as file:
        del file["data/demo_2"]
    assert any("the set itself counts 18 steps (11 are there)" in note for note in _read(tmp_path / "x.hdf5").notes)
    with h5py.File(tmp_path / "x.hdf5", "a") as file:
        for number in (0, 10):
            del file[f"data/demo_{number}/obs"]
    with pytest.raises(UserError, match="dataset_states_to_obs"):
        _read(tmp_path / "x.hdf5")


def test_arrays_of_one_axis_are_a_channel_each(tmp_path):
    path = tmp_path / "buoy.nc"
    with h5py.File(path, "w") as file:
        file["sst"] = np.array([1, 2, 3, 4], np.int16)
        file["sst"].attrs.update({"scale_factor": 0.5, "add_offset": 10.0, "units": "degC", "_FillValue": np.int16(3)})
        file["wind"] = np.arange(4.0)
        file["waves"] = np.arange(8.0).reshape(4, 2)
    with pytest.raises(UserError, match=r"has no 'obs'; it has sst, waves, wind; say which are what with obs=\[NAME"):
        load_dataset("file", path)
    dataset = load_dataset("file", path, {"obs": ["sst", "waves"], "actions": ["wind"]})
    assert dataset.obs_names == ("sst", "waves_0", "waves_1")
    assert dataset.action_names == ("wind",)
    assert dataset.obs_units == ("degC", "", "")
    np.testing.assert_array_equal(dataset.trajectories[0].obs[:, 0], [10.5, 11.0, np.nan, 12.0])
    np.testing.assert_array_equal(dataset.trajectories[0].actions[:, 0], [0.0, 1.0, 2.0, 3.0])
