import csv
import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mts3 as package
from mts3.cli.config import choices_of, composed
from mts3.cli.overrides import prepare
from mts3.cli.train import train
from mts3.data import DATASETS, Dataset, Trajectory, load_dataset, save_dataset
from mts3.data.sets.generators import GENERATED
from mts3.likelihoods.student_t import StudentT
from mts3.models import DeltaTarget, load
from mts3.train import TrainingModule
from tests.cli.conftest import FILE, MODEL, RUN, SHORT, TINY, Command, besides_the_backend, write_recording
from tests.conftest import FORCED

SCORES = ["rmse", "nrmse", "nll", "crps", "coverage_50", "coverage_90", "coverage_95", "per_dim"]
TRAINING = ["train_seconds", "gradient_steps", "parameters", "device", "version"]
SIMULATED = ("halfcheetah", "halfcheetah_expert", "halfcheetah_mixed", "kitchen", "maze2d", "mobile_robot")
KEYS = {*SCORES, *TRAINING, "data", "model", "seed", "split", "horizon", "context", "persistence_nrmse", "linear_nrmse"}


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def scores(run: Path) -> dict:
    return {key: value for key, value in metrics(run).items() if key != "train_seconds"}


@pytest.mark.parametrize("figures", [True])
def test_a_run_folder_holds_what_it_should(mts3: Command, figures: bool) -> None:
    done = mts3("train", *FILE)
    assert (done.code, besides_the_backend(done.err)) == (0, [])
    assert done.err.count("filter: ") == 1
    for name in ("config.yaml", "model.safetensors", "model.json", "last.ckpt", "horizon.csv", "predictions.npz"):
        assert (RUN / name).stat().st_size > 0
    assert {path.name for path in (RUN / "plots").iterdir()} == {"horizon.png", "predictions.png", "reliability.png"}
    assert (RUN / "logs/version_0/metrics.csv").is_file()
    assert not list(RUN.rglob(".*"))
    found = metrics(RUN)
    assert found.keys() >= KEYS
    assert (found["data"], found["model"], found["seed"], found["split"]) == ("arm", "mts3", 0, "test")
    assert (found["context"], found["horizon"], found["gradient_steps"]) == (8, 9, 2)
    assert found["parameters"] == sum(p.numel() for p in load(RUN).parameters())
    assert found["train_seconds"] > 0


def test_the_table_shows_the_model_beside_both_baselines(mts3: Command) -> None:
    out = mts3("train", *FILE).out
    found = metrics(RUN)
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert lines["mts3"] == [f"{found[key]:.3f}" for key in ("nrmse", "nll", "coverage_90")]
    assert lines["linear"] == [f"{found['linear_nrmse']:.3f}"]
    assert lines["persistence"] == [f"{found['persistence_nrmse']:.3f}"]
    assert lines["figures:"] == [str(RUN / "plots")]


@pytest.mark.parametrize("model", ["linear", "persistence"])
def test_a_baseline_as_the_model_stands_there_once(mts3: Command, model: str) -> None:
    options = [option for option in FILE if option not in MODEL]
    words = [line.split()[0] for line in mts3("train", f"model={model}", *options).out.splitlines() if line.strip()]
    assert words.count("linear") == words.count("persistence") == 1


def test_the_seed_decides_the_result_and_the_test_part_is_not_trained_on(mts3: Command) -> None:
    for folder in ("a", "b"):
        assert mts3("train", *FILE, f"hydra.run.dir={folder}").code == 0
    assert scores(Path("a")) == scores(Path("b"))
    assert mts3("train", *FILE, "hydra.run.dir=c", "seed=1", "split_seed=0").code == 0
    a, c = scores(Path("a")), scores(Path("c"))
    assert a["nrmse"] != c["nrmse"]
    assert a["linear_nrmse"] == c["linear_nrmse"]  # the same split


