"""CSV and Parquet: the same table gives the same data set; bad tables give one line."""

import sys
from datetime import datetime, timedelta

import numpy as np
import pytest

from mts3.data import load_dataset, load_with_notes
from mts3.data.readers import check_file
from mts3.errors import UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MAPPING = {"obs": ["x [m]", "y"], "actions": "u", "time": "t", "trajectory": "run"}
TABLE = {
    "run": ["b", "b", "b", "a", "a"],
    "t": [0.0, 0.5, 1.0, 7.0, 7.5],
    "x [m]": [1.0, None, 3.0, 4.0, 5.0],
    "y": [1.5, 2.5, 3.5, 4.5, 5.5],
    "u": [0.0, 1.0, 0.0, 1.0, None],
    "note": ["", "gap", "", "", ""],
}


def _write(path, table, delimiter=","):
    if path.suffix == ".parquet":
        pq.write_table(pa.table(table), path)
    else:
        rows = [
            list(table),
            *(["" if cell is None else str(cell) for cell in row] for row in zip(*table.values(), strict=True)),
        ]
        path.write_text("\n".join(delimiter.join(row) for row in rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(params=[".csv", ".parquet"])
def suffix(request):
    return request.param


def test_a_mapped_table(tmp_path, suffix):
    dataset = load_dataset("file", _write(tmp_path / f"log{suffix}", TABLE), MAPPING)
    assert (dataset.name, dataset.obs_names, dataset.action_names) == ("log", ("x [m]", "y"), ("u",))
    assert dataset.sample_time == 0.5
    first, second = dataset.trajectories
    assert (first.name, second.name) == ("b", "a")  # in the order of the file
    np.testing.assert_array_equal(first.obs, [[1, 1.5], [np.nan, 2.5], [3, 3.5]])
    assert first.actions.ravel().tolist() == [0, 1, 0]
    assert second.actions.ravel().tolist() == [1, 1]  # the last one acts on nothing and is held


def test_names_are_guessed_and_may_be_patterns(tmp_path, suffix):
    table = {"o_1": [1.0, 2.0], "obs_2": [1.0, 2.0], "u_1": [0.0, 0.0], "other": [5.0, 5.0]}
    path = _write(tmp_path / f"log{suffix}", table)
    guessed = load_dataset(None, path)
    assert (guessed.obs_names, guessed.action_names) == (("o_1", "obs_2"), ("u_1",))
    assert guessed.sample_time == 1.0
    mapped = load_dataset(None, path, {"obs": ["o*"], "sample_time": 0.25})
    assert (mapped.obs_names, mapped.action_names, mapped.sample_time) == (("o_1", "obs_2", "other"), (), 0.25)


def test_patterns_leave_out_what_has_another_role(tmp_path, suffix):
    path = _write(tmp_path / f"log{suffix}", {key: TABLE[key] for key in ("t", "x [m]", "y", "u")})
    mapping = {"obs": ["y"], "actions": ["*"], "time": "t", "resample": True}
    dataset = load_dataset(None, _write(path, {key: TABLE[key][:3] for key in ("t", "y", "u")}), mapping)
    assert (dataset.obs_names, dataset.action_names) == (("y",), ("u",))
    dataset = load_dataset(None, path, {"obs": ["*"], "actions": ["u"], "time": "t"})
    assert (dataset.obs_names, dataset.action_names) == (("y",), ("u",))


def test_actions_that_come_late(tmp_path, suffix):
    table = {"obs_x": [0.0, 1.0, 2.0, 3.0], "u": [None, 10.0, 11.0, 12.0]}
    path = _write(tmp_path / f"log{suffix}", table)
    (moved,) = load_dataset(None, path, {"obs": "obs_x", "actions": "u", "action_shift": 1}).trajectories
    assert moved.obs.ravel().tolist() == [0, 1, 2, 3]
    assert moved.actions.ravel().tolist() == [10, 11, 12, 12]


def test_trajectories_of_one_row_are_left_out_and_said(tmp_path, suffix):
    path = _write(tmp_path / f"log{suffix}", {"run": ["a", "b", "c", "c"], "obs_x": [0.0, 1.0, 2.0, 3.0]})
    dataset, notes = load_with_notes(None, path, {"obs": "obs_x", "trajectory": "run"})
    assert [t.name for t in dataset.trajectories] == ["c"]
    assert "left out 2 trajectories of one row: no step to learn from" in notes


def test_dates_are_times(tmp_path, suffix):
    start = datetime(2024, 2, 28, 23, 50)
    dates = [start + timedelta(minutes=5 * i) for i in range(6)]
    stamps = dates if suffix == ".parquet" else [date.isoformat() for date in dates]
    path = _write(tmp_path / f"log{suffix}", {"when": stamps, "obs_a": [1.0] * 6})
    assert load_dataset(None, path, {"obs": "obs_a", "time": "when"}).sample_time == 300.0


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_byte_order_mark_and_words_for_missing(tmp_path, delimiter):
    table = {"obs_a": ["NaN", "NA", " 2 ", "null", "1e-3"], "z": ["", "x", "x", "x", "x"]}
    path = _write(tmp_path / "log.csv", table, delimiter)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    obs = load_dataset(None, path).trajectories[0].obs
    np.testing.assert_allclose(obs.ravel(), [np.nan, np.nan, 2, np.nan, 1e-3])


def test_irregular_times_are_resampled_where_asked(tmp_path, suffix):
    table = {"t": [0.0, 1.01, 1.98, 5.0, 6.0], "obs_a": [0.0, 1.0, 2.0, 5.0, 6.0], "u_1": [1.0, 2.0, 3.0, 4.0, 5.0]}
    path = _write(tmp_path / f"log{suffix}", table)
    (trajectory,) = load_dataset(None, path, {"time": "t", "resample": True, "sample_time": 1}).trajectories
    np.testing.assert_array_equal(trajectory.obs.ravel(), [0, 1, 2, np.nan, np.nan, 5, 6])
    assert trajectory.actions.ravel().tolist() == [1, 2, 3, 3, 3, 4, 5]  # held in the gap
    first, second = load_dataset(None, path, {"time": "t", "resample": True, "max_gap": 2.5}).trajectories
    assert (first.name, second.name) == ("log[0:3]", "log[3:5]")


def test_interleaved_trajectories_are_sorted_out(tmp_path, suffix):
    table = {"id": [1, 2, 1, 2], "obs_a": [10.0, 20.0, 11.0, 21.0]}
    dataset = load_dataset(None, _write(tmp_path / f"log{suffix}", table), {"trajectory": "id"})
    assert [t.obs.ravel().tolist() for t in dataset.trajectories] == [[10, 11], [20, 21]]


@pytest.mark.parametrize(
    ("change", "mapping", "words"),
    [
        ({}, {"obs": "z"}, r"no column 'z'; it has run, t, x \[m\], y, u, note"),
        ({}, {"obs": "y", "time": "clock"}, "no column 'clock'"),
        ({}, {"obs": "z*"}, r"no column 'z\*'"),
        ({}, None, r"which columns of .* are observations\? It has run, t,.*data.columns.obs="),
        ({}, {"obs": "note"}, "column 'note' of .* has 'gap' in data row 2; expected a number"),
        ({}, {"obs": "y", "colour": "u"}, "unknown key 'colour'"),
        ({}, {"obs": 5}, "has no column '5'"),
        ({}, {"obs": {"y": 1}}, "obs={'y': 1}; expected a name or a list"),
        ({}, {"obs": "y", "trajectory": ["run"]}, "expected the name of one column"),
        ({}, {"obs": "y", "actions": ["u", "y"]}, "column 'y' of .* is named as an observation and as an action"),
        ({}, {"obs": ["y", "t"], "time": "t"}, "column 't' of .* as an observation and as the time"),
        ({}, {"obs": "y", "reward": "u", "actions": "u"}, "column 'u' of .* as an action and as the reward"),
        ({}, {"obs": "y", "action_shift": 1.5}, "action_shift=1.5; expected a whole number"),
        ({}, MAPPING | {"action_shift": 3}, "action_shift=3 leaves nothing of trajectory 'b', which has 3 rows"),
        ({}, {"obs": "y", "decimal": ";"}, "decimal=';'; expected one of"),
        ({}, {"obs": "y", "time": "t", "time_unit": "weeks"}, "time_unit='weeks'; expected one of s  ms"),
        ({}, {"obs": "y", "sample_time": -1}, "sample_time=-1"),
        ({}, {"obs": "y", "time": "note"}, "expected seconds, or dates"),
        ({}, {"obs": "y", "time": "t"}, "irregular times, 1 of 4 steps .* data row 4 .*data.columns.resample=true"),
        ({"t": [0.0, 0.5, 0.5, 7.0, 7.5]}, MAPPING, "data rows 2 and 3 have the same time, 0.5; .*resample=true"),
        ({"t": [0.0, 0.5, 0.4, 7.0, 7.5]}, MAPPING, "goes from 0.5 to 0.4 at data row 3; expected it to increase"),
        ({"t": [0.0, 0.5, None, 7.0, 7.5]}, MAPPING, "time in data row 3 is missing"),
        ({"t": [0.0, 0.5, 1.0, 7.0, 9.0]}, MAPPING, "sampled every 0.5 to 2 s; .*resample=true"),
        ({}, {"obs": "y", "resample": True}, "no times to resample by; name their column"),
        ({}, {"obs": "y", "resample": "yes"}, "resample='yes'; expected true or false"),
        ({}, {"obs": "y", "max_gap": 3}, "max_gap=3 goes with resample=true"),
        ({}, {"obs": "y", "sample_time": True}, "sample_time=True; expected seconds"),
        ({"y": [None] * 5}, MAPPING, "'y' is NaN in every row"),
        (
            {"u": [0.0, None, 0.0, 1.0, 1.0]},
            MAPPING,
            "actions of trajectory 'b' .* in data row 2, channel 'u'",
        ),
        ({"y": [1.0, float("inf"), 1.0, 1.0, 1.0]}, MAPPING, "infinite in data row 2, channel 'y'"),
    ],
)
def test_bad_tables_are_one_clear_line(tmp_path, suffix, change, mapping, words):
    table = TABLE | change
    if suffix == ".parquet" and "y" in change and change["y"][0] is None:
        table["y"] = pa.array(change["y"], type=pa.float64())
    with pytest.raises(UserError, match=words) as error:
        load_dataset("file", _write(tmp_path / f"log{suffix}", table), mapping)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("obs_a,obs_b\n", "a header and no rows"),
        ("obs_a,obs_b\n1,2\n3\n", "1 cells in data row 2; its header has 2"),
        ("\n1,2\n", "starts with an empty line"),
        ("obs_a,obs_a\n1,2\n", "two columns 'obs_a'"),
        ("obs_a,obs_b\n1,2\n", "at least 2 rows"),
    ],
)
def test_bad_csv(tmp_path, text, words):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        load_dataset(None, path)


