import errno
import math
from pathlib import Path

import pytest
import torch

import mts3
from mts3.errors import UserError
from mts3.metrics import LikelihoodSums, crps_gaussian
from mts3.prediction import Prediction
from mts3.train import TrainingModule
from tests.train.conftest import CONTEXT, Sequences, same_weights, short_fit, small_model


def validation_crps(model: mts3.models.WorldModel) -> float:
    data = Sequences(5, 1)
    seen = ~data.obs[:, :-1].isnan()
    seen[:, CONTEXT:] = False
    with torch.no_grad():
        pred = model(data.obs[:, :-1], data.actions, seen)
    hidden = Prediction(pred.mean[:, CONTEXT - 1 :], pred.var[:, CONTEXT - 1 :])
    target = data.obs[:, CONTEXT:]
    return crps_gaussian(hidden, target)[~target.isnan()].mean().item()


def test_a_run_learns_and_leaves_the_model_that_validated_best(finished) -> None:
    run_dir, _, result = finished
    best = mts3.load(run_dir)
    assert result.gradient_steps == 9
    assert result.train_seconds > 0
    assert result.device == "cpu"
    assert result.best_val_crps < validation_crps(small_model())
    assert validation_crps(best) == pytest.approx(result.best_val_crps, rel=1e-5)
    assert best.normalizer is not None


def test_the_best_model_is_kept_when_training_gets_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(LikelihoodSums, "mean_crps", lambda self: next(scores))
    weights = []
    save = mts3.models.WorldModel.save

    def spy(self, path) -> None:
        weights.append([p.detach().clone() for p in self.parameters()])
        save(self, path)

    monkeypatch.setattr(mts3.models.WorldModel, "save", spy)
    _, result = short_fit(tmp_path)
    assert (result.best_epoch, result.best_val_crps) == (2, 1.0)
    assert len(weights) == 2
    assert all(torch.equal(a, b) for a, b in zip(mts3.load(tmp_path).parameters(), weights[1], strict=True))


def test_the_seed_decides_everything_and_the_global_generator_is_left_alone(finished, tmp_path: Path) -> None:
    _, model, result = finished
    torch.manual_seed(123)
    before = torch.get_rng_state()
    again, result_again = short_fit(tmp_path / "again")
    assert torch.equal(before, torch.get_rng_state())
    assert same_weights(model, again)
    assert result_again.best_val_crps == result.best_val_crps
    other, _ = short_fit(tmp_path / "other", model=small_model(), seed=4)  # the same parameters, other order and masks
    assert not same_weights(model, other)


@pytest.mark.parametrize("stop", [{"max_epochs": 1}, {"max_steps": 1}, {"max_steps": 3}, {"max_steps": 5}])
def test_a_resumed_run_equals_one_that_was_never_interrupted(finished, tmp_path: Path, stop: dict[str, int]) -> None:
    """After an epoch, inside the first one, at an epoch's last step, inside a later one."""
    run_dir, model, result = finished
    short_fit(tmp_path, trainer=stop)
    resumed, result_resumed = short_fit(tmp_path, resume=True)
    assert result_resumed.gradient_steps == result.gradient_steps
    assert (result_resumed.best_val_crps, result_resumed.best_epoch) == (result.best_val_crps, result.best_epoch)
    assert same_weights(model, resumed)
    assert same_weights(mts3.load(run_dir), mts3.load(tmp_path))


def test_resuming_a_finished_run_changes_nothing(finished, tmp_path: Path) -> None:
    _, model, result = finished
    short_fit(tmp_path)
    again, result_again = short_fit(tmp_path, resume=True)
    assert same_weights(model, again)
    assert result_again.best_val_crps == result.best_val_crps