@pytest.mark.parametrize("name", [name for name in choices_of("data") if name != "file"])
def test_every_data_set_trains_two_steps(mts3: Command, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mts3.evaluate.baselines.MOST_INPUTS", 100)  # a regression on images takes longer than the rest
    path = []
    if name == "pam":  # not shipped: one that looks like it
        rng, lengths = np.random.default_rng(0), np.full(6, 90)
        rows = lengths.sum()
        arrays = {key: rng.random((rows, 4)) for key in ("joint_position", "joint_velocity")}
        arrays |= {key: rng.random((rows, 8)) for key in ("pressure", "action")}
        np.savez("pam.npz", **arrays, episode_length=lengths, episode_name=np.array([f"e{i}" for i in range(6)]))
        path = ["data.path=pam.npz"]
    steps = {"three_scales": 125, "mobile_robot": 155}.get(name, 65)  # more than the context
    if name in GENERATED:  # few episodes and short ones
        if name in SIMULATED:
            pytest.importorskip("gymnasium_robotics")
        few = {size: replace(recipe, episodes=7, rows=steps + 5) for size, recipe in GENERATED[name].recipes.items()}
        monkeypatch.setitem(GENERATED, name, GENERATED[name]._replace(recipes=few))
        monkeypatch.setenv("MTS3_CACHE", str(Path("cache").absolute()))
    small = [*path, "data.test_stride=400", "data.train_stride=400", f"data.sequence_len={steps}", "train.batch_size=4"]
    done = mts3("train", f"data={name}", *small, *SHORT, *MODEL)
    assert done.code == 0, done.err
    assert all(line.startswith("generating ") for line in besides_the_backend(done.err))
    made = GENERATED[name].recipes["small"].name if name in GENERATED else name
    assert metrics(Path(f"runs/{name}-mts3-seed0"))["data"] == made


@pytest.mark.parametrize("name", choices_of("model"))
def test_every_model_trains_two_steps(mts3: Command, name: str) -> None:
    options = [option for option in FILE if option not in MODEL]
    assert mts3("train", f"model={name}", *options).code == 0
    assert metrics(Path(f"runs/arm-{name}-seed0"))["model"] == name


@pytest.mark.parametrize("name", choices_of("ablation"))
def test_every_ablation_trains_two_steps(mts3: Command, name: str) -> None:
    done = mts3("train", f"ablation={name}", *FILE)
    assert done.code == 0, done.err
    label = "mts3" if name == "none" else f"mts3-{name}"
    assert metrics(Path(f"runs/arm-{label}-seed0"))["model"] == label


def test_an_ablation_of_a_model_that_lacks_the_part_is_refused(mts3: Command) -> None:
    assert "unknown argument of model acrkn 'memory'" in mts3("train", "model=acrkn", "ablation=no_memory", *FILE).line


@pytest.mark.parametrize("model", ["mts3", "gru", "transformer_ar", "linear"])
def test_any_model_can_predict_changes(mts3: Command, model: str) -> None:
    """Trained, saved, loaded and evaluated as a model of changes; closed forms already are one."""
    options = [option for option in FILE if option not in MODEL]
    done = mts3("train", f"model={model}", "train.target=delta", *options)
    if model == "linear":
        assert "model linear is fitted in closed form" in done.line
        return
    assert done.code == 0, done.err
    run = Path(f"runs/arm-{model}-delta-seed0")
    before = metrics(run)
    assert isinstance(load(run), DeltaTarget)
    assert mts3("evaluate", f"run={run}").code == 0
    assert metrics(run)["nrmse"] == before["nrmse"]


def test_an_unknown_target_is_named(mts3: Command) -> None:
    assert "unknown train.target 'deltas': did you mean delta?" in mts3("train", "train.target=deltas", *FILE).line


def test_training_returns_the_best_validation_crps_for_a_sweeper_to_minimize(mts3: Command) -> None:
    run = composed(prepare([*FILE, "trainer.max_steps=-1", "trainer.max_epochs=3"]))
    best = train(run.config, run.run_dir)
    with Path(run.run_dir, "logs/version_0/metrics.csv").open() as file:
        logged = [float(row["val_crps"]) for row in csv.DictReader(file) if row["val_crps"]]
    assert len(logged) == 3
    assert best == pytest.approx(min(logged))


def test_a_system_without_actions_trains(mts3: Command) -> None:
    write_recording(Path("free.npz"), action_dim=0)
    assert mts3("train", "data.path=free.npz", *TINY, *SHORT, *MODEL).code == 0


def test_model_arguments_reach_the_model(mts3: Command) -> None:
    assert mts3("train", *FILE, "model.transition=modal").code == 0
    arguments = json.loads((RUN / "model.json").read_text())["arguments"]
    assert (arguments["transition"], arguments["latent_obs_dim"], arguments["window_len"]) == ("modal", 2, 4)


def test_a_finished_run_is_not_overwritten_unless_told(trained: Command) -> None:
    mts3 = trained
    before = (RUN / "model.safetensors").read_bytes()
    refused = mts3("train", *FILE, "trainer.max_steps=1")
    assert refused.code == 2
    assert "already holds a run: continue it with resume=true, replace it with overwrite=true" in refused.line
    assert (RUN / "model.safetensors").read_bytes() == before
    (RUN / "notes.txt").write_text("mine")
    assert mts3("train", *FILE, "trainer.max_steps=1", "overwrite=true").code == 0
    assert metrics(RUN)["gradient_steps"] == 1
    assert (RUN / "notes.txt").read_text() == "mine"


def test_a_resumed_run_equals_one_that_was_never_interrupted(mts3: Command) -> None:
    options = [*FILE, "trainer.max_steps=-1", "train.batch_size=2", "train.schedule=constant"]
    assert mts3("train", *options, "trainer.max_epochs=3", "hydra.run.dir=whole").code == 0
    assert mts3("train", *options, "trainer.max_epochs=1", "hydra.run.dir=parts").code == 0
    assert mts3("train", *options, "trainer.max_epochs=3", "hydra.run.dir=parts", "resume=true").code == 0
    assert scores(Path("whole")) == scores(Path("parts"))
    whole, parts = load("whole"), load("parts")
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


def test_resume_without_a_run_or_with_other_options_is_refused(mts3: Command, finished_run: Path) -> None:
    refused = mts3("train", *FILE, "resume=true")
    assert (refused.code, "nothing to resume" in refused.line) == (2, True)
    shutil.copytree(finished_run, RUN)
    for option in ("train.batch_size=2", "data.context_len=4", "model.transition=modal", "split_seed=9"):
        refused = mts3("train", *FILE, option, "resume=true")
        assert refused.code == 2
        assert f"not {option}: repeat the options" in refused.line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which data? Name a set (data=" + ", data=".join(DATASETS) + ") or give a file"),
        (["data.path=nowhere.npz"], "nowhere.npz"),
        ([*FILE, "model.latent=2"], "unknown argument of model mts3 'latent': did you mean latent_obs_dim"),
        ([*FILE, "model.transition=diagonal"], "unknown transition 'diagonal'"),
        ([*FILE, "model.latent_obs_dim=two"], "model=mts3: "),
        ([*FILE, "trainer.max_epoch=2"], "unknown option of trainer 'max_epoch'"),
        ([*FILE, "trainer.devices=none"], "trainer: "),
        ([*FILE, "trainer.max_epochs=ten"], "trainer.max_epochs must be like 40"),
        ([*FILE, "train.schedule=linear"], "unknown train.schedule 'linear'"),
        ([*FILE, "train.batch_size=0"], "train.batch_size"),
        ([*FILE, "train.curriculum_epochs=0"], "epochs_per_increase"),
        ([*FILE, "seed=-1"], "seed"),
        ([*FILE, "threads=0"], "threads"),
        ([*FILE, "data.context_len=16"], "data.context_len"),
        ([*FILE, "data.sequence_len=0"], "data.sequence_len"),
        ([*FILE, "data.split_fractions=[1,1,1]"], "split_fractions"),
        (
            [*FILE, "data.context_len=100", "data.sequence_len=200"],
            "has 60 rows; expected at least 101 (a context of 100 and one to predict): choose data.context_len=59 or",
        ),
        (
            [*FILE, "data.window_len=100", "data.context_len=100", "data.sequence_len=200"],
            "choose data.window_len=59 and data.context_len=59 or less",
        ),
        (
            [*FILE, "data.sequence_len=60"],
            "data.sequence_len=60 asks for 53 steps after the context, and no test trajectory has more than 52: the "
            "longest, 'episode1', has 60 rows; choose data.sequence_len=59 or less",
        ),
        (
            [*FILE, "data.context_len=59", "data.sequence_len=200"],
            "choose data.sequence_len=59 and data.context_len=58 or less",
        ),
        ([*FILE, "hydra.run.dir=arm.npz"], "arm.npz is a file"),
    ],
)
def test_the_users_mistakes_are_one_line_and_leave_nothing(mts3: Command, arguments: list[str], message: str) -> None:
    refused = mts3("train", *arguments)
    assert refused.code == 2
    assert refused.line.startswith("mts3 train: ")
    assert message in refused.line
    assert not list(Path("runs").glob("*"))


