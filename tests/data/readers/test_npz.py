"""npz: our format, a user's arrays, sets that come split; no pickles; damaged files."""

import time
import zipfile

import numpy as np
import pytest

from mts3.data import Dataset, load_dataset, save_dataset, split
from mts3.data.readers import read_with_notes
from mts3.data.readers.formats import npz
from mts3.data.rows.columns import Columns
from mts3.errors import UserError


def _same(one: Dataset, two: Dataset) -> None:
    for field in ("name", "obs_names", "action_names", "obs_units", "action_units", "sample_time", "attribution"):
        assert getattr(one, field) == getattr(two, field)
    assert one.test_names == two.test_names
    assert [t.name for t in one.trajectories] == [t.name for t in two.trajectories]
    for a, b in zip(one.trajectories, two.trajectories, strict=True):
        np.testing.assert_array_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.actions, b.actions)


def _save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_our_format_comes_back_as_it_was(tmp_path, dataset):
    _same(load_dataset("file", save_dataset(dataset, tmp_path / "toy.npz")), dataset)


def test_our_format_without_actions_and_with_a_test_part(tmp_path):
    source = _save(tmp_path / "s.npz", train_obs=np.ones((3, 6, 2)), train_act=np.ones((3, 5, 0)),
                   test_obs=np.ones((1, 6, 2)), test_act=np.ones((1, 5, 0)))  # fmt: skip
    dataset = load_dataset(None, source)
    assert dataset.action_dim == 0
    _same(load_dataset(None, save_dataset(dataset, tmp_path / "again.npz")), dataset)


@pytest.mark.parametrize("actions", [7, 8])
def test_arrays_of_a_user(tmp_path, rng, actions):
    one = load_dataset(None, _save(tmp_path / "one.npz", obs=rng.normal(size=(8, 3)), actions=np.ones((actions, 2))))
    assert [(t.obs.shape, t.actions.shape) for t in one.trajectories] == [((8, 3), (8, 2))]
    obs = rng.normal(size=(4, 8, 3))
    many = load_dataset(None, _save(tmp_path / "many.npz", obs=obs, actions=np.ones((4, actions, 2))))
    assert len(many.trajectories) == 4
    np.testing.assert_array_equal(many.trajectories[2].obs, obs[2].astype(np.float32))
    assert many.obs_names == ("obs_0", "obs_1", "obs_2")


def test_other_names_through_the_mapping(tmp_path):
    path = _save(tmp_path / "r.npz", q=np.zeros((6, 2)), dq=np.ones((6, 1)), tau=np.ones((6, 1)),
                 stamp=np.arange(6) * 0.1, run=np.array([0, 0, 0, 1, 1, 1]))  # fmt: skip
    mapping = {"obs": ["q", "dq"], "actions": "tau", "time": "stamp", "trajectory": "run"}
    dataset = load_dataset("file", path, mapping)
    assert dataset.obs_names == ("q_0", "q_1", "dq_0")
    assert dataset.sample_time == pytest.approx(0.1)
    assert [len(t) for t in dataset.trajectories] == [3, 3]
    assert load_dataset("file", path, {"obs": "q"}).action_dim == 0


def test_a_presplit_file_is_physical_and_keeps_its_test_part(tmp_path, rng):
    obs, actions = rng.normal(size=(6, 11, 2)), rng.normal(size=(6, 10, 1))
    path = _save(tmp_path / "b.npz", train_obs=obs[:4], train_act=actions[:4], test_obs=obs[4:], test_act=actions[4:],
                 **{"normalizer/observations/mean": [1.0, 2.0], "normalizer/observations/std": [3.0, 4.0]})  # fmt: skip
    dataset = load_dataset(None, path)
    np.testing.assert_allclose(dataset.trajectories[0].obs, obs[0] * [3, 4] + [1, 2], rtol=1e-5)
    np.testing.assert_allclose(dataset.trajectories[0].actions[:10], actions[0], rtol=1e-6)
    assert [t.name for t in split(dataset, 0).test] == ["test-0", "test-1"]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"speed": np.ones((5, 2))}, "no array 'obs'; it has speed"),
        ({}, "no array 'obs'; it has none"),
        ({"obs": np.ones((1, 1, 5, 1))}, r"shape \(1, 1, 5, 1\); expected \(T,\), \(T, channels\)"),
        ({"obs": np.array([["a"], ["b"]])}, "'obs' .* of type <U1; expected numbers"),
        ({"obs": np.ones((5, 1), complex)}, "complex"),
        ({"obs": np.array([[None], [1.0]], dtype=object)}, "pickled objects, which could run code"),
        ({"obs": np.ones((5, 2)), "actions": np.ones((3, 1))}, r"\(5, 2\) and actions \(3, 1\)"),
        ({"obs": np.ones((2, 5, 2)), "actions": np.ones((3, 5, 1))}, r"\(2, 5, 2\) and actions \(3, 5, 1\)"),
        ({"obs": np.ones((2, 5, 2)), "actions": np.ones((5, 1))}, r"\(2, 5, 2\) and actions \(5, 1\)"),
        ({"obs": np.full((5, 1), np.nan)}, "'obs_0' is NaN in every row"),
        ({"obs": np.zeros((0, 1))}, "no rows"),
        ({f"{part}_{kind}": np.ones((2, 3)) for part in ("train", "test") for kind in ("obs", "act")}, r"\(2, 3\)"),
    ],
)
def test_bad_arrays_are_one_clear_line(tmp_path, arrays, words):
    with pytest.raises(UserError, match=words) as error:
        load_dataset(None, _save(tmp_path / "bad.npz", **arrays))
    assert "\n" not in str(error.value)


