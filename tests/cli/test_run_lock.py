"""One process at a time in a run folder, whatever becomes of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import mts3 as package
from mts3.cli.run_lock import locked
from mts3.errors import UserError
from mts3.run_layout import LOCK
from tests.cli.conftest import FILE, RUN, Command

HOLDING = """if True:
    import sys, pathlib
    from mts3.cli.run_lock import locked
    with locked(pathlib.Path(sys.argv[1])):
        print("locked", flush=True)
        sys.stdin.read()
"""
SOURCE = os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1])}


@contextmanager
def another_process_in(folder: Path) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-c", HOLDING, str(folder)]
    with subprocess.Popen(command, env=SOURCE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_has_ended(trained: Command, tmp_path: Path) -> None:
    other_data = ["data.context_len=12"]
    before = (RUN / "metrics.json").read_bytes()
    with another_process_in(RUN) as process:
        for command in (
            ["train", *FILE, "overwrite=true"],
            ["train", *FILE, "resume=true"],
            ["evaluate", f"run={RUN}"],
        ):
            refused = trained(*command)
            assert refused.code == 2
            assert f"{RUN} is in use: another mts3 process trains or evaluates there; wait" in refused.line
        assert (RUN / "metrics.json").read_bytes() == before
        assert trained("evaluate", f"run={RUN}", *other_data).code == 0  # writes elsewhere
        assert trained("benchmark", *FILE, "seeds=1").code == 0  # takes the finished run as it is
        process.kill()
        process.wait()
    assert (RUN / LOCK).exists()  # nobody could remove it, and it locks nothing
    assert trained("evaluate", f"run={RUN}").code == 0
    assert not (RUN / LOCK).exists()


def test_a_folder_that_stays_empty_goes_again(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with pytest.raises(UserError, match="of the data"), locked(folder):
        raise UserError("of the data")
    assert not folder.exists()
    folder.mkdir()
    with locked(folder):
        pass
    assert not list(folder.iterdir())


def test_worker_processes_do_not_keep_the_lock(tmp_path: Path) -> None:
    """They are forked from the process that holds it, and may outlive it by seconds."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    code = f"""if True:
        import os, pathlib, time
        from mts3.cli.run_lock import locked
        with locked(pathlib.Path({str(tmp_path)!r})):
            child = os.fork()
            if child == 0:
                time.sleep(60)
            print(child, flush=True)
            os._exit(0)
    """
    with subprocess.Popen([sys.executable, "-c", code], env=SOURCE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
    try:
        with locked(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; name a folder"), locked(tmp_path / "file"):
        pass
    with pytest.raises(UserError, match="cannot write into"), locked(tmp_path / "file" / "run"):
        pass
