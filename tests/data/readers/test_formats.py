"""Every format round trips: what is written by its own library comes back, and what was understood is said."""

import io
import json
import pickle
import pickletools
import sys
import warnings

import numpy as np
import pytest
import torch

from mts3.data import Columns, Dataset, load_dataset, split
from mts3.data.readers import read_with_notes
from mts3.data.readers.formats import ENDINGS
from mts3.errors import UserError

N, T, OBS, ACT = 3, 7, 2, 1
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def _read(path, **columns):
    return read_with_notes(path, Columns.parse(columns))


def _official(rng) -> tuple[dict, np.ndarray, np.ndarray]:
    """An official dictionary, with the physical (N, T + 1, OBS) observations and (N, T, A) actions behind it."""
    obs, actions = rng.normal(size=(2 * N, T + 1, OBS)) * 5 + 3, rng.normal(size=(2 * N, T, ACT))
    statistics = {
        "observations": [obs.mean((0, 1)), obs.std((0, 1))],
        "actions": [actions.mean((0, 1)), actions.std((0, 1))],
        "diff": [np.zeros(OBS), np.ones(OBS)],
        "targets": [obs.mean((0, 1)) + 1, obs.std((0, 1)) * 2],
    }
    o, a, t = ((x - m) / s for x, (m, s) in zip((obs[:, :-1], actions, obs[:, 1:]),
               (statistics["observations"], statistics["actions"], statistics["targets"]), strict=True))  # fmt: skip
    content = {"normalizer": statistics, "lr": np.float64(3e-4), "name": "toy", "seeds": [1, 2]}
    for part, rows in (("train", slice(N)), ("test", slice(N, None))):
        content |= {f"{part}_obs": o[rows], f"{part}_act": a[rows], f"{part}_targets": t[rows]}
    return content, obs, actions


