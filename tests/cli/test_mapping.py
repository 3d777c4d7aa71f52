"""One grammar for the column mapping in every command: what is typed is the name of a column."""

import csv

import pytest

from mts3.cli.config import composed
from mts3.cli.mapping import mapping_value
from mts3.cli.overrides import prepare
from mts3.data import load_dataset
from mts3.errors import UserError
from tests.cli.conftest import Command

VALUES = [
    ("obs", "[x,y]", ["x", "y"]),
    ("obs", "x", ["x"]),
    ("obs", "x, y", ["x", "y"]),
    ("obs", "[speed [m/s],load (a, b),1,007,null,true]", ["speed [m/s]", "load (a, b)", "1", "007", "null", "true"]),
    ("obs", "[\"a, b\",'c']", ["a, b", "c"]),
    ("obs", "[m/s] speed", ["[m/s] speed"]),
    ("obs", "[[x]]", ["[x]"]),
    ("obs", "it's", ["it's"]),
    ("obs", "[a)b,c]", ["a)b", "c"]),
    ("obs", "back\\", ["back\\"]),
    ("obs", '["a\\"b"]', ['a"b']),
    ("time", "[Date,Time]", ["Date", "Time"]),
    ("missing", '[-200,"?",Bad]', ["-200", "?", "Bad"]),
    ("trajectory", '"null"', "null"),
    ("trajectory", "null", None),
    ("time_format", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M"),
    ("decimal", ",", ","),
    ("thousands", " ", " "),
    ("sample_time", "0.5", 0.5),
    ("action_shift", "-1", -1),
    ("resample", "true", True),
]


@pytest.mark.parametrize(("key", "text", "value"), VALUES)
def test_import_and_train_read_a_value_alike(key: str, text: str, value: object) -> None:
    assert mapping_value(key, text) == value
    config = composed(prepare(["data.path=log.csv", f"data.columns.{key}={text}"])).config
    assert config["data"]["columns"] == {key: value}


@pytest.mark.parametrize(
    "name", ["speed [m/s]", "load (a, b)", "42", "null", "true", "a, b", "[x", "it's", "#1", "x=y"]
)
def test_a_column_of_any_name_is_imported_and_composed(mts3: Command, name: str) -> None:
    with open("log.csv", "w", newline="") as file:
        csv.writer(file).writerows([["t", name], *([i, i * i] for i in range(30))])
    typed = f'["{name}"]' if set(name) & set(",[") else f"[{name}]"
    done = mts3("data", "import", "log.csv", "output=log.npz", f"obs={typed}", "time=t")
    assert (done.code, done.err) == (0, "")
    assert load_dataset(None, "log.npz").obs_names == (name,)
    config = composed(prepare(["data.path=log.csv", f"data.columns.obs={typed}", "data.columns.time=t"])).config
    assert load_dataset(None, "log.csv", config["data"]["columns"]).obs_names == (name,)


def test_the_prefix_of_train_holds_everywhere_and_hints_say_both(mts3: Command) -> None:
    with open("log.csv", "w") as file:
        file.write("x,u\n1,2\n3,4\n")
    assert mts3("data", "import", "log.csv", "output=a.npz", "data.columns.obs=x").code == 0
    line = mts3("data", "import", "log.csv", "output=b.npz").line
    assert "obs=[NAME,..] actions=[NAME,..] (mts3 train: data.columns.obs=[NAME,..])" in line
    assert "++" not in mts3("train", "data.path=log.csv", "model.x=[a").line


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("sample_time", "fast", "sample_time=fast is no number; give seconds"),
        ("action_shift", "1.5", "action_shift=1.5 is no number; give a whole number of rows"),
        ("resample", "yes", "resample=yes; expected true or false"),
        ("obs", '[x,"y]', 'the quotes " do not end'),
    ],
)
def test_a_value_that_cannot_be_read(key: str, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        mapping_value(key, text)
