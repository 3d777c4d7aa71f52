"""A file is whole or it is not there."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mts3.errors import UserError, unknown_name
from mts3.files import remove_stale, write_aside


def test_a_file_appears_whole_and_its_folder_with_it(tmp_path):
    target = tmp_path / "new" / "rows.csv"
    with write_aside(target) as aside:
        aside.write_text("1,2\n")
        assert not target.exists()
        assert aside.suffix == ".csv"
    assert target.read_text() == "1,2\n"
    assert [p.name for p in target.parent.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(OSError(errno.ENOSPC, "No space left on device"), UserError), (KeyError("ours"), KeyError)],
)
def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path, failure, expected):
    target = tmp_path / "rows.csv"
    target.write_text("old\n")

    def write_half():
        with write_aside(target) as aside:
            aside.write_text("half")
            raise failure

    with pytest.raises(expected):
        write_half()
    assert target.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def _ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def _aside(path: Path, process: int) -> Path:
    """What a process of that number leaves when it is killed while it writes `path`."""
    with write_aside(path) as aside:
        name = aside.name
        aside.touch()
    path.unlink()
    left = path.with_name(name.replace(f"-{os.getpid()}.", f"-{process}."))
    left.touch()
    return left


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path):
    target = tmp_path / "rows.csv"
    ended = _ended_process()
    stale = _aside(target, ended)
    running = _aside(target, os.getppid())
    other = _aside(tmp_path / "others.csv", ended)
    elsewhere = tmp_path / f".rows.another-machine-{ended}.part.csv"
    mine = tmp_path / ".rows.draft.part.csv"
    elsewhere.touch(), mine.touch()
    with write_aside(target) as aside:
        aside.touch()
    assert not stale.exists()
    assert all(path.exists() for path in (running, other, elsewhere, mine))
    remove_stale(tmp_path)
    assert not other.exists()
    assert all(path.exists() for path in (running, elsewhere, mine, target))
    remove_stale(tmp_path / "nowhere")


def test_a_folder_that_is_a_file_is_the_user_s_mistake(tmp_path):
    (tmp_path / "taken").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot write .*taken/rows\.csv"),
        write_aside(tmp_path / "taken" / "rows.csv"),
    ):
        pytest.fail("there is nowhere to write")


def test_unknown_names_come_with_the_nearest():
    assert str(unknown_name("data set", "soill", ["soil", "pam"])) == "unknown data set 'soill': did you mean soil?"
    assert str(unknown_name("data set", "zzz", ["soil", "pam"])) == "unknown data set 'zzz': choose from: pam, soil."
