"""Types of Parquet columns: lists and fields become channels, numbers of every kind are numbers."""

import datetime
import decimal

import numpy as np
import pytest

from mts3.data import load_dataset, load_with_notes
from mts3.errors import UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

LISTS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
U = [0.0, 1.0, 0.0]


def _write(tmp_path, **columns):
    pq.write_table(pa.table(columns), tmp_path / "log.parquet", row_group_size=2)
    return tmp_path / "log.parquet"


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float32(), 2), pa.large_list(pa.int16())])
def test_lists_of_one_length_are_a_channel_a_place(tmp_path, kind):
    path = _write(tmp_path, state=pa.array(LISTS, kind), u=U)
    whole = load_dataset(None, path, {"obs": "state", "actions": "u"})
    assert (whole.obs_names, whole.action_names) == (("state_0", "state_1"), ("u",))
    assert whole.trajectories[0].obs.tolist() == LISTS
    for obs in ("state_1", "*_1"):
        part, notes = load_with_notes(None, path, {"obs": obs, "actions": "u"})
        assert part.trajectories[0].obs.ravel().tolist() == [2, 4, 6]
        assert "not used: state_0" in notes


def test_lists_are_guessed_by_their_names(tmp_path):
    dataset = load_dataset(None, _write(tmp_path, obs_arm=pa.array(LISTS), action_arm=pa.array(LISTS)))
    assert (dataset.obs_names, dataset.action_names) == (("obs_arm_0", "obs_arm_1"), ("action_arm_0", "action_arm_1"))


def test_named_fields_are_channels_and_nulls_are_not_observed(tmp_path):
    pose = pa.array([{"x": 1.0, "at": [1.0, 2.0]}, {"x": None, "at": [3.0, None]}, {"x": 5.0, "at": [5.0, 6.0]}])
    dataset = load_dataset(None, _write(tmp_path, pose=pose, u=U), {"obs": "pose"})
    assert dataset.obs_names == ("pose/x", "pose/at_0", "pose/at_1")
    np.testing.assert_array_equal(dataset.trajectories[0].obs, [[1, 1, 2], [np.nan, 3, np.nan], [5, 5, 6]])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1.0], [2.0, 3.0], []]),
        pa.array([[1.0, 2.0], None, [5.0, 6.0]]),
        pa.array([["a"], ["b"], ["c"]]),
        pa.array([b"1", b"2", b"3"]),
        pa.array([datetime.date(2024, 1, day) for day in (1, 2, 3)]),
    ],
)
def test_what_is_no_number_a_row_is_refused_where_it_is_asked_for_alone(tmp_path, column):
    path = _write(tmp_path, x=column, y=U)
    with pytest.raises(UserError, match=r"column 'x' of .* is of type .*; expected"):
        load_dataset(None, path, {"obs": "x"})
    dataset, notes = load_with_notes(None, path, {"obs": "y"})
    assert dataset.trajectories[0].obs.ravel().tolist() == U
    assert notes == ("not used: x",)


COLUMNS = {
    "decimal": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("3.5")]),
    "int8": pa.array([1, None, 3], pa.int8()),
    "uint64": pa.array([1, None, 3], pa.uint64()),
    "bool": pa.array([True, None, False]),
    "dictionary": pa.array([1, None, 3]).dictionary_encode(),
    "words": pa.array(["1.5", None, "Bad"]).dictionary_encode(),
    "text": pa.array(["1,5", None, "3"], pa.large_string()),
    "switch": pa.array(["on", None, "OFF"]),
    "half": pa.array(np.array([1, np.nan, 3], np.float16)),
}
VALUES = {"decimal": [1.25, 3.5], "bool": [1, 0], "words": [1.5, np.nan], "text": [1.5, 3], "switch": [1, 0]}


@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_of_every_kind_and_null(tmp_path, name):
    dataset, notes = load_with_notes(None, _write(tmp_path, x=COLUMNS[name], y=U), {"obs": "x"})
    first, last = VALUES.get(name, [1, 3])
    np.testing.assert_array_equal(dataset.trajectories[0].obs.ravel(), [first, np.nan, last])
    said = {"words": ["taken as missing: 'Bad' (1 time in x)"], "switch": ["x: on is 1, off is 0"]}
    assert list(notes) == ["not used: y", *said.get(name, [])]


def test_days_are_times(tmp_path):
    days = pa.array([datetime.date(2024, 1, day) for day in (1, 2, 3)])
    assert load_dataset(None, _write(tmp_path, day=days, y=U), {"obs": "y", "time": "day"}).sample_time == 86400


def test_columns_whose_names_hold_points(tmp_path):
    path = _write(tmp_path, **{"a.b": U, "a": pa.array(LISTS)})
    assert load_dataset(None, path, {"obs": ["a.b", "a"]}).obs_names == ("a.b", "a_0", "a_1")