def test_columns_that_do_not_fit_the_arrays(tmp_path):
    path = _save(tmp_path / "r.npz", obs=np.ones((6, 2)), run=np.ones(5), many=np.ones((2, 6, 2)))
    with pytest.raises(UserError, match=r"'run' .* shape \(5,\); expected \(6,\)"):
        load_dataset(None, path, {"trajectory": "run"})
    with pytest.raises(UserError, match="one trajectory a row already"):
        load_dataset(None, path, {"obs": "many", "trajectory": "run"})
    with pytest.raises(UserError, match="differ in rows"):
        load_dataset(None, path, {"obs": ["obs", "many"]})


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(tmp_path, dataset, keep):
    path = save_dataset(dataset, tmp_path / "toy.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(UserError, match="truncated"):
        load_dataset(None, path)


def test_flipped_bytes_do_not_pass(tmp_path, dataset):
    path = save_dataset(dataset, tmp_path / "toy.npz")
    damaged = bytearray(path.read_bytes())
    damaged[200:220] = bytes(20)
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="no readable npz"):
        load_dataset(None, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lengths": np.array([3])}, "expected them to agree"),
        ({"mts3_dataset": np.array(99)}, "format 99.*update mts3"),
        ({"sample_time": None}, "lacks the array 'sample_time'"),
    ],
)
def test_our_format_with_parts_that_do_not_fit(tmp_path, dataset, change, words):
    with np.load(save_dataset(dataset, tmp_path / "toy.npz")) as archive:
        arrays = {key: archive[key] for key in archive.files} | change
    path = _save(tmp_path / "bad.npz", **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(UserError, match=words):
        load_dataset(None, path)


@pytest.mark.parametrize("stacked", [False, True])
def test_actions_a_row_shorter_or_longer_than_observations(tmp_path, rng, stacked):
    """The row of the last observation acts on nothing: held where missing; one more is left out, which is said."""
    obs, actions = rng.normal(size=(3, 6, 2)), rng.normal(size=(3, 7, 1))
    for rows, said in ((5, False), (6, False), (7, True)):
        own = actions[:, :rows]
        path = _save(tmp_path / f"log{rows}.npz", obs=obs if stacked else obs[1], actions=own if stacked else own[1])
        reading = read_with_notes(path, Columns.parse(None))
        trajectory = reading.dataset.trajectories[1 if stacked else 0]
        np.testing.assert_array_equal(trajectory.actions[:5], actions[1, :5].astype(np.float32))
        assert len(trajectory.actions) == 6
        assert [note[:52] for note in reading.notes] == ["actions have a row more than observations: actions[t"] * said


def test_actions_two_rows_off_are_refused(tmp_path, rng):
    path = _save(tmp_path / "log.npz", obs=rng.normal(size=(6, 2)), actions=rng.normal(size=(4, 1)))
    with pytest.raises(UserError, match=r"expected \(T, obs_dim\) and \(T-1, T or T\+1, action_dim\)"):
        load_dataset("file", path)


def test_thousands_of_arrays_take_no_time(tmp_path):
    (tmp_path / "x.npz").write_bytes(bytes(100))
    members = [zipfile.ZipInfo(f"recording/of/a/long/name/{number:06}.npy") for number in range(20_000)]
    start = time.perf_counter()
    npz._refuse_archive(members, [], tmp_path / "x.npz")
    assert time.perf_counter() - start < 1
    with pytest.raises(UserError, match="two arrays 'recording/of/a/long/name/000007'"):
        npz._refuse_archive([*members, members[7]], [], tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"decimal": ","}, "holds numbers, not text; decimal is for"),
        ({"thousands": "'"}, "holds numbers, not text; thousands is for"),
        ({"resample": True}, "has no times, its rows are the steps; resample=true goes with times"),
        ({"time": "stamp"}, "says itself what its"),
        ({"obs": "obs_0"}, "it takes sample_time and action_shift"),
    ],
)
def test_a_mapping_of_what_a_file_says_itself_is_refused_in_words(tmp_path, dataset, mapping, words):
    with pytest.raises(UserError, match=words):
        load_dataset(None, save_dataset(dataset, tmp_path / "toy.npz"), mapping)


def test_arrays_without_times_cannot_be_resampled_nor_have_decimal_marks(tmp_path):
    stacked = _save(tmp_path / "stacked.npz", obs=np.ones((2, 6, 1)))
    with pytest.raises(UserError, match="resample=true goes with times"):
        load_dataset(None, stacked, {"resample": True})
    with pytest.raises(UserError, match="decimal is for numbers written as text"):
        load_dataset(None, stacked, {"decimal": ","})