def _save_recording(path: str, episodes: list[tuple[int, int]]) -> None:
    """An episode for each (rows, rows that are observed), each part with one if there are three."""
    recorded = []
    for number, (rows, observed) in enumerate(episodes):
        obs = np.sin(0.3 * np.arange(rows)[:, None] + number)
        obs[observed:] = np.nan
        recorded.append(Trajectory(obs, np.ones((rows, 1)) * np.arange(rows)[:, None], f"episode{number}"))
    save_dataset(Dataset(Path(path).stem, tuple(recorded), ("x",), ("u",), 0.1), path)


# Of three episodes, split_seed=0 takes number 2 for training, 0 for validation and 1 for testing.


def test_a_horizon_that_some_test_trajectory_reaches_is_scored_and_all_of_it_is_said(mts3: Command) -> None:
    _save_recording("mixed.npz", [(60, 60)] * 4 + [(13, 13)] * 6)
    done = mts3("train", "data.path=mixed.npz", *TINY, *SHORT, *MODEL, "data.split_fractions=[0.2,0.4,0.4]")
    assert done.code == 0, done.err
    found = metrics(RUN.with_name("mixed-mts3-seed0"))
    ends = found["sequences_at_end"]
    assert 0 < ends < found["sequences"]
    assert (found["horizon"], found["scored_steps"], found["configured_horizon"]) == (9, 9, 9)
    said = f"mixed, test: 8 steps observed, 9 predicted, the last one in {ends} of {found['sequences']} sequences"
    assert said in done.out.splitlines()


