import csv
import json
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

from mts3.cli.benchmark import planned, read_arguments
from mts3.cli.config import composed
from mts3.cli.overrides import prepare
from mts3.cli.run_files import Found
from mts3.cli.scores import Fitted
from mts3.errors import UserError
from mts3.evaluate import Baselines
from tests.cli.conftest import FILE, MODEL, Command, finishes, write_recording

MODELS = ("mts3", "acrkn")
BOTH = ["benchmark", *FILE, "model=[mts3,acrkn]", "seeds=2"]
ONE = ["benchmark", *FILE, "model=mts3", "seeds=1"]  # the first run of them
RUNS = [f"arm-{model}-seed{seed}" for model in MODELS for seed in (0, 1)]
OUTPUT = Path("runs/benchmark")
FILES = {"table.md", "one_step.md", "imputation.md", "rows.csv", "horizon.csv", "horizon.png"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `runs` after BOTH, made once."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("mts3.cli.scores.plot_results", lambda folder: [])
        write_recording(folder / "arm.npz")
        finishes(BOTH)
    return folder / "runs"


@pytest.fixture(autouse=True)
def no_picture(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn once, for `finished`: it takes longer than the rest of a test."""
    monkeypatch.setattr("mts3.cli.benchmark.plot_benchmark", lambda folder, path: path.write_bytes(b""))


@pytest.fixture
def trained(finished: Path, mts3: Command) -> Command:
    """`mts3` in a folder where BOTH has run."""
    shutil.copytree(finished, "runs")
    return mts3


class FakeTraining:
    """In place of `mts3.cli.train.train`: what was asked of it, and files of a run as if it had trained."""

    def __init__(self, finished: Path) -> None:
        self.finished = finished
        self.configs: dict[str, dict[str, Any]] = {}
        self.commands: dict[str, list[str]] = {}
        self.fails: dict[str, BaseException] = {}

    def __call__(self, config: dict[str, Any], run_dir: Path, fitted: Fitted) -> float:
        self.configs[run_dir.name], self.commands[run_dir.name] = config, sys.argv[1:]
        if run_dir.name in self.fails:
            raise self.fails[run_dir.name]
        shutil.copytree(self.finished / run_dir.name, run_dir, dirs_exist_ok=True)
        return 0.5


@pytest.fixture
def fake(finished: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    training = FakeTraining(finished)
    monkeypatch.setattr("mts3.cli.train.train", training)
    return training


def rows() -> list[dict[str, str]]:
    with (OUTPUT / "rows.csv").open() as file:
        return list(csv.DictReader(file))


def cells(line: str) -> list[str]:
    return [cell.strip(" *") for cell in line.strip("|\n").split("|")]


def times() -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for name in RUNS for path in Path("runs", name).rglob("*")}


def test_tables_figure_and_run_folders_are_there(finished: Path) -> None:
    assert {path.name for path in (finished / "benchmark").iterdir()} == FILES
    assert all((finished / name / "metrics.json").is_file() for name in RUNS)


def test_the_baselines_are_fitted_once_for_each_split(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, of = [], Baselines.of
    monkeypatch.setattr(Baselines, "of", lambda *rest: fitted.append(rest) or of(*rest))
    options = [option for option in FILE if option not in MODEL]
    assert mts3("benchmark", *options, "model=[linear,persistence]", "seeds=2").code == 0
    assert len(fitted) == 2  # two models on the splits of two seeds
    names = [f"arm-{model}-seed{seed}" for model in ("linear", "persistence") for seed in (0, 1)]
    scores = [json.loads(Path("runs", name, "metrics.json").read_text())["linear_nrmse"] for name in names]
    assert scores[0] == scores[2] != scores[1] == scores[3]
    assert mts3("evaluate", f"run=runs/{names[3]}").code == 0  # which fits them itself
    assert json.loads(Path("runs", names[3], "metrics.json").read_text())["linear_nrmse"] == scores[3]


def test_the_table_is_mean_and_spread_of_the_runs(trained: Command) -> None:
    assert trained(*BOTH).code == 0
    header, _, *lines = (OUTPUT / "table.md").read_text().splitlines()
    place = cells(header)
    for line, model in zip(lines, MODELS, strict=False):
        runs = [json.loads(Path("runs", f"arm-{model}-seed{seed}", "metrics.json").read_text()) for seed in (0, 1)]
        found = dict(zip(place, cells(line), strict=True))
        assert (found["data"], found["model"], found["seeds"]) == ("arm", model, "2")
        assert found["steps"] == "2"
        for key, column in {"nrmse": "NRMSE", "nll": "NLL", "crps": "CRPS"}.items():
            values = [run[key] for run in runs]
            assert found[column] == f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
    by_name = {row["model"] + row["seed"]: row for row in rows()}
    metrics = json.loads(Path("runs/arm-acrkn-seed1/metrics.json").read_text())
    assert float(by_name["acrkn1"]["nrmse"]) == metrics["nrmse"]
    assert float(by_name["acrkn1"]["imputation_crps"]) == metrics["imputation"]["crps"]
    assert by_name["acrkn1"]["status"] == "finished"


def test_a_finished_run_is_taken_as_it_is(trained: Command, fake: FakeTraining) -> None:
    before = times()
    shutil.rmtree(OUTPUT)
    done = trained(*BOTH, "threads=2", "logger=tensorboard", "evaluate.batch_size=3", "trainer.accelerator=auto")
    assert (done.code, done.err) == (0, "")
    assert "NRMSE" in done.out
    assert times() == before
    assert not fake.configs
    assert {path.name for path in OUTPUT.iterdir()} == FILES


def test_only_what_is_missing_is_trained(trained: Command, fake: FakeTraining) -> None:
    shutil.rmtree("runs/arm-acrkn-seed1")
    Path("runs/arm-mts3-seed0/metrics.json").unlink()  # interrupted before the evaluation
    for name in ("metrics.json", "last.ckpt"):
        Path("runs/arm-mts3-seed1", name).unlink()
    assert trained(*BOTH).code == 0
    told = {name: (config["resume"], config["overwrite"]) for name, config in fake.configs.items()}
    expected = {"arm-mts3-seed0": (True, False), "arm-mts3-seed1": (False, True), "arm-acrkn-seed1": (False, False)}
    assert told == expected


def test_an_interrupted_run_is_continued(trained: Command) -> None:
    scores = Path("runs/arm-mts3-seed0/metrics.json")
    before = json.loads(scores.read_text())
    scores.unlink()
    assert trained(*ONE).code == 0
    assert json.loads(scores.read_text())["nrmse"] == before["nrmse"]


def test_an_interrupted_run_that_was_evaluated_is_continued_all_the_same(trained: Command) -> None:
    scores = Path("runs", RUNS[0], "metrics.json")
    whole = json.loads(scores.read_text())
    scores.unlink()
    outcome = trained("evaluate", f"run={scores.parent}")
    assert outcome.err.splitlines() == [
        f"the training of {scores.parent} has not come to its end: its best weights so far are evaluated"
    ]
    assert json.loads(scores.read_text())["gradient_steps"] is None
    assert trained(*ONE).code == 0
    again = json.loads(scores.read_text())
    assert (again["gradient_steps"], again["nrmse"]) == (whole["gradient_steps"], whole["nrmse"])


def test_overwrite_trains_all_again(trained: Command, fake: FakeTraining) -> None:
    assert trained(*BOTH, "overwrite=true").code == 0
    assert list(fake.configs) == RUNS


def test_a_run_of_another_configuration_is_refused_before_anything_trains(trained: Command, fake: FakeTraining) -> None:
    shutil.rmtree("runs/arm-mts3-seed0")
    option = "train.learning_rate=0.01"
    refused = trained(*BOTH, option)
    assert refused.code == 2
    assert "runs/arm-mts3-seed1 holds a run with train.learning_rate=0.003" in refused.line
    assert f"not {option}: replace it with overwrite=true, or keep it and name another folder" in refused.line
    assert not fake.configs
    assert trained(*ONE, option, "runs=other").code == 0
    assert Path("other/arm-mts3-seed0").is_dir()
    assert Path("other/benchmark").is_dir()


@pytest.mark.parametrize(
    "option", ["data.context_len=12", "trainer.max_steps=3", "evaluate.metric_window=2", "model.transition=modal"]
)
def test_whatever_is_learned_or_scored_tells_runs_apart(trained: Command, option: str) -> None:
    with pytest.raises(UserError, match=f"not {option}: replace"):
        planned(read_arguments([*ONE[1:], option]))


def test_a_combination_that_fails_is_shown_as_failed_and_the_others_go_on(mts3: Command) -> None:
    done = mts3("benchmark", *FILE, "model=acrkn,mts3", "seeds=1", "model.task_belief=filtered")
    assert done.code == 2
    assert "mts3 benchmark: unknown argument of model acrkn 'task_belief'" in done.err
    assert "Traceback" not in done.err
    assert [cells(line)[1:3] for line in (OUTPUT / "table.md").read_text().splitlines()[2:4]] == [
        ["acrkn", "failed"],
        ["mts3", "1"],
    ]
    assert [(row["model"], row["status"]) for row in rows()] == [("acrkn", "failed"), ("mts3", "finished")]
    assert "±" not in (OUTPUT / "table.md").read_text().partition("Test part")[0]  # one seed has no spread
    assert not Path("runs/arm-acrkn-seed0").exists()


def test_the_exit_code_is_that_of_the_worst_run(mts3: Command, fake: FakeTraining) -> None:
    from mts3.train import TrainingDiverged

    fake.fails["arm-mts3-seed1"] = TrainingDiverged("loss is NaN", 1, 2)
    done = mts3(*BOTH)
    assert done.code == 1
    assert list(fake.configs) == RUNS
    assert "| arm | mts3 | 1, 1 failed |" in (OUTPUT / "table.md").read_text()
    fake.fails = {RUNS[0]: UserError("no")}
    assert mts3(*ONE, "overwrite=true").code == 2
    assert not (OUTPUT / "horizon.png").exists()  # no run stands behind one


def test_ctrl_c_ends_all_of_them(mts3: Command, fake: FakeTraining) -> None:
    fake.fails[RUNS[1]] = KeyboardInterrupt()
    assert mts3(*BOTH).code == 130
    assert list(fake.configs) == RUNS[:2]
    assert not OUTPUT.exists()


def test_each_run_is_what_mts3_train_would_do(trained: Command, fake: FakeTraining) -> None:
    """Training on several devices starts the command line again: it must stand for this run alone."""
    Path("runs/arm-mts3-seed0/metrics.json").unlink()
    shutil.rmtree("runs/arm-acrkn-seed0")
    before = list(sys.argv)
    assert trained("benchmark", *FILE, "model=mts3,acrkn", "seeds=1").code == 0
    for name, config in fake.configs.items():
        verb, *arguments = fake.commands[name]
        run = composed(prepare(arguments))
        assert (verb, run.config, run.run_dir) == ("train", config, Path("runs", name))
    assert sys.argv == before


@pytest.mark.parametrize(
    ("arguments", "data", "models", "seeds"),
    [
        (["data=soil"], ["soil"], ["mts3"], [0, 1, 2]),
        (["data=[soil,tiago]", "model=[mts3, acrkn]", "seeds=1"], ["soil", "tiago"], ["mts3", "acrkn"], [0]),
        (["data=soil,soil", "model=acrkn", "seeds=[3,5]"], ["soil"], ["acrkn"], [3, 5]),
        (["data=soil", "ablation=none,no_task", "seeds=4,"], ["soil"], ["mts3", "mts3-no_task"], [4]),
    ],
)
def test_lists_and_seeds(mts3: Command, arguments: list[str], data: list[str], models: list[str], seeds: list[int]):
    plan = planned(read_arguments([*arguments, "train.learning_rate=0.5"]))
    names = [f"{d}-{model}-seed{seed}" for d in data for model in models for seed in seeds]
    assert [run.run_dir for run in plan] == [Path("runs", name) for name in names]
    assert all(run.found is Found.NOTHING for run in plan)
    assert all(run.config["train"]["learning_rate"] == 0.5 for run in plan)


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ("model=mts3,mts4", "unknown model 'mts4': did you mean mts3"),
        ("data=[soil,sol]", "unknown data set 'sol'"),
        ("model=[]", "model=[] names nothing"),
        ("seeds=0", "seeds=0 leaves nothing to run"),
        ("seeds=two", "seeds must be a number of them, as in seeds=3, or a list, as in seeds=[0,5]; got two"),
        ("seed=1", "give seeds=N"),
        ("resume=true", "leave resume out"),
        ("train.batchsize=1", "did you mean train.batch_size"),
        (
            "train.batch_size=1,2",
            "train.batch_size=1,2 names several values, which only data, model, ablation",
        ),
        ("hydra.run.dir=one", "two runs would share the folder one"),
        ("name=one", "two runs would share the folder runs/one"),
        ("output=arm.npz", "output=arm.npz is a file"),
        ("runs=arm.npz", "runs=arm.npz is a file"),
        ("output", "expected key=value"),
    ],
)
def test_a_slip_is_found_before_the_first_run(mts3: Command, fake: FakeTraining, slip: str, message: str) -> None:
    refused = mts3("benchmark", *FILE, slip)
    assert refused.code == 2
    assert refused.line.startswith("mts3 benchmark: ")
    assert message in refused.line
    assert not fake.configs
    assert not Path("runs").exists()


def test_data_must_be_named(mts3: Command) -> None:
    assert "which data? give data=NAME" in mts3("benchmark", "model=mts3").line


def test_the_help_says_what_it_takes(mts3: Command) -> None:
    text = mts3("benchmark", "--help")
    assert text.code == 0
    assert text.out.startswith("usage: mts3 benchmark data=[NAME,..]")
    assert "model=acrkn|" in text.out
    assert "\n  benchmark " in mts3().out