def _check_official(dataset: Dataset, obs: np.ndarray, actions: np.ndarray) -> None:
    assert [len(t) for t in dataset.trajectories] == [T + 1] * 2 * N
    for trajectory, o, a in zip(dataset.trajectories, obs, actions, strict=True):
        np.testing.assert_allclose(trajectory.obs, o, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(trajectory.actions[:-1], a, rtol=1e-5, atol=1e-5)
    assert [t.name for t in split(dataset, 0).test] == [f"test-{n}" for n in range(N)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("core", ["numpy._core", "numpy.core"])
def test_an_official_pickle_in_every_protocol_and_with_both_names_of_numpys_core(tmp_path, rng, protocol, core):
    content, obs, actions = _official(rng)
    content["test_obs"] = np.asfortranarray(content["test_obs"]).astype(">f8")
    written = _with_core(pickle.dumps(content, protocol), core)
    path = tmp_path / "toy.dat"
    path.write_bytes(written)
    reading = _read(path, sample_time=0.5)
    _check_official(reading.dataset, obs, actions)
    assert reading.dataset.sample_time == 0.5
    assert reading.format.startswith("pickled dictionary")
    assert any("observation T+1" in note for note in reading.notes)


def _with_core(written: bytes, core: str) -> bytes:
    """The same pickle with another name of numpy's inner package, as other versions of numpy write it."""
    for place in reversed([place for opcode, _, place in pickletools.genops(written) if opcode.name == "FRAME"]):
        written = written[:place] + written[place + 9 :]  # frames may be left out; their lengths would not fit
    for module in ("multiarray", "numeric"):
        new = f"{core}.{module}".encode()
        for other in ("numpy._core", "numpy.core"):
            old = f"{other}.{module}".encode()
            written = written.replace(b"c" + old, b"c" + new)
            written = written.replace(b"\x8c" + bytes([len(old)]) + old, b"\x8c" + bytes([len(new)]) + new)
    assert core.encode() + b".multiarray" in written or core.encode() + b".numeric" in written
    return written


def test_targets_that_are_something_else_are_left_out_and_that_is_said(tmp_path, rng):
    content, obs, _ = _official(rng)
    content["train_targets"] = rng.normal(size=(N, T, OBS))
    path = tmp_path / "toy.pkl"
    path.write_bytes(pickle.dumps(content))
    reading = _read(path)
    assert [len(t) for t in reading.dataset.trajectories] == [T] * N + [T + 1] * N
    np.testing.assert_allclose(reading.dataset.trajectories[0].obs, obs[0, :-1], rtol=1e-5, atol=1e-5)
    assert "train_targets are not the next observations: left out" in reading.notes


@pytest.mark.parametrize("tensors", [True, False])
def test_an_official_dictionary_of_torch_save(tmp_path, rng, tensors):
    content, obs, actions = _official(rng)
    if tensors:
        content |= {key: torch.from_numpy(value) for key, value in content.items() if isinstance(value, np.ndarray)}
        content["normalizer"] = {k: [torch.from_numpy(v) for v in pair] for k, pair in content["normalizer"].items()}
    torch.save(content, tmp_path / "toy.bin")
    _check_official(_read(tmp_path / "toy.bin").dataset, obs, actions)


def test_a_presplit_npz_with_targets_is_the_same(tmp_path, rng):
    content, obs, actions = _official(rng)
    flat = {f"normalizer/{k}/{s}": v for k, pair in content["normalizer"].items()
            for s, v in zip(("mean", "std"), pair, strict=True)}  # fmt: skip
    np.savez(tmp_path / "toy.npz", **{k: v for k, v in content.items() if isinstance(v, np.ndarray)}, **flat)
    _check_official(_read(tmp_path / "toy.npz").dataset, obs, actions)


# --- HDF5 ---------------------------------------------------------------------------------------------------------


def _d4rl(path, rng, ends=("terminals", "timeouts"), **more):
    h5py = pytest.importorskip("h5py")
    arrays = {"observations": rng.normal(size=(10, 3)).astype("f4"), "actions": rng.normal(size=(10, 2)),
              "rewards": np.arange(10.0), "terminals": np.zeros(10, bool), "timeouts": np.zeros(10, bool)}  # fmt: skip
    arrays["terminals"][3] = arrays["timeouts"][7] = True
    with h5py.File(path, "w") as file:
        for name, array in (arrays | more).items():
            if name in ends or name not in ("terminals", "timeouts"):
                file.create_dataset(name, data=array, compression="gzip", chunks=True)
        file.create_group("metadata").create_dataset("algorithm", data=np.bytes_("none"))
    return arrays


def test_d4rl_episodes_end_at_either(tmp_path, rng):
    arrays = _d4rl(tmp_path / "cheetah.hdf5", rng)
    reading = _read(tmp_path / "cheetah.hdf5", sample_time=0.05)
    dataset = reading.dataset
    assert [len(t) for t in dataset.trajectories] == [4, 4, 2]
    np.testing.assert_array_equal(dataset.trajectories[1].obs, arrays["observations"][4:8])
    np.testing.assert_allclose(dataset.trajectories[0].actions[:3], arrays["actions"][:3], rtol=1e-6)
    assert dataset.trajectories[2].reward.tolist() == [8, 9]
    assert (dataset.obs_names[0], dataset.action_names, dataset.sample_time) == (
        "obs_0",
        ("action_0", "action_1"),
        0.05,
    )
    assert reading.format == "D4RL HDF5"
    assert reading.notes == ("3 episodes, which end at terminals or timeouts",)


def test_d4rl_without_timeouts_warns_and_channels_can_be_chosen(tmp_path, rng):
    arrays = _d4rl(tmp_path / "old.h5", rng, ends=("terminals",))
    reading = _read(tmp_path / "old.h5", obs=["obs_2", "obs_0"], actions="action_*")
    np.testing.assert_array_equal(reading.dataset.trajectories[0].obs, arrays["observations"][:4, [2, 0]])
    assert reading.dataset.action_names == ("action_0", "action_1")
    assert "no timeouts" in reading.notes[0]
    with pytest.raises(UserError, match="no column 'obs_7'; it has obs_0"):
        _read(tmp_path / "old.h5", obs="obs_7")
    with pytest.raises(UserError, match="says itself what its trajectory is"):
        _read(tmp_path / "old.h5", trajectory="terminals")


def test_d4rl_episodes_of_one_row_are_left_out(tmp_path, rng):
    _d4rl(tmp_path / "x.hdf5", rng, timeouts=np.arange(10) == 8)
    reading = _read(tmp_path / "x.hdf5")
    assert [len(t) for t in reading.dataset.trajectories] == [4, 5]
    assert "left out 1 trajectory of one row: no step to learn from" in reading.notes


def test_plain_hdf5_by_default_names_and_by_a_mapping(tmp_path, rng):
    h5py = pytest.importorskip("h5py")
    obs, tau = rng.normal(size=(9, 3)), rng.normal(size=(9, 1))
    with h5py.File(tmp_path / "log.h5", "w") as file:
        file["obs"], file["actions"], file["robot/tau"], file["clock"] = obs, tau, tau * 2, np.arange(9) * 0.1
    plain = load_dataset(None, tmp_path / "log.h5")
    np.testing.assert_array_equal(plain.trajectories[0].obs, obs.astype("f4"))
    mapped = load_dataset(
        None, tmp_path / "log.h5", {"obs": ["obs", "robot/tau"], "actions": "actions", "time": "clock"}
    )
    assert mapped.obs_names == ("obs_0", "obs_1", "obs_2", "robot/tau_0")
    assert mapped.sample_time == pytest.approx(0.1)


# --- Minari -------------------------------------------------------------------------------------------------------


def _minari(tmp_path, monkeypatch, data_format, observations, space, name="toy/box-v0"):
    minari = pytest.importorskip("minari")
    from gymnasium import spaces
    from minari.data_collector import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    buffers = [
        EpisodeBuffer(
            observations=episode,
            actions=np.full((steps, 2), i, np.float32),
            rewards=list(np.arange(float(steps))),
            terminations=[False] * steps,
            truncations=[False] * (steps - 1) + [True],
        )
        for i, (steps, episode) in enumerate(observations)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # asks for an author, a code link, ..
        minari.create_dataset_from_buffers(
            name,
            buffers,
            observation_space=space,
            action_space=spaces.Box(-1, 9, (2,), np.float32),
            data_format=data_format,
        )
    return tmp_path / "minari" / name


@pytest.mark.parametrize("data_format", ["hdf5", "arrow", "parquet"])
def test_minari_folders_ids_and_files(tmp_path, rng, monkeypatch, data_format):
    pytest.importorskip("minari")
    from gymnasium import spaces

    episodes = [(steps, rng.normal(size=(steps + 1, 3)).astype(np.float32)) for steps in (4, 11, 6)]
    folder = _minari(tmp_path, monkeypatch, data_format, episodes, spaces.Box(-9, 9, (3,), np.float32))
    places = [folder, folder / "data", "minari:toy/box-v0"]
    if data_format == "hdf5":
        places.append(folder / "data" / "main_data.hdf5")
    for place in places:
        dataset = _read(place, sample_time=0.02).dataset
        assert [t.name for t in dataset.trajectories] == ["episode_0", "episode_1", "episode_2"]
        for number, (steps, obs) in enumerate(episodes):
            trajectory = dataset.trajectories[number]
            np.testing.assert_array_equal(trajectory.obs, obs)
            assert (trajectory.actions == number).all()
            np.testing.assert_array_equal(trajectory.reward[:-1], np.arange(steps))
            assert np.isnan(trajectory.reward[-1])
        assert (dataset.obs_names, dataset.action_names) == (("obs_0", "obs_1", "obs_2"), ("action_0", "action_1"))
        assert dataset.sample_time == 0.02


@pytest.mark.parametrize("data_format", ["hdf5", "arrow"])
def test_minari_dictionaries_lie_side_by_side_and_images_are_left_out(tmp_path, rng, monkeypatch, data_format):
    pytest.importorskip("minari")
    from gymnasium import spaces

    goal, pose = rng.normal(size=(6, 2)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)
    picture = np.full((6, 8, 8, 3), 7, np.uint8)
    space = spaces.Dict(
        {
            "pose": spaces.Box(-9, 9, (3,), np.float32),
            "goal": spaces.Box(-9, 9, (2,), np.float32),
            "camera": spaces.Box(0, 255, (8, 8, 3), np.uint8),
        }
    )
    episodes = [(5, {"pose": pose, "goal": goal, "camera": picture})]
    reading = _read(_minari(tmp_path, monkeypatch, data_format, episodes, space))
    by_name = dict(zip(reading.dataset.obs_names, reading.dataset.trajectories[0].obs.T, strict=True))
    assert set(by_name) == {"goal_0", "goal_1", "pose_0", "pose_1", "pose_2"}
    np.testing.assert_array_equal(by_name["pose_2"], pose[:, 2])
    np.testing.assert_array_equal(by_name["goal_0"], goal[:, 0])
    assert any("camera" in note for note in reading.notes)


def test_a_minari_id_that_is_not_at_hand_says_what_to_do_and_asks_nobody(tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    asked = []

    def no_network(identity):
        asked.append(identity)
        raise ConnectionError("no route to host\nand a long story")

    monkeypatch.setattr(minari, "download_dataset", no_network)
    with pytest.raises(UserError, match=r"cannot download .*door/human-v2 \(no route to host\); .* or copy it to"):
        _read("minari:door/human-v2")
    assert asked == ["door/human-v2"]
    with pytest.raises(UserError, match="is no Minari id"):
        _read("minari:../../etc")
    with pytest.raises(UserError, match=r"there is no file door/human-v2.*say minari:door/human-v2"):
        _read("door/human-v2")
    assert asked == ["door/human-v2"]
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(UserError, match=r'needs minari; install it with pip install "mts3\[data\]"'):
        _read("minari:door/human-v2")


# --- LeRobot ------------------------------------------------------------------------------------------------------


def _lerobot(root, rng, version, names=("shoulder", "elbow")):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    lengths = (5, 4, 6)
    episode = np.repeat([0, 1, 2], lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    columns = {
        "observation.state": rng.normal(size=(15, 2)).astype(np.float32),
        "observation.force": rng.normal(size=(15, 1)).astype(np.float32),
        "action": rng.normal(size=(15, 2)).astype(np.float32),
        "next.reward": np.arange(15, dtype=np.float32),
    }
    (root / "meta").mkdir(parents=True)
    features = {name: {"dtype": "float32", "shape": [2], "names": None} for name in columns}
    features["observation.state"]["names"] = {"motors": list(names)}
    features["observation.images.top"] = {"dtype": "video", "shape": [4, 4, 3], "names": None}
    features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in ("episode_index", "frame_index")}
    info = {"codebase_version": version, "fps": 20, "features": features}
    (root / "meta" / "info.json").write_text(json.dumps(info))

    def write(path, rows):
        path.parent.mkdir(parents=True, exist_ok=True)
        lists = {name: list(values[rows]) for name, values in columns.items()}
        pq.write_table(pa.table({**lists, "episode_index": episode[rows], "frame_index": frame[rows]}), path)

    if version == "v2.1":
        for number in range(3):
            write(root / "data" / "chunk-000" / f"episode_{number:06d}.parquet", np.flatnonzero(episode == number))
    else:
        shuffled = rng.permutation(15)
        write(root / "data" / "chunk-000" / "file-000.parquet", shuffled[:8])
        write(root / "data" / "chunk-000" / "file-001.parquet", shuffled[8:])
    return columns, np.split(np.arange(15), np.cumsum(lengths)[:-1])


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_lerobot_by_episode_and_frame(tmp_path, rng, version):
    columns, episodes = _lerobot(tmp_path / "arm", rng, version)
    reading = _read(tmp_path / "arm")
    dataset = reading.dataset
    assert (dataset.name, dataset.sample_time) == ("arm", 0.05)
    assert [t.name for t in dataset.trajectories] == ["episode_0", "episode_1", "episode_2"]
    for trajectory, rows in zip(dataset.trajectories, episodes, strict=True):
        np.testing.assert_array_equal(trajectory.obs, columns["observation.state"][rows])
        np.testing.assert_array_equal(trajectory.actions[:-1], columns["action"][rows[:-1]])
        np.testing.assert_array_equal(trajectory.reward, columns["next.reward"][rows])
    assert dataset.obs_names == ("shoulder", "elbow")
    assert dataset.action_names == ("action_0", "action_1")
    assert "left out, images and videos: observation.images.top" in reading.notes
    assert "not used: observation.force" in reading.notes


def test_lerobot_episodes_of_one_frame_are_left_out(tmp_path, rng):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns, _ = _lerobot(tmp_path / "arm", rng, "v2.1")
    lists = {name: list(values[:1]) for name, values in columns.items()}
    table = pa.table({**lists, "episode_index": [3], "frame_index": [0]})
    pq.write_table(table, tmp_path / "arm" / "data" / "chunk-000" / "episode_000003.parquet")
    reading = _read(tmp_path / "arm")
    assert len(reading.dataset.trajectories) == 3
    assert "left out 1 trajectory of one row: no step to learn from" in reading.notes


def test_lerobot_features_by_a_mapping_and_names_that_repeat(tmp_path, rng):
    columns, _ = _lerobot(tmp_path / "arm", rng, "v3.0", names=("gripper", "gripper"))
    dataset = _read(tmp_path / "arm", obs=["observation.*"]).dataset
    assert dataset.obs_names == ("observation.state_0", "observation.state_1", "observation.force_0")
    assert dataset.action_dim == 0
    np.testing.assert_array_equal(dataset.trajectories[0].obs[:, 2], columns["observation.force"][:5, 0])
    with pytest.raises(UserError, match=r"no column 'observation.images.top'"):
        _read(tmp_path / "arm", obs="observation.images.top")


# --- CSV ----------------------------------------------------------------------------------------------------------


def test_a_plants_log_with_semicolons_decimal_commas_a_line_of_units_and_dates(tmp_path):
    lines = ["# Anlage 7", "Zeit;Temperatur;Ventil;Robot;", "-;°C;%;;", "01.05.2024 12:00:00;21,5;-0,25;A;",
             "01.05.2024 12:00:10;;1e1;A;", "01.05.2024 12:00:20;22,5;3;A;"]  # fmt: skip
    path = tmp_path / "plant.csv"
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    reading = _read(path, obs="Temperatur", actions="Ventil", time="Zeit", trajectory="Robot")
    dataset = reading.dataset
    np.testing.assert_array_equal(dataset.trajectories[0].obs.ravel(), [21.5, np.nan, 22.5])
    np.testing.assert_array_equal(dataset.trajectories[0].actions.ravel(), [-0.25, 10, 3])
    assert (dataset.sample_time, dataset.obs_units, dataset.action_units) == (10.0, ("°C",), ("%",))
    assert dataset.trajectories[0].name == "A"
    assert reading.format == (
        "CSV with semicolons and decimal commas and a line of units, not UTF-8: read as Windows-1252"
    )
    assert reading.roles == "observations Temperatur; actions Ventil; time Zeit; trajectories by Robot"


def test_a_log_of_several_robots_whose_rows_are_mixed(tmp_path):
    rows = ["robot,t,obs_x", *(f"{'ab'[i % 2]},{i // 2 * 0.1:.1f},{i}" for i in range(8))]
    (tmp_path / "fleet.csv").write_text("\n".join(rows))
    dataset = _read(tmp_path / "fleet.csv", obs="obs_x", time="t", trajectory="robot").dataset
    assert {t.name: t.obs.ravel().tolist() for t in dataset.trajectories} == {"a": [0, 2, 4, 6], "b": [1, 3, 5, 7]}
    with pytest.raises(UserError, match=r"data.columns.trajectory=NAME"):
        _read(tmp_path / "fleet.csv", obs="obs_x", time="t")


@pytest.mark.parametrize(
    ("stamps", "step"),
    [
        (["2024-05-01T12:00:00Z", "2024-05-01T12:00:00.500Z", "2024-05-01T12:00:01Z"], 0.5),
        # The clock goes back: an hour that the zones tell apart.
        (["2024-10-27 02:30:00+02:00", "2024-10-27 02:00:00+01:00", "2024-10-27 02:30:00+01:00"], 1800),
        (["31.12.2023 23:59", "01.01.2024 00:00", "01.01.2024 00:01"], 60),
        (["12/30/2023 00:00:00", "12/31/2023 00:00:00", "01/01/2024 00:00:00"], 86400),
        (["30/12/2023", "31/12/2023", "01/01/2024"], 86400),
        (["20240501T120000", "20240501T120002", "20240501T120004"], 2),
    ],
)
def test_dates_as_loggers_write_them(tmp_path, stamps, step):
    (tmp_path / "log.csv").write_text("\n".join(["when,obs_x", *(f"{stamp},{i}" for i, stamp in enumerate(stamps))]))
    assert _read(tmp_path / "log.csv", obs="obs_x", time="when").dataset.sample_time == step


def test_dates_that_could_be_read_in_two_ways_are_refused(tmp_path):
    (tmp_path / "log.csv").write_text("when,obs_x\n01/02/2024,1\n01/03/2024,2\n")
    with pytest.raises(UserError, match="could be day/month or month/day"):
        _read(tmp_path / "log.csv", obs="obs_x", time="when")


def test_a_first_row_of_words_is_no_line_of_units_where_words_go_on(tmp_path):
    (tmp_path / "log.csv").write_text("obs_x,mode\n1,idle\n2,run\n")
    assert len(_read(tmp_path / "log.csv").dataset.trajectories[0]) == 2
    (tmp_path / "log.csv").write_text("obs_x,mode\n,idle\n2,run\n3,run\n")
    assert len(_read(tmp_path / "log.csv").dataset.trajectories[0]) == 3


# --- The format is guessed from contents --------------------------------------------------------------------------


def test_contents_count_more_than_the_ending(tmp_path, rng):
    content, obs, actions = _official(rng)
    whole = pickle.dumps(content)
    (tmp_path / "data.npz").write_bytes(whole)
    _check_official(_read(tmp_path / "data.npz").dataset, obs, actions)
    buffer = io.BytesIO()
    np.savez(buffer, obs=np.ones((5, 2)))
    for name in ("x.csv", "x", "x.dat"):
        (tmp_path / name).write_bytes(buffer.getvalue())
        assert _read(tmp_path / name).format == "npz"
    (tmp_path / "log.dat").write_text("obs_x;u_1\n1;2\n2;3\n")
    assert _read(tmp_path / "log.dat").roles == "observations obs_x; actions u_1"


def test_unused_columns_and_many_channels_are_named_in_short(tmp_path):
    names = [f"obs_{i}" for i in range(9)]
    (tmp_path / "log.csv").write_text(",".join([*names, "note"]) + "\n" + "\n".join([",".join(["1"] * 10)] * 3))
    reading = _read(tmp_path / "log.csv")
    assert reading.roles == "observations obs_0, obs_1, obs_2, obs_3, .. obs_8 (9); no actions"
    assert reading.notes == ("not used: note",)


@pytest.mark.parametrize(("module", "name"), [("h5py", "x.hdf5"), ("pyarrow", "x.parquet")])
def test_a_missing_library_is_one_line(tmp_path, monkeypatch, module, name):
    start = b"\x89HDF\r\n\x1a\n" if module == "h5py" else b"PAR1"
    (tmp_path / name).write_bytes(start + bytes(100))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf'needs {module}; install it with pip install "mts3\[data\]"'):
        _read(tmp_path / name)


def test_every_ending_has_a_reader():
    assert {".npz", ".csv", ".parquet", ".hdf5", ".h5", ".pkl", ".pt"} <= set(ENDINGS)