def test_validation_says_how_far_it_sees(mts3: Command) -> None:
    _save_recording("mixed.npz", [(13, 13), (60, 60), (60, 60)])
    done = mts3("train", "data.path=mixed.npz", *TINY, *SHORT, *MODEL)
    assert done.code == 0
    assert besides_the_backend(done.err) == [
        "validation sees 5 of 9 steps after the context: 'episode0', its longest trajectory, has 13 rows, and "
        "data.sequence_len is 16"
    ]


@pytest.mark.parametrize(
    ("episodes", "message"),
    [
        ([(60, 60), (60, 8), (60, 60)], "nothing is observed after the first 8 rows of any test sequence"),
        ([(60, 8), (60, 60), (60, 60)], "nothing is observed after the first 8 rows of any validation sequence"),
    ],
)
def test_a_part_with_nothing_to_score_is_refused_before_training(mts3: Command, episodes, message: str) -> None:
    _save_recording("quiet.npz", episodes)
    refused = mts3("train", "data.path=quiet.npz", *TINY, "data.test_stride=60", *SHORT, *MODEL)
    assert refused.code == 2
    assert message in refused.line
    assert not list(Path("runs").glob("*"))


def test_steps_without_an_observation_at_the_end_are_not_called_predicted(mts3: Command) -> None:
    """The rows are there, and nothing is observed in them."""
    _save_recording("short.npz", [(60, 60), (17, 13), (60, 60)])
    done = mts3("train", "data.path=short.npz", *TINY, *SHORT, *MODEL)
    assert done.code == 0
    run = RUN.with_name("short-mts3-seed0")
    found = metrics(run)
    assert (found["horizon"], found["scored_steps"], found["configured_horizon"]) == (5, 5, 9)
    assert done.out.splitlines()[0] == (
        "short, test: 8 steps observed, 5 of 9 predicted and scored: nothing is observed later in any test sequence "
        "(data.sequence_len=12 ends there)"
    )
    assert len((run / "horizon.csv").read_text().splitlines()) == 1 + 5
    with np.load(run / "predictions.npz") as arrays:
        assert arrays["obs"].shape[1] == arrays["mean"].shape[1] + 1 == 8 + 5


