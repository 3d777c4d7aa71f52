"""Commands run in this process, in an empty folder, on a small file, for two steps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mts3.cli.main import main
from tests.conftest import FORCED

# Small enough for a run to take a second, evaluation and pictures included.
TINY = [
    "data.window_len=4",
    "data.context_len=8",
    "data.sequence_len=16",
    "data.train_stride=16",
    "data.test_stride=40",
]
SHORT = ["trainer.max_steps=2", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false", "logger=csv"]
MODEL = ["model.latent_obs_dim=2"]
RUN = Path("runs/arm-mts3-seed0")  # where FILE goes
FILE = ["data.path=arm.npz", *TINY, *SHORT, *MODEL]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr of a command that refused."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        return line


Command = Callable[..., Outcome]


@pytest.fixture
def figures() -> bool:
    """Whether runs draw: most tests do not look at pictures, which take longer than the rest of a run."""
    return False


@pytest.fixture
def mts3(figures: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`mts3("train", ...)` in `tmp_path`, which is the current folder and holds `arm.npz`."""
    monkeypatch.chdir(tmp_path)
    if not figures:
        monkeypatch.setattr("mts3.cli.scores.plot_results", lambda folder: [])
    write_recording(tmp_path / "arm.npz")

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        outcome = Outcome(main(arguments), *capsys.readouterr())
        if "backend '" in outcome.err and FORCED:
            pytest.skip(outcome.err)
        return outcome

    return run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `mts3 train *FILE`, made once."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("mts3.cli.scores.plot_results", lambda folder: [])
        write_recording(folder / "arm.npz")
        finishes(["train", *FILE])
    return folder / RUN


@pytest.fixture
def trained(finished_run: Path, mts3: Command) -> Command:
    """`mts3` in a folder where `mts3 train *FILE` has run."""
    shutil.copytree(finished_run, RUN)
    return mts3


def besides_the_backend(err: str) -> list[str]:
    """The lines on stderr, without the one that names what filters."""
    return [line for line in err.splitlines() if not line.startswith("filter: ")]


def finishes(arguments: list[str]) -> None:
    """Run a command that ends well, unless the backend that is forced refuses its model."""
    code = main(arguments)
    if code == 2 and FORCED:
        pytest.skip("the forced backend refuses the model of this test")
    assert code == 0


def write_recording(path: Path, trajectories: int = 5, obs_dim: int = 2, action_dim: int = 1, seed: int = 0) -> None:
    """Trajectories of 60 rows, a few values not observed, as `mts3 data import` would write them."""
    from mts3.data import Dataset, Trajectory, save_dataset

    rng = np.random.default_rng(seed)
    recorded = []
    for number in range(trajectories):
        actions = rng.normal(size=(60, action_dim)).astype(np.float32)
        pushed = np.zeros((60, obs_dim), np.float32)
        if action_dim:
            pushed += 0.2 * actions.cumsum(0)[:, :1]
        obs = np.sin(0.3 * np.arange(60)[:, None] + rng.uniform(0, 6, obs_dim)).astype(np.float32) + pushed
        obs[rng.random(obs.shape) < 0.05] = np.nan
        recorded.append(Trajectory(obs, actions, f"episode{number}"))
    names = tuple(f"x{i}" for i in range(obs_dim)), tuple(f"u{i}" for i in range(action_dim))
    save_dataset(Dataset(path.stem, tuple(recorded), *names, sample_time=0.1), path)
