from pathlib import Path

import numpy as np
import pytest

from mts3.data import DATASETS, load_dataset, save_dataset
from mts3.data.generators import generate_bouncing_balls
from tests.cli.conftest import Command

CSV = "stamp,position,throttle\n" + "".join(f"{0.5 * i},{i % 7},{-i % 3}\n" for i in range(40))


def test_list_names_every_set_with_its_size(mts3: Command) -> None:
    done = mts3("data", "list")
    assert (done.code, done.err) == (0, "")
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert lines.keys() == set(DATASETS)
    assert "26304 rows of 3 observations and 6 actions every 3600 s" in lines["soil"]


def test_show_prints_the_channels_and_draws_them(mts3: Command) -> None:
    done = mts3("data", "show", "plaza1")
    assert (done.code, done.err) == (0, "")
    dataset = load_dataset("plaza1")
    for name in (*dataset.obs_names, *dataset.action_names):
        assert f"\n{name} " in done.out
    assert Path("plaza1.png").read_bytes().startswith(b"\x89PNG")
    assert mts3("data", "show", "arm.npz", "output=pictures/arm.png").code == 0
    assert Path("pictures/arm.png").is_file()


def test_images_are_one_row_and_a_picture(mts3: Command) -> None:
    dataset = generate_bouncing_balls(3, 12, size=8)
    save_dataset(dataset, "balls.npz")
    done = mts3("data", "show", "balls.npz")
    assert (done.code, done.err) == (0, "")
    assert "\nimage 1x8x8 " in done.out
    assert len(done.out.splitlines()) == 5
    assert Path("balls.png").read_bytes().startswith(b"\x89PNG")


def test_import_writes_a_file_that_trains_and_shows(mts3: Command) -> None:
    for name in ("one.csv", "two.csv"):
        Path(name).write_text(CSV)
    mapping = ["obs=[position]", "actions=throttle", "time=stamp"]
    done = mts3("data", "import", "one.csv", "two.csv", "output=both.npz", *mapping)
    assert (done.code, done.err) == (0, "")
    assert "2 trajectories, 80 rows of 1 observations and 1 actions every 0.5 s" in done.out
    dataset = load_dataset(None, "both.npz")
    assert (dataset.obs_names, dataset.action_names, dataset.sample_time) == (("position",), ("throttle",), 0.5)
    np.testing.assert_array_equal(dataset.trajectories[1].obs[:9, 0], [0, 1, 2, 3, 4, 5, 6, 0, 1])
    assert mts3("data", "show", "one.csv", *mapping, "output=one.png").code == 0


def test_a_sample_time_stands_in_for_a_time_column(mts3: Command) -> None:
    Path("one.csv").write_text(CSV)
    done = mts3("data", "import", "one.csv", "output=one.npz", "obs=position", "sample_time=0.25")
    assert done.code == 0
    assert load_dataset(None, "one.npz").sample_time == 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "what about data? say mts3 data list, show, import"),
        (["shwo"], "unknown action 'shwo': did you mean show"),
        (["list", "plaza1"], "list takes nothing"),
        (["show"], "show takes one name or file, got 0"),
        (["show", "plaza2"], "unknown data set 'plaza2': did you mean plaza1"),
        (["show", "nowhere.csv"], "nowhere.csv"),
        (["show", "plaza1", "ouptut=x.png"], "unknown option 'ouptut': did you mean output"),
        (["import", "one.csv"], "import needs output=FILE.npz"),
        (["import", "output=x.npz"], "no file to import"),
        (["import", "one.csv", "output=x.npz"], "which columns of one.csv are observations"),
        (["import", "one.csv", "output=x.npz", "obs=[position,speed]"], "'speed'"),
        (["import", "one.csv", "output=x.npz", "obs=position", "sample_time=fast"], "sample_time=fast"),
        (["import", "empty.csv", "output=x.npz", "obs=position"], "empty.csv"),
    ],
)
def test_the_users_mistakes_are_one_line_and_write_nothing(mts3: Command, arguments: list[str], message: str) -> None:
    Path("one.csv").write_text(CSV)
    Path("empty.csv").write_text("")
    refused = mts3("data", *arguments)
    assert refused.code == 2
    assert refused.line.startswith("mts3 data: ")
    assert message in refused.line
    assert not list(Path().glob("x.*"))
