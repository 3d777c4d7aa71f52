"""Minari: choices and tuples, the same in every one of its formats; sets of which a part is missing."""

import json
import shutil
import warnings

import numpy as np
import pytest

from mts3.data import Columns
from mts3.data.readers import read_with_notes
from mts3.errors import UserError

minari = pytest.importorskip("minari")
from gymnasium import spaces  # noqa: E402
from minari.data_collector import EpisodeBuffer  # noqa: E402

STEPS = 6
FORMATS = pytest.mark.parametrize("data_format", ["hdf5", "arrow", "parquet"])


def _read(path, **columns):
    return read_with_notes(path, Columns.parse(columns))


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes a set of some episodes (observations, actions) and returns its folder."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))

    def written(episodes, obs_space, action_space, data_format, **more):
        buffers = [
            EpisodeBuffer(
                observations=obs,
                actions=actions,
                rewards=[0.0] * STEPS,
                terminations=[False] * STEPS,
                truncations=[False] * (STEPS - 1) + [True],
                **more,
            )
            for obs, actions in episodes
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # asks for an author, a code link, ..
            minari.create_dataset_from_buffers(
                "toy/box-v0",
                buffers,
                observation_space=obs_space,
                action_space=action_space,
                data_format=data_format,
            )
        return tmp_path / "minari" / "toy" / "box-v0"

    return written


@FORMATS
def test_choices_have_a_channel_each(write, data_format):
    obs, actions = np.array([1, 2, 3, 1, 2, 3, 3]), np.array([0, 3, 1, 2, 0, 0])
    folder = write([(obs, actions)], spaces.Discrete(3, start=1), spaces.Discrete(4), data_format)
    places = [folder, folder / "data" / "main_data.hdf5"] if data_format == "hdf5" else [folder]
    for place in places:
        reading = _read(place)
        trajectory = reading.dataset.trajectories[0]
        np.testing.assert_array_equal(trajectory.obs, np.eye(3)[obs - 1])
        np.testing.assert_array_equal(trajectory.actions[:-1], np.eye(4)[actions])
        assert reading.dataset.action_names == ("action_0", "action_1", "action_2", "action_3")
        assert "a channel for each choice: obs, action" in reading.notes


@FORMATS
def test_tuples_and_several_choices_are_named_alike(write, data_format, rng):
    space = spaces.Tuple(
        [spaces.Box(-9, 9, (2,), np.float32), spaces.Dict({"on": spaces.MultiBinary(2), "mode": spaces.Discrete(2)})]
    )
    pose, on = rng.normal(size=(STEPS + 1, 2)).astype(np.float32), rng.integers(0, 2, (STEPS + 1, 2)).astype(np.int8)
    mode, actions = rng.integers(0, 2, STEPS + 1), np.stack([np.arange(6) % 3, np.arange(6) % 2], 1)
    folder = write([((pose, {"mode": mode, "on": on}), actions)], space, spaces.MultiDiscrete([3, 2]), data_format)
    dataset = _read(folder).dataset
    by_name = dict(zip(dataset.obs_names, dataset.trajectories[0].obs.T, strict=True))
    assert set(by_name) == {"obs_0_0", "obs_0_1", "obs_1/mode_0", "obs_1/mode_1", "obs_1/on_0", "obs_1/on_1"}
    np.testing.assert_array_equal(by_name["obs_0_1"], pose[:, 1])
    np.testing.assert_array_equal(by_name["obs_1/mode_1"], mode)
    np.testing.assert_array_equal(by_name["obs_1/on_0"], on[:, 0])
    assert dataset.action_names == ("action_0_0", "action_0_1", "action_0_2", "action_1_0", "action_1_1")
    expected = np.concatenate([np.eye(3)[actions[:, 0]], np.eye(2)[actions[:, 1]]], axis=1)
    np.testing.assert_array_equal(dataset.trajectories[0].actions[:-1], expected)


def test_members_of_a_long_tuple_keep_their_order(write):
    space = spaces.Tuple([spaces.Box(0, 99, (1,), np.float32)] * 12)
    obs = tuple(np.full((STEPS + 1, 1), number, np.float32) for number in range(12))
    folder = write([(obs, np.zeros((STEPS, 1), np.float32))], space, spaces.Box(0, 1, (1,), np.float32), "hdf5")
    np.testing.assert_array_equal(_read(folder).dataset.trajectories[0].obs[0], np.arange(12))


def _box(write, data_format, episodes=3, **more):
    obs, actions = np.ones((STEPS + 1, 2), np.float32), np.ones((STEPS, 1), np.float32)
    box = spaces.Box(-9, 9, (2,), np.float32), spaces.Box(-9, 9, (1,), np.float32)
    return write([(obs, actions)] * episodes, *box, data_format, **more)


@FORMATS
def test_episodes_that_are_missing_are_counted(write, data_format):
    folder = _box(write, data_format)
    assert _read(folder).notes == ()
    if data_format == "hdf5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
            del file["episode_1"]
    else:
        shutil.rmtree(folder / "data" / "1")
    assert _read(folder).notes == (
        "the set itself counts 3 episodes (2 are there) and 18 steps (12 are there): if that is not meant, get the set "
        "again",
    )


@pytest.mark.parametrize("data_format", ["hdf5", "arrow"])
def test_infos_are_not_used_and_that_is_said(write, data_format):
    folder = _box(write, data_format, infos={"speed": np.ones(STEPS + 1)})
    assert _read(folder).notes == ("not used: infos",)


def _described(folder, **change):
    path = folder / "data" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"type": "Discrete", "n": 2, "start": 5}, "'action': choice 3.* is none of the 2 .* get the set again"),
        ({"type": "MultiDiscrete", "nvec": [4, 4]}, r"'action' has 1 numbers a row, metadata.json says 2"),
        ({"type": "Discrete"}, "describes a Discrete space without its choices"),
        ({"type": "Discrete", "n": -1}, "a Discrete space of no choices"),
        ({"type": "MultiDiscrete", "nvec": "many"}, "a MultiDiscrete space without its choices"),
    ],
)
def test_choices_that_do_not_fit_the_description_are_refused(write, space, words):
    folder = write([(np.ones(STEPS + 1, int), np.full(STEPS, 3))], spaces.Discrete(4), spaces.Discrete(4), "hdf5")
    _described(folder, action_space=json.dumps(space))
    with pytest.raises(UserError, match=words):
        _read(folder)


def test_too_many_choices_stay_one_number_and_that_is_said(write):
    folder = write([(np.ones(STEPS + 1, int), np.full(STEPS, 3))], spaces.Discrete(4), spaces.Discrete(10**9), "hdf5")
    reading = _read(folder)
    assert reading.dataset.action_names == ("action_0",)
    assert "more than 1024 choices, taken as one number: action" in reading.notes


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"time": "x"}, "says itself what its time is"),
        ({"time": "x", "time_unit": "ms"}, "says itself what its time is"),
        ({"thousands": ","}, "thousands is for numbers written as text"),
        ({"resample": True}, "resample=true goes with times"),
    ],
)
def test_a_mapping_of_what_a_set_says_itself_is_refused(write, mapping, words):
    folder = _box(write, "hdf5", episodes=1)
    with pytest.raises(UserError, match=words):
        _read(folder, **mapping)