def test_resume_without_a_checkpoint_or_with_a_foreign_one_says_so(finished, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing to resume: .*last\.ckpt does not exist"):
        short_fit(tmp_path / "none", resume=True)
    (tmp_path / "last.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        short_fit(tmp_path, resume=True)
    with pytest.raises(UserError, match="holds another model"):
        short_fit(finished[0], model=small_model("acrkn"), resume=True)


@pytest.mark.parametrize(("what", "quantity"), [("loss", "loss is nan"), ("gradient", "gradient norm is nan")])
def test_a_nan_stops_with_epoch_batch_and_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, quantity: str
) -> None:
    step = TrainingModule.training_step

    def poisoned(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (1, 2):
            parameter = next(self.parameters())
            if what == "loss":
                parameter.data.fill_(math.nan)
            else:
                parameter.register_hook(lambda gradient: gradient * math.nan)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", poisoned)
    with pytest.raises(mts3.train.TrainingDiverged) as caught:
        short_fit(tmp_path)
    message = str(caught.value)
    assert f"epoch 2, batch 3: the {quantity}" in message
    assert f"{tmp_path / 'last.ckpt'} (after 1 epochs)" in message
    assert "\n" not in message
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 3
    assert math.isfinite(validation_crps(mts3.load(tmp_path)))


def test_a_model_that_never_validates_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LikelihoodSums, "mean_crps", lambda self: math.nan)
    with pytest.raises(mts3.train.TrainingDiverged, match="validation CRPS was never finite"):
        short_fit(tmp_path, 1)
    assert not (tmp_path / "model.safetensors").exists()


def test_ctrl_c_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = TrainingModule.training_step

    def interrupted(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (1, 1):
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        short_fit(tmp_path, schedule="cosine")
    monkeypatch.undo()
    resumed, _ = short_fit(tmp_path, resume=True, schedule="cosine")
    assert same_weights(resumed, short_fit(tmp_path / "whole", schedule="cosine")[0])


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short_fit(tmp_path, 1)
    before = (tmp_path / "last.ckpt").read_bytes()
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> None:
        if path.suffix != ".ckpt":
            write(path, content)
            return
        with path.open("wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot write .*last\.ckpt: No space left"):
        short_fit(tmp_path, 2, resume=True)
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_the_bar_is_one_short_line_on_stderr_and_lightning_says_nothing(tmp_path: Path, capfd) -> None:
    short_fit(tmp_path, trainer={"enable_progress_bar": True})
    out, err = capfd.readouterr()
    assert out == ""
    last = err.rstrip("\n").splitlines()[-1].split("\r")[-1]
    assert "9/9" in last
    assert "epoch=3/3" in last
    assert "loss=" in last
    assert "val_crps=" in last
    assert len(err.strip().splitlines()) == 1 or all("training:" in line for line in err.strip().splitlines())
    short_fit(tmp_path / "silent")
    assert capfd.readouterr() == ("", "")


def test_patience_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LikelihoodSums, "mean_crps", lambda self: 1.0)
    _, result = short_fit(tmp_path, 20, patience=2)
    assert result.gradient_steps == 3 * 3  # one epoch that sets the mark, two that do not beat it


@pytest.mark.parametrize("max_steps", [2, 5])
def test_patience_waits_for_a_validation(tmp_path: Path, max_steps: int) -> None:
    """`max_steps` ends the training inside its first or second epoch, which then has none."""
    _, result = short_fit(tmp_path, patience=2, trainer={"max_steps": max_steps})
    assert result.gradient_steps == max_steps
    assert mts3.load(tmp_path).normalizer is not None


def test_a_resumed_run_has_no_more_patience_than_one_that_was_never_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LikelihoodSums, "mean_crps", lambda self: 1.0)
    short_fit(tmp_path, 2, patience=2)
    _, result = short_fit(tmp_path, 20, patience=2, resume=True)
    assert result.gradient_steps == 3 * 3


def test_max_time_stops(tmp_path: Path) -> None:
    _, result = short_fit(tmp_path, 10_000, trainer={"max_time": {"seconds": 1}})
    assert 0 < result.gradient_steps < 30_000
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.parametrize("name", ["mts3", "gru"])
def test_loader_processes_change_nothing(tmp_path: Path, name: str) -> None:
    model, result = short_fit(tmp_path, 2, model=small_model(name), num_workers=2)
    assert math.isfinite(result.best_val_crps)
    one_process, _ = short_fit(tmp_path / "one", 2, model=small_model(name))
    assert same_weights(model, one_process)


@pytest.mark.usefixtures("auto_backend")
def test_a_reward_head_without_rewards_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="predicts a reward and the data hold none"):
        short_fit(tmp_path, 1, model=small_model("acrkn", reward=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainer": {"max_epoch": 3}}, "unknown option of trainer 'max_epoch': did you mean max_epochs"),
        ({"trainer": {"callbacks": []}}, "unknown option of trainer 'callbacks'"),
        ({"trainer": {"devices": 0}}, "trainer: .*devices"),
        ({"trainer": {"accelerator": "abacus"}}, "trainer: .*abacus"),
        ({"context_len": 12}, "data.context_len is 12 but sequences have 12 steps"),
        ({"patience": 0}, "train.patience"),
        ({"seed": -1}, "seed"),
        ({"schedule": "cosine", "trainer": {"max_epochs": -1}}, "schedule=cosine needs an end"),
    ],
)
def test_the_users_mistakes_are_one_line_each(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        short_fit(tmp_path, model=small_model(), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_steps": 0}, "trainer.max_steps must be a whole number >= 1, got 0"),
        ({"max_epochs": 10**30}, "trainer.max_epochs must be a whole number >= 1"),
        ({"accumulate_grad_batches": 0}, "trainer.accumulate_grad_batches must be a whole number >= 1"),
        ({"accumulate_grad_batches": None}, "trainer.accumulate_grad_batches must be a whole number >= 1"),
        ({"check_val_every_n_epoch": 0}, "trainer.check_val_every_n_epoch must be a whole number >= 1"),
        ({"val_check_interval": 0}, "trainer.val_check_interval=0 never validates"),
        ({"limit_train_batches": 0}, "trainer.limit_train_batches=0 trains nothing"),
        ({"limit_val_batches": 0.0}, "trainer.limit_val_batches=0 never validates"),
        ({"fast_dev_run": True}, "trainer.fast_dev_run trains without keeping anything"),
        ({"gradient_clip_val": -1}, "trainer.gradient_clip_val must be a norm >= 0, got -1"),
        ({"val_check_interval": 99}, "trainer: .val_check_interval. .99. must be less than or equal"),
    ],
)
def test_what_lightning_takes_and_cannot_use_is_one_line(tmp_path: Path, option: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        short_fit(tmp_path, trainer=option)
