from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mts3.cli.config import composed
from mts3.cli.experiment import load_experiment
from mts3.cli.overrides import prepare
from mts3.data import DATASETS, load_dataset, save_dataset
from mts3.data.sets.generators import GENERATED, generate_bouncing_balls
from mts3.errors import UserError
from tests.cli.conftest import TINY, Command

CSV = "stamp,position,throttle\n" + "".join(f"{0.5 * i},{i % 7},{-i % 3}\n" for i in range(40))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's generated sets are kept."""
    monkeypatch.setenv("MTS3_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


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


def test_make_keeps_a_set_and_finds_it_the_next_time(mts3: Command, cache: Path) -> None:
    first = mts3("data", "make", "three_scales", "seed=3", "output=copies/mine.npz")
    assert first.code == 0
    (path,) = cache.iterdir()
    assert first.err == f"generating three_scales (size small, seed 3): 60 episodes, kept in {path}\n"
    assert "three_scales: 60 trajectories, 72000 rows of 2 observations and 2 actions every 1 s" in first.out
    assert "\nslow_push " in first.out
    assert first.out.splitlines()[-2:] == [f"file: {path}", "copy: copies/mine.npz"]
    assert Path("copies/mine.npz").read_bytes() == path.read_bytes()
    again = mts3("data", "make", "three_scales", "size=small", "seed=3")
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[-1] == f"file: {path} (it was there already)"
    assert mts3("data", "show", "three_scales", "seed=3").err == ""  # read, not made
    assert list(cache.iterdir()) == [path]


def test_list_shows_every_size_and_makes_none(mts3: Command, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _two_sizes("three_scales", monkeypatch)
    monkeypatch.setattr("mts3.data.sets.describe.DATASETS", ("three_scales",))
    lines = mts3("data", "list").out.splitlines()
    assert [line.partition(" trajectories")[0].split() for line in lines] == [
        ["three_scales", "3"],
        ["three_scales", "size=large", "5"],
    ]
    assert not cache.exists()


def test_a_preset_chooses_size_and_seed(mts3: Command, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _two_sizes("three_scales", monkeypatch)
    config = composed(["data=three_scales"]).config
    assert len(load_experiment(config).dataset.trajectories) == 3
    config["data"] |= {"size": "large", "seed": 7}
    assert len(load_experiment(config).dataset.trajectories) == 5
    assert sorted(path.name.rsplit("-", 1)[0] for path in cache.iterdir()) == [
        "three_scales-large-7",
        "three_scales-small-0",
    ]
    config["data"]["size"] = "huge"
    with pytest.raises(UserError, match="data set 'three_scales' has no size 'huge'; choose from: small, large"):
        load_experiment(config)


@pytest.mark.parametrize(("code", "warned"), [("-9999", True), ("0.5", False)])
def test_a_spread_that_a_few_rows_make_is_warned_of_in_one_line(
    mts3: Command, capsys: pytest.CaptureFixture[str], code: str, warned: bool
) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2))
    cells = [[code if 100 <= row < 110 else a, b] for row, (a, b) in enumerate(x.tolist())]
    Path("log.csv").write_text("\n".join(["obs_x,action_u", *(f"{a},{b}" for a, b in cells)]))
    for typed, lines in (([], int(warned)), ([f"data.columns.missing=[{code}]"], 0)):
        config = composed(prepare(["data.path=log.csv", *TINY, *typed])).config
        load_experiment(config)
        said = [line for line in capsys.readouterr().err.splitlines() if "determine the standard deviation" in line]
        assert len(said) == lines
        assert all("of obs 'obs_x' (" in line and "data.columns.missing" in line for line in said)


def _two_sizes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(GENERATED[name].recipes["small"], episodes=3)
    sizes = {"small": small, "large": replace(small, episodes=5)}
    monkeypatch.setitem(GENERATED, name, GENERATED[name]._replace(recipes=sizes))


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
    assert "2 trajectories, 80 rows of 1 observation and 1 action every 0.5 s" in done.out
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
        ([], "what about data? say mts3 data list, make, show, check, import, record"),
        (["shwo"], "unknown action 'shwo': did you mean show"),
        (["list", "plaza1"], "list takes nothing"),
        (["show"], "show takes one name or file, got 0"),
        (["show", "plaza2"], "unknown data set 'plaza2': did you mean plaza1"),
        (["show", "nowhere.csv"], "nowhere.csv"),
        (["show", "plaza1", "ouptut=x.png"], "unknown option 'ouptut': did you mean output"),
        (["make"], "make takes the name of one generated set, got 0"),
        (["make", "soil"], "recorded, not generated: use it as data=soil; make takes one of: arm_payload, "),
        (["make", "three_scale"], "unknown generated data set 'three_scale': did you mean three_scales"),
        (["make", "three_scales", "size=big"], "data set 'three_scales' has no size 'big'; choose from: small"),
        (["make", "three_scales", "seed=one"], "seed=one is no whole number"),
        (["make", "three_scales", "seed=-1"], "seed=-1 is no whole number"),
        (["make", "three_scales", "output=x.csv"], "output is x.csv; expected a name that ends in .npz"),
        (["make", "three_scales", "obs=y1"], "unknown option 'obs'"),
        (["show", "soil", "size=small"], "data set 'soil' has no size and no seed to choose"),
        (["import", "one.csv"], "import needs output=FILE.npz"),
        (["import", "output=x.npz"], "no file to import"),
        (["import", "one.csv", "output=x.npz"], "which columns of one.csv are observations"),
        (["import", "one.csv", "output=x.npz", "obs=[position,speed]"], "'speed'"),
        (["import", "one.csv", "output=x.npz", "obs=position", "sample_time=fast"], "sample_time=fast"),
        (["import", "empty.csv", "output=x.npz", "obs=position"], "empty.csv"),
    ],
)
def test_the_users_mistakes_are_one_line_and_write_nothing(
    mts3: Command, cache: Path, arguments: list[str], message: str
) -> None:
    Path("one.csv").write_text(CSV)
    Path("empty.csv").write_text("")
    refused = mts3("data", *arguments)
    assert refused.code == 2
    assert refused.line.startswith("mts3 data: ")
    assert message in refused.line
    assert not list(Path().glob("x.*"))
    assert not cache.exists()


def test_values_that_move_little_for_their_size_are_told_apart(mts3: Command) -> None:
    Path("map.csv").write_text("north\n" + "".join(f"{3950000 + i % 12:.1f}\n" for i in range(60)))
    (row,) = [line.split() for line in mts3("data", "show", "map.csv", "obs=north").out.splitlines() if " obs " in line]
    assert row == ["north", "obs", "3950005.5", "3.452", "3950000.0", "3950011.0", "0.0%"]
