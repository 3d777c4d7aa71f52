import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import mts3 as package
from mts3.cli import threads
from mts3.cli.main import SLEEPING
from mts3.cli.process import set_threads
from mts3.cli.threads import fastest, training_step
from mts3.data import SequenceDataset, fit_normalizer, load_dataset
from mts3.errors import UserError
from mts3.models import build
from mts3.train import TrainingModule, TrainingOptions
from tests.cli.conftest import FILE, RUN, Command, write_recording

WAITING = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT")
# Says what is set at the moment in which PyTorch would be loaded, and leaves.
SPY = f"""
import os, sys
class Spy:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print([os.environ.get(key) for key in {WAITING}])
            sys.exit()
sys.meta_path.insert(0, Spy())
from mts3.cli.main import main
main(["evaluate", "run=nowhere"])
sys.exit("PyTorch was never loaded")
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Whatever a test chose."""
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["passive", "0", None]),
        ({"OMP_WAIT_POLICY": "active"}, ["active", None, None]),
        ({"GOMP_SPINCOUNT": "99"}, [None, None, "99"]),
    ],
)
def test_idle_threads_sleep_from_the_moment_pytorch_is_loaded(given: dict[str, str], expected: list) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in WAITING}
    source = {"PYTHONPATH": str(Path(package.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", SPY], env=kept | source | given, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"{expected}\n"), done.stderr


def test_the_command_names_no_other_variables() -> None:
    assert set(SLEEPING) < set(WAITING)


def clock(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float]) -> Callable[[], None]:
    """A step that takes `seconds(threads)` on a clock of its own."""
    now = [0.0]
    monkeypatch.setattr("mts3.cli.threads.time.perf_counter", lambda: now[0])

    def step() -> None:
        now[0] += seconds(torch.get_num_threads())

    return step


@pytest.mark.parametrize(
    ("seconds", "chosen", "line"),
    [
        (lambda n: 0.1 / n, 6, "threads: 6 (1.5 times as fast as 4 here)"),
        (lambda n: 0.1, 1, "threads: 1 (2 are no faster here)"),
        (lambda n: 0.1 * n, 1, "threads: 1 (2 are no faster here)"),
        (lambda n: 0.1 / min(n, 2), 2, "threads: 2 (4 are no faster here)"),
        (lambda n: 9.0 / n**0.1, 1, "threads: 1 (2 are no faster here)"),
        (lambda n: 0.01 / n, 1, None),
    ],
)
def test_more_threads_only_where_they_are_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float], chosen: int, line: str | None
) -> None:
    assert fastest(clock(monkeypatch, seconds), 6) == line
    assert torch.get_num_threads() == chosen


def test_one_slow_step_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter([0.1, 0.1, 0.1, 0.05, 0.1, 5.0, 0.1, 0.05])  # a neighbour wakes up in the second round
    assert fastest(clock(monkeypatch, lambda n: next(steps)), 2) == "threads: 2 (2.0 times as fast as 1 here)"


@pytest.mark.parametrize("recompute", [False, True])
def test_a_timed_step_leaves_no_trace(tmp_path: Path, recompute: bool) -> None:
    write_recording(tmp_path / "arm.npz")
    arm = load_dataset(None, str(tmp_path / "arm.npz"))
    normalizer, _ = fit_normalizer(arm.trajectories, arm.obs_names, arm.action_names)
    train = SequenceDataset(arm.trajectories, normalizer, 16, 16)
    model = build("mts3", obs_dim=2, action_dim=1, latent_obs_dim=2, window_len=4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    training_step(TrainingModule(model, TrainingOptions(8, 4, batch_size=4, recompute=recompute)), train)()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_measuring_changes_nothing_that_is_learned(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "threads:" not in mts3("train", *FILE, "threads=1", "hydra.run.dir=one").err
    monkeypatch.setattr(threads, "MOST", 2)
    monkeypatch.setattr(threads, "SHORTEST", 0.0)
    monkeypatch.setattr(threads, "CLEARLY", 1e9)  # so that it ends with one thread, as the other run
    assert "threads: 1 (2 are no faster here)" in mts3("train", *FILE, "threads=auto").err.splitlines()
    one, auto = package.load("one"), package.load(RUN)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), auto.parameters(), strict=True))
    assert mts3("evaluate", f"run={RUN}", "threads=1").code == 0


def test_a_single_core_leaves_nothing_to_choose(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MOST", 1)
    monkeypatch.setattr(threads, "training_step", None)
    done = mts3("train", *FILE)
    assert (done.code, "threads:" in done.err) == (0, False)


def test_threads_are_what_was_asked_for() -> None:
    for given, expected in ((2, 2), (None, 2), ("auto", 1)):
        set_threads(given)
        assert torch.get_num_threads() == expected


@pytest.mark.parametrize("given", [0, -1, "two", True, 1.5])
def test_a_wrong_number_of_threads_is_named(given: object) -> None:
    with pytest.raises(UserError, match=f"threads must be auto, a whole number >= 1 or null, got {given}"):
        set_threads(given)  # pyright: ignore[reportArgumentType]
