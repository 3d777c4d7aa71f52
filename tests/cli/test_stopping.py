"""SIGTERM: one line that says what becomes of the run, exit code 143, wherever it comes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mts3 as package
from mts3.train import TrainingModule
from tests.cli.conftest import FILE, RUN, SHORT, Command, besides_the_backend

GOES_ON = f"mts3 train: terminated; {RUN / 'last.ckpt'} is whole, resume=true goes on from it"
EPOCHS = [*FILE, "trainer.max_steps=-1", "trainer.max_epochs=3"]


def terminate(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)  # the signal comes within
    raise AssertionError("not terminated")


def test_in_training_the_checkpoint_is_kept_and_named(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    step = TrainingModule.training_step
    monkeypatch.setattr(
        TrainingModule, "training_step", lambda self, *a: (terminate if self.current_epoch else step)(self, *a)
    )
    stopped = mts3("train", *EPOCHS)
    assert (stopped.code, stopped.out, besides_the_backend(stopped.err)) == (143, "", [GOES_ON])
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_before_the_first_checkpoint_it_says_how_to_begin_again(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingModule, "training_step", terminate)
    stopped = mts3("train", *EPOCHS)
    assert stopped.code == 143
    (line,) = besides_the_backend(stopped.err)
    assert line == f"mts3 train: terminated; {RUN} holds no checkpoint yet, resume=true starts the run again"


@pytest.mark.parametrize(
    ("where", "command", "line"),
    [
        ("mts3.cli.scores.evaluate", ["train", *FILE], GOES_ON),
        ("mts3.cli.train.load_experiment", ["train", *FILE], "mts3 train: terminated; nothing was begun"),
        ("mts3.cli.scores.evaluate", ["evaluate", f"run={RUN}"], "mts3 evaluate: terminated"),
    ],
)
def test_outside_of_training_too(
    trained: Command, monkeypatch: pytest.MonkeyPatch, where: str, command: list[str], line: str
) -> None:
    if command[0] == "train":
        command = [*command, "overwrite=true"]
        if "begun" in line:
            command.append("hydra.run.dir=new")
    monkeypatch.setattr(where, terminate)
    stopped = trained(*command)
    assert (stopped.code, besides_the_backend(stopped.err)) == (143, [line])


@pytest.mark.parametrize("command", [["train", "-m", "seed=0,1"], ["benchmark", "seeds=2"]])
def test_no_further_run_is_begun(mts3: Command, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setattr(TrainingModule, "training_step", terminate)
    stopped = mts3(*command, *FILE)
    assert stopped.code == 143
    assert [path.name for path in Path("runs").iterdir() if path.is_dir()] == ["arm-mts3-seed0"]


def test_ctrl_c_ends_a_sweep(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingModule, "training_step", interrupt)
    assert mts3("train", "-m", *FILE, "seed=0,1").code == 130
    assert [path.name for path in Path("runs").iterdir() if path.is_dir()] == ["arm-mts3-seed0"]


def test_a_killed_process_leaves_nothing_that_stops_the_next(mts3: Command) -> None:
    """SIGKILL as soon as there is a checkpoint, then one plain command."""
    long = [*FILE, "trainer.max_steps=-1", "trainer.max_epochs=100000", "train.schedule=constant"]
    source = os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-m", "mts3.cli.main", "train", *long], env=source) as process:
        deadline = time.monotonic() + 60
        while not (RUN / "last.ckpt").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    if not (RUN / "last.ckpt").exists():
        pytest.skip("the forced backend refuses the model of this test")
    (RUN / f".last.{_host()}-{process.pid}.part.ckpt").touch()  # as if it had been writing
    done = mts3(
        "train", "resume=true", f"hydra.run.dir={RUN}", "trainer.max_steps=2", "trainer.max_epochs=-1", SHORT[1]
    )
    assert done.code == 0, done.err
    assert not list(RUN.glob(".*"))


def _host() -> str:
    from mts3.files import write_aside

    with write_aside("x") as aside:
        aside.touch()
        return aside.name.split(".")[2].rpartition("-")[0]