@pytest.mark.parametrize("figures", [True])
@pytest.mark.parametrize("model", ["acrkn", "hiprssm", "mts3", "rkn"])
def test_heavy_tails_are_trained_scored_drawn_and_kept(mts3: Command, model: str) -> None:
    done = mts3("train", *FILE, f"model={model}", "model.decoder=student_t")
    assert done.code == 0
    run = RUN.with_name(f"arm-{model}-seed0")
    assert 0 < metrics(run)["coverage_90"] <= 1
    assert (run / "plots" / "predictions.png").is_file()
    pred = load(run)(torch.zeros(1, 5, 2), torch.zeros(1, 5, 1))
    assert isinstance(pred, StudentT)
    with np.load(run / "predictions.npz") as arrays:
        std = np.sqrt(arrays["var"])
        for level, quantile in ((50, 0.7406971), (90, 2.1318468)):  # of a standard t with 4 degrees, variance 2
            for side, sign in (("lower", -1), ("upper", 1)):
                bound = arrays["mean"] + sign * quantile / np.sqrt(2) * std
                np.testing.assert_allclose(arrays[f"{side}_{level}"], bound, rtol=1e-5, atol=1e-6)


def test_patience_needs_no_validation_before_the_end(mts3: Command) -> None:
    done = mts3("train", *FILE, "train.patience=2")
    assert (done.code, besides_the_backend(done.err)) == (0, [])


def test_a_constant_channel_is_reported(mts3: Command) -> None:
    arm = load_dataset(None, "arm.npz")
    flat = tuple(Trajectory(t.obs, np.full_like(t.actions, 2.0), t.name) for t in arm.trajectories)
    save_dataset(Dataset("flat", flat, arm.obs_names, arm.action_names, 0.1), "flat.npz")
    done = mts3("train", "data.path=flat.npz", *TINY, *SHORT, *MODEL)
    assert done.code == 0
    assert besides_the_backend(done.err) == ["constant in the training part, set to zero: action 'u0'"]


def test_a_training_that_diverges_is_one_line_and_exit_code_1(mts3: Command) -> None:
    failed = mts3("train", *FILE, "train.learning_rate=1e30", "trainer.max_steps=9", "train.batch_size=2")
    assert failed.code == 1
    (line,) = besides_the_backend(failed.err)
    assert line.startswith("mts3 train: training diverged in epoch ")


def test_ctrl_c_is_quiet_and_keeps_the_checkpoint(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    step = TrainingModule.training_step

    def interrupted(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)
    stopped = mts3("train", *FILE, "trainer.max_steps=-1", "trainer.max_epochs=3")
    assert (stopped.code, stopped.out, besides_the_backend(stopped.err)) == (130, "", [])
    assert (RUN / "last.ckpt").is_file()
    assert not (RUN / "metrics.json").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing_broken(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    refused = mts3("train", *FILE)
    assert refused.code == 2
    (line,) = besides_the_backend(refused.err)
    assert "model.safetensors: No space left on device" in line
    assert not (RUN / "last.ckpt").exists()
    assert not list(RUN.rglob(".*"))


def test_a_full_disk_under_a_logger_is_one_line_too(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning.pytorch.loggers import CSVLogger

    def full(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CSVLogger, "save", full)
    refused = mts3("train", *FILE)
    assert refused.code == 2
    assert "No space left on device" in refused.line


def test_an_error_of_ours_keeps_its_traceback(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self, batch, batch_idx):
        raise RuntimeError("a bug")

    monkeypatch.setattr(TrainingModule, "training_step", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        mts3("train", *FILE)


def test_training_on_two_devices_is_one_run(mts3: Command) -> None:
    """Lightning starts the command once more for the second device; the first one alone writes and prints."""
    command = [sys.executable, "-m", "mts3.cli.main", "train", *FILE, "trainer.devices=2", "train.batch_size=2"]
    source = os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1])}
    done = subprocess.run(command, env=source, capture_output=True, text=True, timeout=120)
    if FORCED and "backend '" in done.stderr:
        pytest.skip(done.stderr)
    assert (done.returncode, besides_the_backend(done.stderr)) == (0, [])
    assert done.stderr.count("filter: ") == 1
    assert done.stdout.count("figures:") == 1
    assert metrics(RUN)["gradient_steps"] == 2


def test_constant_observations_are_no_data_to_learn_from(mts3: Command) -> None:
    Path("log.csv").write_text("x,u\n" + "".join(f"3.5,{i % 5}\n" for i in range(300)))
    refused = mts3("train", "data.path=log.csv", "data.columns.obs=x", "data.columns.actions=u", *TINY, *SHORT)
    assert refused.code == 2
    assert "every observation of 'log' is constant in the training part: there is nothing to learn" in refused.err
