"""What stands for missing becomes NaN in every format, and is counted; what looks like a code is found."""

import json
import pickle

import numpy as np
import pytest

from mts3.data import Dataset, Trajectory, load_dataset, load_with_notes, save_dataset
from mts3.data.core.stored import StoredArray
from mts3.data.quality.few_rows import FewRows, codes_of, made_by_few_rows
from mts3.data.readers import check_file
from mts3.data.rows.codes import Codes, leave_out, written
from mts3.errors import UserError
from tests.data.quality.test_check import SOUND

OBS = np.array([[1, -200], [-200, 5], [3, 6], [4, -200], [5, 8.5], [6, 9]], np.float32)
ACTIONS = np.array([[1], [2], [3], [4], [5], [-200]], np.float32)
EXPECTED = np.where(OBS == -200, np.nan, OBS)
NOTE = "taken as missing: -200 ({} times in {})"


def system(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) position and speed of a damped mass, and the force on it, held for ten rows."""
    rng = np.random.default_rng(0)
    u = np.repeat(rng.normal(size=n // 10 + 1), 10)[:n]
    x = np.zeros((n, 2))
    for t in range(n - 1):
        x[t + 1] = [x[t, 0] + 0.1 * x[t, 1], 0.95 * x[t, 1] - 0.1 * x[t, 0] + 0.2 * u[t]]
    x += 0.01 * rng.normal(size=x.shape)
    return x[:, 0], x[:, 1], u


def write_csv(path, x, v, u):
    rows = (
        f"{0.1 * i:.1f},{a!r},{b!r},{c!r}"
        for i, (a, b, c) in enumerate(zip(*map(np.ndarray.tolist, (x, v, u)), strict=True))
    )
    path.write_text("\n".join(["t,x,v,u", *rows]) + "\n")
    return path


# --- Words and numbers ---------------------------------------------------------------------------------------------


def test_words_have_no_case_and_no_blanks_and_numbers_have_a_value():
    codes = Codes.of(("-200", "Pump Off", "1e3"))
    assert codes.numbers == (-200.0, 1000.0)
    for word in ("pumpoff", " PUMP  off ", "NO DATA", "I/O Timeout", "#N/A", "#NV", "?", "--", "bad", "", "NaN"):
        assert codes.has_word(word), word
    for word in ("inf", "over", "#DIV/0!", "ON", "-1", "pump on"):
        assert not codes.has_word(word), word


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int64])
def test_a_number_is_met_by_value_in_every_type(dtype):
    rows = np.array([[1, -200], [-200, 4]], dtype)
    out, counts = leave_out(Codes.of(("-200.0",)), rows, ("a", "b"))
    np.testing.assert_array_equal(np.asarray(out, np.float64), [[1, np.nan], [np.nan, 4]])
    assert counts == {("-200", "a"): 1, ("-200", "b"): 1}
    assert leave_out(Codes.of(("7",)), rows, ("a", "b"))[0] is rows  # nothing is copied where nothing is met


def test_what_float32_cannot_tell_apart_is_the_same():
    fill = 9.969209968386869e36
    for rows in (np.array([[fill]]), np.array([[fill]], np.float32)):
        assert written(rows[0, 0]) == "9.96921e+36"
        assert np.isnan(leave_out(Codes.of((written(rows[0, 0]),)), rows, ("a",))[0]).all()
    largest = np.array([[np.finfo(np.float64).max], [1.0]])
    out, _ = leave_out(Codes.of((repr(float(largest[0, 0])),)), largest, ("a",))
    np.testing.assert_array_equal(out, [[np.nan], [1.0]])


# --- Every reader --------------------------------------------------------------------------------------------------


def _csv(path):
    cells = [",".join(map(str, [*o, *a])) for o, a in zip(OBS.tolist(), ACTIONS.tolist(), strict=True)]
    path.write_text("\n".join(["obs_0,obs_1,action_0", *cells]))


def _parquet(path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"obs_0": OBS[:, 0].astype(int), "obs_1": OBS[:, 1], "action_0": ACTIONS[:, 0]}), path)


def _hdf5(path):
    with pytest.importorskip("h5py").File(path, "w") as file:
        file["obs"], file["actions"] = OBS, ACTIONS


def _d4rl(path):
    with pytest.importorskip("h5py").File(path, "w") as file:
        file["observations"], file["actions"], file["terminals"] = OBS, ACTIONS, np.zeros(6, bool)


def _presplit(path):
    parts = {
        f"{part}_{key}": rows[None] for part in ("train", "test") for key, rows in (("obs", OBS), ("act", ACTIONS))
    }
    path.write_bytes(pickle.dumps(parts))


def _lerobot(path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"observation.state": list(OBS), "action": list(ACTIONS)}
    columns |= {"episode_index": [0] * 6, "frame_index": list(range(6))}
    (path / "meta").mkdir(parents=True)
    (path / "data").mkdir()
    info = {"fps": 10, "features": {name: {"dtype": "float32"} for name in columns}}
    (path / "meta" / "info.json").write_text(json.dumps(info))
    pq.write_table(pa.table(columns), path / "data" / "file-000.parquet")


def _ours(path):
    trajectory = Trajectory(OBS, ACTIONS, "a")
    save_dataset(Dataset("ours", (trajectory,), ("obs_0", "obs_1"), ("action_0",), 1.0), path)


READERS = {
    "log.csv": _csv,
    "log.parquet": _parquet,
    "log.npz": lambda path: np.savez(path, obs=OBS, actions=ACTIONS),
    "stacked.npz": lambda path: np.savez(path, obs=OBS[None], actions=ACTIONS[None]),
    "ours.npz": _ours,
    "log.h5": _hdf5,
    "d4rl.hdf5": _d4rl,
    "presplit.pkl": _presplit,
    "robot": _lerobot,
}


@pytest.mark.parametrize("name", READERS)
def test_a_code_is_missing_in_every_format(tmp_path, name):
    path = tmp_path / name
    READERS[name](path)
    dataset, notes = load_with_notes(None, path, {"missing": [-200]})
    for trajectory in dataset.trajectories:
        np.testing.assert_array_equal(trajectory.obs[:6], EXPECTED)
        np.testing.assert_array_equal(trajectory.actions[:5], ACTIONS[:5])
        assert trajectory.actions[-1, 0] != -200  # the last action acts on nothing
    (said,) = [note for note in notes if note.startswith("taken as missing")]
    assert "-200 (" in said
    assert "times in" in said
    np.testing.assert_array_equal(load_dataset(None, path).trajectories[0].obs[:6], OBS)  # nothing was asked for


def test_what_stays_in_its_file_is_changed_when_it_is_read(tmp_path, monkeypatch):
    for module in ("mts3.data.readers.formats.npz", "mts3.data.core.native"):
        monkeypatch.setattr(f"{module}.LARGE", 0)
    monkeypatch.setattr("mts3.data.readers.formats.npz.SHORT", 0)
    np.savez(tmp_path / "log.npz", obs=OBS.astype(np.int16), actions=ACTIONS)
    dataset, notes = load_with_notes(None, tmp_path / "log.npz", {"missing": "-200"})
    (trajectory,) = dataset.trajectories
    assert isinstance(trajectory.obs, StoredArray)
    trajectory = pickle.loads(pickle.dumps(trajectory))  # as workers get it
    np.testing.assert_array_equal(np.asarray(trajectory.obs[1:3]), np.trunc(EXPECTED)[1:3])
    assert NOTE.format(4, "obs_0, obs_1, actions_0") in notes


@pytest.mark.parametrize("name", ["log.csv", "d4rl.hdf5"])
def test_an_action_that_is_missing_is_refused_and_shown(tmp_path, name):
    READERS[name](tmp_path / name)
    with pytest.raises(UserError, match=r"NaN or infinite in data row 3, channel 'action_0'; expected"):
        load_dataset(None, tmp_path / name, {"missing": 3})
    checked = check_file(tmp_path / name, {"missing": 3})
    assert ("action_missing", ((2, 3),)) in [(f.kind, f.rows) for f in checked.findings]


def test_nothing_is_resampled_to_a_code(tmp_path):
    (tmp_path / "log.csv").write_text("t,x\n0,1\n1.1,2\n1.9,-200\n2.1,4\n3,5\n")
    dataset = load_dataset(None, tmp_path / "log.csv", {"obs": "x", "time": "t", "resample": True, "missing": -200,
                                                        "sample_time": 1})  # fmt: skip
    assert dataset.trajectories[0].obs.ravel().tolist() == [1, 2, 4, 5]


def test_times_and_ids_have_no_codes(tmp_path):
    (tmp_path / "log.csv").write_text("run,t,x\n-,0,0\n-,1,1\n-,2,2\n")
    dataset = load_dataset(None, tmp_path / "log.csv", {"obs": "x", "time": "t", "trajectory": "run", "missing": 1})
    assert dataset.trajectories[0].name == "-"
    np.testing.assert_array_equal(dataset.trajectories[0].obs.ravel(), [0, np.nan, 2])


# --- Codes that nobody named ---------------------------------------------------------------------------------------


def _holes(number, rows, channel=0):
    arrays = list(system())
    arrays[channel][rows] = number
    return arrays


@pytest.mark.parametrize("number", [-200, -999, -9999, 9.969209968386869e36, 65535, 1e20])
@pytest.mark.parametrize("rows", [slice(100, 110), slice(None, None, 10), slice(None, None, 3)])
def test_a_code_is_found_named_and_taken_out_of_the_other_kinds(tmp_path, number, rows):
    path = write_csv(tmp_path / "log.csv", *_holes(number, rows))
    mapping = {"obs": ["x", "v"], "actions": "u", "time": "t"}
    findings = check_file(path, mapping).findings
    assert {(f.kind, f.channel) for f in findings} == {("code", "x")}
    count = len(range(300)[rows])
    assert f"in {count} of 300 rows" in findings[0].words
    code = findings[0].words.partition("missing=[")[2].removesuffix("]")
    named = check_file(path, mapping | {"missing": [code]})  # what the words say to do
    assert {f.kind for f in named.findings} <= {"gap"}
    assert named.notes == (f"taken as missing: {code} ({count} times in x)",)
    assert np.isnan(load_dataset(None, path, mapping | {"missing": [code]}).trajectories[0].obs[rows, 0]).all()


def test_a_single_fill_value_is_found_where_another_one_is_an_outlier(tmp_path):
    mapping = {"obs": ["x", "v"], "actions": "u", "time": "t"}
    for number, kind in ((9.969209968386869e36, "code"), (77.0, "outlier")):
        path = write_csv(tmp_path / "log.csv", *_holes(number, slice(100, 101)))
        assert [(f.kind, f.rows) for f in check_file(path, mapping).findings] == [(kind, ((100, 101),))]


def test_several_codes_on_both_sides_and_a_code_in_the_actions():
    x, v, u = system()
    x[::9], x[5:8], x[200:206], u[50:60] = -999, -9999, 30000, -999
    assert codes_of([[x], [v], [u]]) == [(-9999, -999, 30000), (), (-999,)]


def test_a_code_of_one_channel_is_one_in_a_channel_that_is_nearer_to_it():
    x, _, _ = system()
    carbon, nitrogen = np.abs(x), 400 + 300 * x / np.abs(x).max()
    for array in (carbon, nitrogen):
        array[::7] = -200
    assert codes_of([[carbon], [nitrogen]]) == [(-200,), (-200,)]
    assert codes_of([[nitrogen]]) == [()]  # alone it could be where the valve is shut


@pytest.mark.parametrize("kind", SOUND)
def test_sound_recordings_have_no_codes(kind):
    for seed in range(100):
        rng = np.random.default_rng([seed, 7])
        channels = [[SOUND[kind](rng, int(rng.integers(50, 600))).astype(np.float32)] for _ in range(3)]
        assert codes_of(channels) == [(), (), ()]


def test_switches_pumps_and_channels_without_a_value_have_no_codes():
    rng = np.random.default_rng(0)
    pump = np.where(rng.random(300) < 0.5, 0.0, rng.uniform(95, 100, 300))
    switch = rng.choice([1.0, 100.0], 300)
    assert codes_of([[pump], [switch], [np.full(300, np.nan)], [np.full(300, 7.0)]]) == [(), (), (), ()]


@pytest.mark.parametrize("name", ["plaza1", "tiago", "soil"])
def test_shipped_recordings_have_no_codes_and_no_spread_of_few_rows(name):
    dataset = load_dataset(name)
    for kind in ("obs", "actions"):
        arrays = [getattr(t, kind) for t in dataset.trajectories]
        assert not any(codes_of([[a[:, i] for a in arrays] for i in range(arrays[0].shape[1])]))
    assert made_by_few_rows(dataset.trajectories, dataset.obs_names, dataset.action_names) == []


# --- Spread --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [slice(100, 102), slice(100, 110), slice(None, None, 7)])
def test_the_spread_that_a_few_rows_or_one_value_make_is_told(rows):
    x, v, u = system()
    sound, u[rows] = u.copy(), -200
    trajectory = Trajectory(np.stack([x, v], 1), u[:, None], "a")
    (found,) = made_by_few_rows([trajectory], ("x", "v"), ("u",))
    assert found.channel == "action 'u'"
    assert found.std == pytest.approx(u.std(), rel=1e-5)
    assert found.std_without == pytest.approx(np.delete(sound, range(300)[rows]).std(), rel=0.05)
    assert isinstance(found, FewRows)
    sound_one = Trajectory(np.stack([x, v], 1), sound[:, None], "a")
    assert made_by_few_rows([sound_one], ("x", "v"), ("u",)) == []


def test_constant_channels_and_bursts_are_no_spread_of_few_rows():
    rng = np.random.default_rng(0)
    obs = np.stack([np.ones(500), rng.random(500) < 0.005, np.maximum(rng.normal(size=500), 0) ** 3], 1)
    assert made_by_few_rows([Trajectory(obs, np.zeros((500, 1)), "a")], ("one", "event", "rain"), ("u",)) == []
