"""A format is what registers itself: the readers know it without a list elsewhere."""

import copy
from pathlib import Path

import numpy as np
import pytest

from mts3.data import Dataset, Trajectory, load_dataset
from mts3.data.readers import formats
from mts3.data.readers.result import ReadResult
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

USUAL = ".npz, .csv, .parquet, .hdf5, .h5, .pkl, .pickle, .pt, .tsv, .txt"


@pytest.fixture(autouse=True)
def _forgotten_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDINGS", "FORMATS", "_places"):
        copied = copy.copy(getattr(formats, name))
        monkeypatch.setattr(formats, name, copied)
        monkeypatch.setattr(f"mts3.data.readers.{name}", copied, raising=False)


def _read(path: Path | str, columns: Columns) -> ReadResult:
    trajectory = Trajectory(np.ones((3, 1), np.float32), np.zeros((3, 0), np.float32), str(path))
    return ReadResult(Dataset("mine", (trajectory,), ("x",), (), 1.0), "mine", "")


def test_the_endings_are_told_in_their_order(tmp_path: Path):
    (tmp_path / "x.bin").write_bytes(b"\0\1")
    with pytest.raises(UserError, match=rf"ends in '.bin'; expected one of {USUAL}$"):
        load_dataset("file", tmp_path / "x.bin")
    known = r"\(a LeRobot data set has meta/info.json, a Minari data set data/metadata.json\)"
    with pytest.raises(UserError, match=f"is a folder; expected a {USUAL} file, or a known folder {known}: join"):
        load_dataset("file", tmp_path)


def test_a_new_format_is_known_by_its_start_its_ending_and_a_look(tmp_path: Path):
    formats.reads(".mine", starts=(b"MINE",))(_read)
    formats.reads(holds=lambda path, start: b"mine" in start)(_read)
    for name, content in {"a.mine": b"?", "b.csv": b"MINE", "c.bin": b"? mine"}.items():
        (tmp_path / name).write_bytes(content)
        assert load_dataset("file", tmp_path / name).name == "mine"
    (tmp_path / "d.csv").write_bytes(b"x\n1\nmine\n")  # an ending says more than a look
    with pytest.raises(UserError, match="has 'mine' in data row 2"):
        load_dataset("file", tmp_path / "d.csv", {"obs": "x"})
    assert formats.endings() == f"{USUAL}, .mine"


def test_a_new_kind_of_folder_and_of_id(tmp_path: Path):
    formats.reads(holds=lambda folder, start: folder.name == "mine", folder="one of mine is called so")(_read)
    formats.reads(prefix="mine:", hint=lambda text: f"; say mine:{text}" if text == "7" else "")(_read)
    (tmp_path / "mine").mkdir()
    assert load_dataset("file", tmp_path / "mine").trajectories[0].name == str(tmp_path / "mine")
    assert load_dataset("file", "mine:7").trajectories[0].name == "7"
    with pytest.raises(UserError, match=r"there is no file 7; .*; say mine:7$"):
        load_dataset("file", "7")


def test_an_ending_has_one_reader():
    with pytest.raises(ValueError, match=r"there is a reader of files that end in '.csv' already"):
        formats.reads(".csv")(_read)
