"""Import and description: many files to one; nothing half-written."""

import os

import numpy as np
import pytest

from mts3.data import DATASETS, describe, describe_channels, describe_known, import_files, load_dataset, save_dataset
from mts3.data.readers import import_with_notes
from mts3.errors import UserError


def _csv(path, offset=0, header="obs_a,action_u", step=None):
    head = header if step is None else f"time,{header}"
    rows = [f"{i + offset},{i}" if step is None else f"{i * step},{i + offset},{i}" for i in range(5)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([head, *rows]))
    return path


def test_files_become_trajectories_of_one_set(tmp_path):
    np.savez(tmp_path / "stack.npz", obs_a=np.ones((2, 4, 1)))
    files = [_csv(tmp_path / "one.csv"), _csv(tmp_path / "two.csv", offset=10)]
    dataset = import_files(files, tmp_path / "new" / "robot.npz")
    again = load_dataset("file", tmp_path / "new" / "robot.npz")
    assert dataset.name == again.name == "robot"
    assert [t.name for t in again.trajectories] == ["one", "two"]
    assert again.trajectories[1].obs.ravel().tolist() == [10, 11, 12, 13, 14]
    assert again.obs_names == ("obs_a",)


def test_files_of_one_name_stay_apart(tmp_path):
    files = [_csv(tmp_path / folder / "log.csv") for folder in ("monday", "tuesday")]
    names = [t.name for t in import_files(files, tmp_path / "all.npz").trajectories]
    assert len(set(names)) == 2
    assert all(name.startswith("log") for name in names)


def test_what_was_understood_is_said_once_for_files_understood_alike(tmp_path):
    np.savez(tmp_path / "stack.npz", obs=np.ones((2, 5, 1)), u=np.ones((2, 5, 1)))
    files = [_csv(tmp_path / f"{name}.csv", header="obs_0,action_u,note") for name in ("one", "two", "three")]
    for file in files:
        file.write_text("".join(f"{line},x\n" if i else line + "\n" for i, line in enumerate(file.read_text().split())))
    dataset, lines = import_with_notes(files, tmp_path / "all.npz")
    assert len(dataset.trajectories) == 3
    assert lines == [f"{files[0]} and 2 more: CSV with commas; observations obs_0; actions action_u; not used: note"]
    _, lines = import_with_notes([tmp_path / "stack.npz"], tmp_path / "again.npz")
    assert lines == [f"{tmp_path / 'stack.npz'}: npz; observations obs; no actions; not used: u"]


def test_a_data_set_of_ours_takes_a_sampling_time_and_no_other_mapping(tmp_path, dataset):
    path = save_dataset(dataset, tmp_path / "toy.npz")
    faster = import_files([path], tmp_path / "faster.npz", {"sample_time": 0.05})
    assert (faster.sample_time, len(faster.trajectories), faster.obs_names) == (0.05, 10, dataset.obs_names)
    with pytest.raises(UserError, match="says itself what its columns are"):
        import_files([path], tmp_path / "x.npz", {"obs": "obs"})


def test_files_that_do_not_fit_together(tmp_path):
    mapping = {"time": "time"}
    one, slow = _csv(tmp_path / "one.csv", step=0.1), _csv(tmp_path / "slow.csv", step=0.2)
    other = _csv(tmp_path / "other.csv", header="obs_b,action_u", step=0.1)
    with pytest.raises(UserError, match=r"'slow' is sampled every 0\.2 s, 'one' 0\.1 s; expected one rate"):
        import_files([one, slow], tmp_path / "x.npz", mapping)
    with pytest.raises(UserError, match="'one' has the channels obs_a, action_u and 'other' obs_b, action_u"):
        import_files([one, other], tmp_path / "x.npz", mapping)
    with pytest.raises(UserError, match="no file to import"):
        import_files([], tmp_path / "x.npz")
    with pytest.raises(UserError, match=r"ends in .npz"):
        import_files([one], tmp_path / "x.csv", mapping)
    assert not list(tmp_path.glob("*.npz"))


def test_a_full_disk_leaves_nothing_and_keeps_the_old_file(tmp_path, dataset, monkeypatch):
    path = save_dataset(dataset, tmp_path / "toy.npz")
    before = path.read_bytes()

    def full(file, header):
        file.write(b"half of it")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(UserError, match=r"cannot write .*toy\.npz: No space left on device"):
        save_dataset(dataset, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["toy.npz"]


def test_description(dataset):
    summary = describe(dataset)
    assert (summary.trajectories, summary.rows, summary.obs_dim, summary.action_dim) == (10, 445, 3, 2)
    obs = np.concatenate([t.obs for t in dataset.trajectories])
    assert summary.missing == pytest.approx(np.isnan(obs).mean())
    channels = describe_channels(dataset)
    assert [(c.name, c.kind, c.unit) for c in channels][:2] == [("a", "obs", "m"), ("b", "obs", "")]
    assert channels[2].mean == pytest.approx(np.nanmean(obs[:, 2]), rel=1e-4)
    assert channels[1].max == pytest.approx(np.nanmax(obs[:, 1]))
    assert channels[0].missing == pytest.approx(np.isnan(obs[:, 0]).mean())


def test_known_sets_are_listed_with_what_to_do_for_those_not_at_hand(tmp_path, monkeypatch):
    monkeypatch.delenv("MTS3_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mts3.data.sets.pam.SOURCE_CHECKOUT", tmp_path)
    known = dict(describe_known())
    assert {name.split()[0] for name in known} == set(DATASETS)
    assert "data.path=FILE" in known["pam"]
    assert known["soil"].rows == 26304


def test_one_file_is_not_taken_for_its_letters(tmp_path):
    path = _csv(tmp_path / "log.csv")
    for given in (path, str(path)):
        with pytest.raises(UserError, match="expected a list of files"):
            import_files(given, tmp_path / "all.npz")
