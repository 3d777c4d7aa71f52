"""What a training goes on from is whole, or it does not go on."""

import json
from pathlib import Path

import pytest
import torch

from mts3.errors import UserError
from mts3.train import RunFolder, TrainingModule, TrainingOptions
from mts3.train.checkpoint import check_checkpoint
from tests.damage import cut, edited, refusal
from tests.train.conftest import CONTEXT, WINDOW, short_fit, small_model


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one schedule, stopped inside its second epoch."""
    run_dir = tmp_path_factory.mktemp("stopped")
    short_fit(run_dir, 2, schedule="cosine", trainer={"max_steps": 5})
    return run_dir


@pytest.fixture
def module() -> TrainingModule:
    return TrainingModule(small_model(), TrainingOptions(CONTEXT, WINDOW))


def answer_to(run_dir: Path, module: TrainingModule) -> str | None:
    return refusal(lambda: check_checkpoint(RunFolder(run_dir), module))


def linked(stopped: Path, folder: Path) -> Path:
    """A run folder of its own with the model of another."""
    for name in ("model.json", "model.safetensors"):
        (folder / name).symlink_to(stopped / name)
    return folder / "last.ckpt"


def test_a_whole_checkpoint_is_taken(stopped: Path, module: TrainingModule) -> None:
    assert answer_to(stopped, module) is None


def test_a_cut_checkpoint_is_refused(stopped: Path, tmp_path: Path, module: TrainingModule) -> None:
    path = linked(stopped, tmp_path)
    for content in cut((stopped / "last.ckpt").read_bytes()):
        path.write_bytes(content)
        assert "cannot read the checkpoint" in (answer_to(tmp_path, module) or "")


def test_without_any_of_its_parts_it_is_refused(
    stopped: Path, tmp_path: Path, module: TrainingModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = torch.load(stopped / "last.ckpt", weights_only=True)
    (tmp_path / "last.ckpt").touch()
    linked(stopped, tmp_path)
    shown = {}
    monkeypatch.setattr(torch, "load", lambda *_, **__: shown["tree"])  # writing each would take most of the time

    def answer(tree: dict) -> str | None:
        shown["tree"] = tree
        return answer_to(tmp_path, module)

    for key in ("state_dict", "callbacks", "loops", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
        for value in ("removed", None, "text", 3.5, -1):
            tree = {name: part for name, part in saved.items() if name != key}
            assert answer(tree if value == "removed" else tree | {key: value})
    for what, state in edited(saved["callbacks"]):
        harmless = what.endswith(
            ("val_crps=-1", "step=-1", f"_crps={10**30}", f"epoch={10**30}", f"seconds={10**30}", f"step={10**30}")
        )
        assert (answer(saved | {"callbacks": state}) is None) == harmless, what
    for what, loop in edited(saved["loops"]["fit_loop"]):
        taken = answer(saved | {"loops": {"fit_loop": loop}}) is None
        assert not taken or what.endswith(("={'a': 1}", "_batches_that_stepped='removed'")) or "is_last_batch" in what
    for part, key in ((saved["optimizer_states"][0]["param_groups"][0], "group"), (saved["lr_schedulers"][0], "lr")):
        for what, tree in edited(part):
            if key == "lr":
                damaged = {"lr_schedulers": [tree]}
            else:
                groups = saved["optimizer_states"][0]["param_groups"]
                damaged = {"optimizer_states": [saved["optimizer_states"][0] | {"param_groups": [tree, *groups[1:]]}]}
            needed = (
                "params",
                "lr",
                "betas",
                "eps",
                "weight_decay",
                "base_lrs",
                "_last_lr",
                "lr_lambdas",
                "last_epoch",
            )
            number = what.endswith(("=-1", "=True")) or "initial_lr" in what
            assert number or what.split("=")[0] not in needed or answer(saved | damaged), what
    moments = saved["optimizer_states"][0]["state"]
    for broken in ({}, {"step": torch.ones(())}, moments[0] | {"exp_avg": moments[0]["exp_avg"] * torch.nan}):
        state = saved["optimizer_states"][0] | {"state": moments | {0: broken}}
        assert answer(saved | {"optimizer_states": [state]})


def test_the_best_score_is_not_forgotten(stopped: Path, tmp_path: Path) -> None:
    """Without it the next validation, however bad, would replace the best model."""
    saved = torch.load(stopped / "last.ckpt", weights_only=True)
    del saved["callbacks"]["RunFolder"]
    torch.save(saved, linked(stopped, tmp_path))
    with pytest.raises(UserError, match="RunFolder is missing"):
        short_fit(tmp_path, 3, resume=True, schedule="cosine")


def test_the_best_model_so_far_must_be_there_and_whole(stopped: Path, tmp_path: Path, module: TrainingModule) -> None:
    (tmp_path / "last.ckpt").write_bytes((stopped / "last.ckpt").read_bytes())
    assert "no model in" in (answer_to(tmp_path, module) or "")
    linked(stopped, tmp_path)
    (tmp_path / "model.json").unlink()
    (tmp_path / "model.json").write_text(json.dumps({}))
    assert "damaged" in (answer_to(tmp_path, module) or "")


def test_an_end_before_what_was_trained_is_one_line(tmp_path: Path) -> None:
    short_fit(tmp_path, 3)
    with pytest.raises(UserError, match=r"you have set Trainer\(max_epochs=1\)"):
        short_fit(tmp_path, 1, resume=True)
