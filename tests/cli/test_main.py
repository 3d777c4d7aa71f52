import subprocess
import sys

import pytest

import mts3 as package
from mts3.cli.verb import VERBS, Verb
from mts3.data import DATASETS
from tests.cli.conftest import Command


def test_help_names_every_command_and_each_has_its_own(mts3: Command) -> None:
    overview = mts3("--help")
    assert overview == mts3() == mts3("-h")
    assert overview.code == 0
    for command in ("train", "evaluate", "data"):
        assert f"\n  {command} " in overview.out
        text = mts3(command, "--help")
        assert text.code == 0
        assert text.out.startswith(f"usage: mts3 {command}")
        assert text.err == ""


def test_the_help_lists_the_names_that_exist(mts3: Command) -> None:
    text = mts3("train", "--help").out
    assert "data=" + "|".join(sorted((*DATASETS, "file"))) in text
    variants = ("acrkn_linear", "hiprssm_adaptive", "hiprssm_linear", "mts3_adaptive", "mts3_three_levels")
    assert "model=" + "|".join(sorted((*package.models.MODELS, *variants))) in text


def test_help_and_version_answer_without_importing_lightning() -> None:
    code = """if True:
        import sys
        from mts3.cli.main import main
        main(["--help"]), main(["train", "--help"])
        sys.exit("lightning" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_overview_and_a_slip_answer_without_importing_torch() -> None:
    code = """if True:
        import sys
        from mts3.cli.main import main
        main(["--help"]), main(["trian"]), main(["evaluate", "--resume"])
        sys.exit(not {"torch", "lightning", "hydra", "numpy"}.isdisjoint(sys.modules))
    """
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_command_that_registers_is_there(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    verb = Verb(99, "say what was given", lambda: "usage: mts3 echo\n", heard.append, frozenset({"--loud"}))
    monkeypatch.setitem(VERBS, "echo", verb)
    assert mts3("--help").out.splitlines()[8] == "  echo        say what was given"
    assert mts3("echo", "--help") == (0, "usage: mts3 echo\n", "")
    assert mts3("echo", "a=1", "--loud").code == 0
    assert heard == [["a=1", "--loud"]]
    assert mts3("echo", "-m").line.startswith("mts3 echo: unknown flag '-m'")


def test_version(mts3: Command) -> None:
    assert mts3("--version") == (0, f"mts3 {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "mts3: unknown command 'trian': did you mean train?"),
        (["train", "--resume"], "mts3 train: unknown flag '--resume'"),
        (["data", "-m"], "mts3 data: unknown flag '-m'"),
    ],
)
def test_a_slip_is_one_line_and_exit_code_2(mts3: Command, arguments: list[str], message: str) -> None:
    refused = mts3(*arguments)
    assert refused.code == 2
    assert refused.line.startswith(message)
