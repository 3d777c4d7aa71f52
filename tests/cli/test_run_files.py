"""What is in a run folder belongs to a run, or stays."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml

from mts3.cli.config import checked_config, composed, data_name
from mts3.cli.overrides import prepare
from mts3.cli.run_files import read_config, remove_run
from tests.cli.conftest import FILE, RUN, TINY, Command, besides_the_backend
from tests.damage import cut, edited, refusal

HERE = "hydra.run.dir=."


@pytest.mark.parametrize("more", [[], ["overwrite=true"], ["resume=true"]])
@pytest.mark.parametrize(
    "name",
    ["config.yaml", "metrics.json", "model.json", "last.ckpt", "plots/horizon.png", "logs/version_0/metrics.csv"],
)
def test_files_of_somebody_else_are_named_and_stay(mts3: Command, name: str, more: list[str]) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("mine: 1\n")
    before = sorted(Path().rglob("*"))
    refused = mts3("train", *FILE, HERE, *more)
    assert refused.code == 2
    assert f"{name} is of no run of mts3 train and would be replaced: name another folder" in refused.line
    assert Path(name).read_text() == "mine: 1\n"
    assert sorted(Path().rglob("*")) == before


def test_folders_of_the_same_name_keep_what_is_not_ours(mts3: Command) -> None:
    mine = [Path("plots/mine.png"), Path("logs/server.log"), Path("notes.txt")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert mts3("train", *FILE, HERE).code == 0
    assert mts3("train", *FILE, HERE, "overwrite=true").code == 0
    assert all(path.read_text() == "mine" for path in mine)
    assert {path.name for path in Path("logs").iterdir()} == {"server.log", "version_0"}
    remove_run(Path())
    assert sorted(map(str, Path().rglob("*"))) == sorted(["arm.npz", "logs", "plots", *map(str, mine)])


@pytest.mark.parametrize("figures", [True])
def test_nothing_of_a_run_is_left_when_it_is_removed(mts3: Command, figures: bool) -> None:
    assert mts3("train", *FILE, "logger=tensorboard", "hydra.run.dir=run").code == 0
    remove_run(Path("run"))
    assert not list(Path("run").iterdir())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("hydra.run.dir=", "hydra.run.dir is empty; name a folder as hydra.run.dir=DIR"),
        ("hydra.sweep.dir=", "hydra.sweep.dir is empty"),
        ("name=", "name= is no name of a run folder"),
        ("name=null", "name is missing or null"),
        ("name=..", "name=.. is no name of a run folder"),
        ("name=../../evil", "name=../../evil is no name of a run folder"),
        ("name=a/b", "name=a/b is no name of a run folder"),
        ("model_label=../evil", "is no name of a run folder"),
        ("label=/tmp/evil", "is no name of a run folder"),
    ],
)
def test_a_name_leads_nowhere_else(mts3: Command, option: str, message: str) -> None:
    before = sorted(Path().rglob("*"))
    assert message in mts3("train", *FILE, option).line
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("option", ["runs=", "output="])
def test_an_empty_folder_of_a_benchmark_is_refused(mts3: Command, option: str) -> None:
    assert f"{option[:-1]} is empty; name a folder" in mts3("benchmark", *FILE, option).line


def test_files_give_names_without_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_name("file", "logs/robot.csv") == "robot"
    assert data_name("file", ".") == tmp_path.name
    assert data_name("file", "..") == tmp_path.parent.name
    assert data_name("file", "two\nlines.csv") == "two_lines"


def test_scores_do_not_replace_those_of_others(trained: Command) -> None:
    Path("mine").mkdir()
    Path("mine/horizon.csv").write_text("mine")
    refused = trained("evaluate", f"run={RUN}", "output=mine")
    assert "mine/horizon.csv is of no evaluation and might be replaced" in refused.line
    shutil.copytree(RUN, "other")
    assert "output=other is the folder of another run" in trained("evaluate", f"run={RUN}", "output=other").line
    assert "output is empty" in trained("evaluate", f"run={RUN}", "output=").line
    for _ in range(2):
        assert trained("evaluate", f"run={RUN}", "output=new").code == 0


def test_tables_do_not_replace_those_of_others(trained: Command) -> None:
    before = (RUN / "horizon.csv").read_text()
    refused = trained("benchmark", *FILE, "seeds=1", f"output={RUN}")
    assert f"{RUN / 'horizon.csv'} is of no benchmark and would be replaced" in refused.line
    assert (RUN / "horizon.csv").read_text() == before


def test_a_run_that_was_killed_before_its_first_checkpoint_goes_on(trained: Command) -> None:
    """The messages agree: what one says to do, the other does."""
    for name in ("metrics.json", "last.ckpt"):
        (RUN / name).unlink()
    refused = trained("train", *FILE)
    assert "stopped before its first checkpoint: start it again with resume=true, replace it with" in refused.line
    again = trained("train", *FILE, "resume=true")
    assert again.code == 0
    assert f"{RUN} holds no checkpoint yet: the run starts again from its beginning" in besides_the_backend(again.err)
    assert read_config(RUN)["resume"] is False
    for name in ("model.safetensors", "model.json", "metrics.json", "last.ckpt", "horizon.csv", "predictions.npz"):
        (RUN / name).unlink()
    assert trained("train", f"hydra.run.dir={RUN}", "resume=true").code == 0  # killed still sooner
    for name in ("model.safetensors", "model.json", "metrics.json", "last.ckpt", "horizon.csv", "predictions.npz"):
        (RUN / name).unlink()
    assert trained("train", *FILE).code == 0


def test_a_run_that_was_killed_is_not_started_again_with_other_options(trained: Command) -> None:
    for name in ("metrics.json", "last.ckpt"):
        (RUN / name).unlink()
    assert "not train.batch_size=3: repeat" in trained("train", *FILE, "resume=true", "train.batch_size=3").line
    assert (RUN / "model.safetensors").is_file()


def test_a_finished_run_without_a_checkpoint_is_not_resumed(trained: Command) -> None:
    (RUN / "last.ckpt").unlink()
    assert "holds a finished run without last.ckpt; overwrite=true" in trained("train", *FILE, "resume=true").line
    assert "already holds a run: replace it with overwrite=true" in trained("train", *FILE).line


def test_every_edit_of_a_configuration_is_refused_or_read(finished_run: Path, tmp_path: Path) -> None:
    whole = yaml.safe_load((finished_run / "config.yaml").read_text())
    refused = {what for what, tree in edited(whole) if refusal(partial(checked_config, tree))}
    for key in ("data", "model", "train", "seed", "evaluate.batch_size", "data.context_len", "trainer.accelerator"):
        assert {f"{key}='removed'", f"{key}='text'", f"{key}=[]"} - {"trainer.accelerator='text'"} <= refused
    assert {
        "backend=None",
        "train.batch_size=None",
        "train.patience='text'",
        "data.path='removed'",
        "train.target='removed'",
    } <= refused
    path = tmp_path / "config.yaml"
    for content in cut((finished_run / "config.yaml").read_bytes()[:-20]):
        path.write_bytes(content)
        assert refusal(lambda: read_config(tmp_path))


def test_resume_needs_nothing_but_the_folder(mts3: Command) -> None:
    """One epoch and one more are two: the options come from the run, what is given on top applies."""
    options = [*FILE, "trainer.max_steps=-1", "train.batch_size=2", "train.schedule=constant"]
    assert mts3("train", *options, "trainer.max_epochs=2", "hydra.run.dir=whole").code == 0
    assert mts3("train", *options, "trainer.max_epochs=1", "hydra.run.dir=parts").code == 0
    assert mts3("train", "resume=true", "hydra.run.dir=parts", "trainer.max_epochs=2").code == 0
    whole, parts = (json.loads(Path(run, "metrics.json").read_text()) for run in ("whole", "parts"))
    assert {**whole, "train_seconds": 0} == {**parts, "train_seconds": 0}
    changed = {"trainer": read_config(Path("whole"))["trainer"], "name": "arm-mts3-seed0", "resume": True}
    assert read_config(Path("parts")) == read_config(Path("whole")) | changed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["train.batch_size=3"], "started with train.batch_size=16, not train.batch_size=3"),
        (["model.transition=modal"], "started with model.transition=None, not model.transition=modal"),
        (["seed=3"], "started with seed=0, not seed=3"),
        (["model=gru"], "a run goes on with the model it was started with: leave model out"),
        (["data.epochs=3"], "given as trainer.max_epochs=N"),
        (["train.batchsize=3"], "unknown option 'train.batchsize': did you mean train.batch_size"),
        (["trainer.max_epochs=ten"], "trainer.max_epochs must be like"),
        (["trainer.max_epochs=2,3"], "names several values"),
        (["logger=foo"], "unknown logger 'foo'"),
    ],
)
def test_a_resumed_run_keeps_its_options(trained: Command, options: list[str], message: str) -> None:
    refused = trained("train", "resume=true", f"hydra.run.dir={RUN}", *options)
    assert refused.code == 2
    assert message in refused.line


def test_resume_asks_for_the_folder(trained: Command) -> None:
    assert "which run is to be continued? give hydra.run.dir=DIR" in trained("train", "resume=true").line
    missing = trained("train", "resume=true", "hydra.run.dir=nowhere")
    assert "nowhere is no run folder: config.yaml is missing" in missing.line
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (f"seed={2**63}", f"seed must be a whole number <= {2**63 - 1}"),
        ("seed=-3", "seed must be a whole number >= 0"),
        ("seed=null", "seed is missing or null"),
        (f"split_seed={10**30}", "split_seed must be a whole number <="),
        ("train.num_workers=-1", "train.num_workers must be a number of processes from 0"),
        (f"train.num_workers={10**9}", "train.num_workers must be a number of processes from 0"),
        (f"train.batch_size={10**12}", "train.batch_size must be a number of sequences from 1"),
        ("train.batch_size=null", "train.batch_size is null"),
        ("train.learning_rate=nan", "train.learning_rate must be a number above 0"),
        ("evaluate.batch_size=0", "evaluate.batch_size must be a whole number from 1"),
        (f"evaluate.metric_window={10**12}", "evaluate.metric_window must be a whole number from 1"),
        (f"threads={10**9}", "threads must be at most 4096, got 1000000000"),
        ("data.window_len=null", "data.window_len is missing or null"),
        ("data.train_stride=0", "stride is 0"),
        (f"model.latent_obs_dim={10**9}", "model=mts3: a size is beyond any memory"),
        (f"model.latent_obs_dim={10**6}", "of memory; choose smaller sizes"),
        ("model.latent_obs_dim=-1", "model=mts3: "),
        ("model.encoder_hidden=-1", "model=mts3: "),
        ("model.encoder_hidden=0", "would be empty; every size must be at least 1"),
        (f"model.window_len={10**12}", f"model.window_len={10**12} is more than 100 sequences"),
        ("model.latent_obs_dim=2.5", "model=mts3: latent_obs_dim must be a whole number"),
    ],
)
def test_numbers_out_of_range_are_one_line(mts3: Command, option: str, message: str) -> None:
    refused = mts3("train", *FILE, option)
    assert refused.code == 2
    assert message in refused.line
    assert not list(Path("runs").glob("*"))


def test_too_many_seeds_are_refused(mts3: Command) -> None:
    refused = mts3("benchmark", "data.path=arm.npz", *TINY, f"seeds={10**9}")
    assert "are more than 1000; for one seed of that number write seeds=[1000000000]" in refused.line


@pytest.mark.parametrize("name", ["config.yaml", "model.json", "model.safetensors", "last.ckpt", "metrics.json"])
def test_a_cut_file_is_one_line_from_every_command_that_reads_it(trained: Command, name: str) -> None:
    path = RUN / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    asked = {
        "evaluate": ["evaluate", f"run={RUN}"],
        "resume": ["train", "resume=true", f"hydra.run.dir={RUN}"],
        "benchmark": ["benchmark", *FILE, "seeds=1"],
    }
    # A checkpoint is of no use to a finished run, and its scores are made anew when it goes on.
    if name in ("last.ckpt", "metrics.json"):
        del asked["evaluate" if name == "last.ckpt" else "resume"]
    if name != "config.yaml" and name != "metrics.json":
        del asked["benchmark"]
    for arguments in asked.values():
        refused = trained(*arguments)
        assert refused.code == 2
        assert str(path) in refused.line or "the model in" in refused.line


def test_whatever_was_composed_is_read_again(mts3: Command) -> None:
    """What a configuration may hold, `config.yaml` may hold: checks on reading refuse nothing that was written."""
    for options in (["threads=null"], ["trainer.accelerator=cpu", "model.window_len=[4,8]"], ["train.patience=3"]):
        run = composed(prepare([*FILE, *options]))
        Path("config.yaml").write_text(yaml.safe_dump(run.config))
        assert read_config(Path()) == run.config
