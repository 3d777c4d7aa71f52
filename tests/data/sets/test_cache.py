"""Generated sets are made once, in pieces: interrupted, damaged, changed, and made by two at once."""

import errno
import hashlib
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mts3.data import Trajectory, load_dataset
from mts3.data.sets.cache import cache_folder, cached
from mts3.data.sets.generators import GENERATED, Generated, Recipe
from mts3.data.sets.generators.recipe import episode_name
from mts3.errors import UserError

SMALL = Recipe("toy", 7, 20, ("x", "y"), ("m", "m"), ("u",), ("N",), 0.1, "generated: a test")
SIZES = {"small": SMALL, "paper": replace(SMALL, episodes=9)}
PIECES = [range(0, 3), range(3, 6), range(6, 7)]


def make_episodes(recipe: Recipe, numbers: range, seed: int) -> list[Trajectory]:
    made = []
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        obs = rng.normal(size=(recipe.rows, 2)).astype(np.float32)
        obs[rng.random(obs.shape) < 0.1] = np.nan
        made.append(Trajectory(obs, rng.normal(size=(recipe.rows, 1)), episode_name(number), rng.normal(size=20)))
    return made


TOY = Generated(SIZES, make_episodes, piece=3)

# Another process, which stops before its second piece until a file appears.
SCRIPT = """if True:
    import sys, time
    from pathlib import Path
    from mts3.data.sets.cache import cached
    from mts3.data.sets.generators import GENERATED
    from tests.data.sets.test_cache import TOY, make_episodes

    def slowly(recipe, numbers, seed):
        while numbers.start == 3 and not Path(sys.argv[1]).exists():
            time.sleep(0.05)
        return make_episodes(recipe, numbers, seed)

    GENERATED["toy"] = TOY._replace(make_episodes=slowly)
    cached("toy").make()
"""


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[range]:
    """The pieces that were made, in a cache of the test's own."""
    made: list[range] = []

    def counted(recipe: Recipe, numbers: range, seed: int) -> list[Trajectory]:
        made.append(numbers)
        return make_episodes(recipe, numbers, seed)

    monkeypatch.setenv("MTS3_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(GENERATED, "toy", TOY._replace(make_episodes=counted))
    monkeypatch.setattr("mts3.data.sets.load.DATASETS", ("toy", "soil"))
    return made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Another process that has made its first piece, and goes on when the file `go` is there."""
    # Started where the tests are, so that it can import this file.
    folder = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "go")], cwd=folder)
    try:
        while not (cached("toy").path.with_suffix(".pieces") / "000000-000002.npz").exists():
            assert process.poll() is None
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kept() -> list[str]:
    return sorted(path.name for path in cache_folder().iterdir())


def made_at_once() -> list[Trajectory]:
    return make_episodes(SMALL, range(7), 0)


def assert_same(one, other) -> None:
    for left, right in zip(one, other, strict=True):
        assert left.name == right.name
        for key in ("obs", "actions", "reward"):
            assert getattr(left, key).tobytes() == getattr(right, key).tobytes()


def test_a_set_is_made_in_pieces_once_and_read_from_then_on(calls, capsys):
    first = load_dataset("toy")
    assert calls == PIECES
    (line,) = capsys.readouterr().err.splitlines()
    path = cached("toy").path
    assert line == f"generating toy (size small, seed 0): 7 episodes, kept in {path}"
    assert kept() == [path.name]
    assert path.name.startswith("toy-small-0-")
    again = load_dataset("toy", size="small", seed=0)
    assert calls == PIECES
    assert capsys.readouterr().err == ""
    assert_same(first.trajectories, made_at_once())
    assert_same(again.trajectories, made_at_once())
    assert (first.obs_names, first.obs_units, first.attribution) == (
        again.obs_names,
        again.obs_units,
        SMALL.attribution,
    )


def test_all_at_once_where_no_piece_can_be_made_alone(calls, monkeypatch):
    monkeypatch.setitem(GENERATED, "toy", GENERATED["toy"]._replace(piece=None))
    assert_same(load_dataset("toy").trajectories, made_at_once())
    assert calls == [range(0, 7)]
    assert len(kept()) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), RuntimeError("ours")])
def test_an_interruption_keeps_the_pieces_that_are_finished(calls, monkeypatch, stop):
    load_dataset("toy")
    whole = digest(cached("toy").path)
    cached("toy").path.unlink()
    calls.clear()
    usual = GENERATED["toy"].make_episodes

    def interrupted(recipe, numbers, seed):
        if numbers.start == 3:
            raise stop
        return usual(recipe, numbers, seed)

    with monkeypatch.context() as patch:
        patch.setitem(GENERATED, "toy", TOY._replace(make_episodes=interrupted))
        with pytest.raises(type(stop)):
            load_dataset("toy")
    assert calls == PIECES[:1]
    assert not cached("toy").path.exists()
    load_dataset("toy")
    assert calls == PIECES  # the first one was not made again
    assert digest(cached("toy").path) == whole
    assert len(kept()) == 1


def test_a_killed_process_is_gone_on_from_and_what_it_left_is_cleared_away(calls, other):
    other.kill()
    other.wait()
    path = cached("toy").path
    half = path.with_name(f".{path.stem}.123.part.npz")  # killed while it wrote the last file
    half.write_bytes(b"half of it")
    assert_same(load_dataset("toy").trajectories, made_at_once())
    assert calls == PIECES[1:]
    assert kept() == [path.name]


def test_two_processes_at_once_make_the_same_bytes_and_do_each_other_no_harm(other, tmp_path):
    load_dataset("toy")  # finished, and the pieces cleared away, before the other one has its second
    path = cached("toy").path
    whole, before = digest(path), path.stat().st_ino
    (tmp_path / "go").touch()
    assert other.wait() == 0
    assert path.stat().st_ino != before  # its own file
    assert digest(path) == whole
    assert kept() == [path.name]


def test_another_process_may_finish_just_before_a_piece_is_written(monkeypatch):
    def overtaken(recipe, numbers, seed):
        monkeypatch.setitem(GENERATED, "toy", TOY)
        load_dataset("toy")
        raise UserError("cannot write a piece: its folder is gone")

    monkeypatch.setitem(GENERATED, "toy", TOY._replace(make_episodes=overtaken))
    assert_same(load_dataset("toy").trajectories, made_at_once())


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04 and then nothing"])
def test_what_is_damaged_is_made_again(calls, capsys, text):
    load_dataset("toy")
    path = cached("toy").path
    whole = path.read_bytes()
    path.write_bytes(text or whole[: len(whole) // 2])
    pieces = path.with_suffix(".pieces")
    pieces.mkdir()
    (pieces / "000003-000005.npz").write_bytes(text)
    capsys.readouterr()
    assert_same(load_dataset("toy").trajectories, made_at_once())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{path} is damaged: making it again"
    assert lines[2] == f"{pieces / '000003-000005.npz'} is damaged: making it again"
    assert calls == 2 * PIECES
    assert path.read_bytes() == whole


def test_whatever_decides_the_bytes_decides_the_file(monkeypatch):
    paths = [cached("toy").path, cached("toy", seed=1).path, cached("toy", "paper").path]
    for change in ({"rows": 21}, {"obs_units": ("m", "cm")}, {"sample_time": 0.2}, {"name": "toys"}):
        monkeypatch.setitem(GENERATED, "toy", TOY._replace(recipes={"small": replace(SMALL, **change)}))
        paths.append(cached("toy").path)
    monkeypatch.setitem(GENERATED, "toy", TOY._replace(version=2))
    paths.append(cached("toy").path)
    assert len({path.name for path in paths}) == len(paths)
    monkeypatch.setitem(GENERATED, "toy", TOY._replace(piece=2))
    assert cached("toy").path == paths[0]


def test_a_changed_recipe_is_made_beside_the_old_one(calls, monkeypatch):
    load_dataset("toy")
    shorter = replace(SMALL, episodes=2)
    monkeypatch.setitem(GENERATED, "toy", GENERATED["toy"]._replace(recipes={"small": shorter}))
    assert len(load_dataset("toy").trajectories) == 2
    assert calls == [*PIECES, range(0, 2)]
    assert len(kept()) == 2


def test_sizes_and_seeds():
    assert len(load_dataset("toy", size="paper").trajectories) == 9
    one, other = (load_dataset("toy", seed=seed).trajectories[0] for seed in (0, 1))
    assert one.obs.tobytes() != other.obs.tobytes()
    assert [name.split("-")[1:3] for name in kept()] == [["paper", "0"], ["small", "0"], ["small", "1"]]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("toy", {"size": "papr"}, "data set 'toy' has no size 'papr'; choose from: small, paper"),
        ("toy", {"seed": -1}, "seed of data set 'toy' is -1; expected a whole number >= 0"),
        ("toy", {"seed": True}, "seed of data set 'toy' is True; expected a whole number >= 0"),
        ("toy", {"seed": "one"}, "seed of data set 'toy' is 'one'"),
        ("soil", {"size": "small"}, "data set 'soil' has no size and no seed.*generated have: .*toy"),
        (None, {"path": "x.npz", "seed": 1}, "a file has no size and no seed"),
    ],
)
def test_sizes_and_seeds_that_do_not_exist(name, options, words):
    with pytest.raises(UserError, match=words):
        load_dataset(name, **options)


def test_a_folder_that_cannot_be_written_is_told_before_any_work(calls, tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").touch()
    monkeypatch.setenv("MTS3_CACHE", str(tmp_path / "taken" / "here"))
    with pytest.raises(UserError, match=r"cannot write .*here: Not a directory; name another folder.*MTS3_CACHE"):
        load_dataset("toy")
    assert calls == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("full_at", [2, 4])  # a piece, and the whole
def test_a_full_disk_is_one_line_and_keeps_what_is_finished(calls, monkeypatch, full_at):
    saved = []

    class Filling(zipfile.ZipFile):
        def __init__(self, file, mode="r", *rest):
            if mode == "w":
                saved.append(file)
                if len(saved) == full_at:
                    raise OSError(errno.ENOSPC, "No space left on device")
            super().__init__(file, mode, *rest)

    monkeypatch.setattr(zipfile, "ZipFile", Filling)
    with pytest.raises(UserError, match=r"No space left on device; free some space or name another folder in .*_CACHE"):
        load_dataset("toy")
    assert len(calls) == min(full_at, 3)
    assert_same(load_dataset("toy").trajectories, made_at_once())
    assert len(calls) == (4 if full_at == 2 else 3)
    assert len(kept()) == 1


@pytest.mark.parametrize("name", ["halfcheetah_mixed", "kitchen", "maze2d", "mobile_robot"])
def test_a_simulator_that_is_not_installed(monkeypatch, name):
    for module in ("gymnasium", "mujoco"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r'try: pip install "mts3\[sim\]"') as caught:
        cached(name).make()
    assert "\n" not in str(caught.value)


def test_without_the_variable_sets_lie_among_the_users_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("MTS3_CACHE")
    monkeypatch.setattr("mts3.data.sets.cache.user_cache_dir", lambda name: str(tmp_path / name))
    assert cache_folder() == tmp_path / "mts3" / "data"
    monkeypatch.setenv("MTS3_CACHE", "~/sets")
    assert cache_folder() == Path("~/sets").expanduser()
