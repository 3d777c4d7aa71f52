"""A file is whole or it is not there."""

import errno

import pytest

from mts3.errors import UserError, unknown_name
from mts3.files import write_aside


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