def test_a_csv_that_is_no_text(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xff\xfe\x00\x80" * 20)
    with pytest.raises(UserError, match="no readable CSV"):
        load_dataset(None, path)


def test_a_truncated_parquet_file(tmp_path):
    path = _write(tmp_path / "log.parquet", TABLE)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="no readable Parquet"):
        load_dataset(None, path, MAPPING)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    path = _write(tmp_path / "log.parquet", TABLE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r'pip install "mts3\[data\]"'):
        load_dataset(None, path, MAPPING)


@pytest.mark.parametrize("kind", ["in turn", "one after the other", "restarting"])
def test_several_trajectories_that_nobody_told_apart_are_named(tmp_path, suffix, kind):
    step, robots = 0.5 * np.arange(20), ["left"] * 20 + ["right"] * 20
    times = np.concatenate([step, step + {"in turn": 0.05, "one after the other": 100.0, "restarting": 0.0}[kind]])
    order = np.argsort(times, kind="stable") if kind == "in turn" else np.arange(40)
    columns = {"t": times, "x": np.arange(40.0) % 7, "note": np.arange(40.0), "robot": np.array(robots)}
    path = _write(tmp_path / f"log{suffix}", {name: column[order].tolist() for name, column in columns.items()})
    mapping = {"obs": "x", "time": "t"}
    with pytest.raises(UserError, match=r"several trajectories\? With trajectory=robot the times of each are regular"):
        load_dataset(None, path, mapping)
    assert len(load_dataset(None, path, mapping | {"trajectory": "robot"}).trajectories) == 2
    assert "not used: note, robot" in check_file(path, mapping).notes
