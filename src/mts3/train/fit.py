"""One call that trains a model and leaves a run folder."""

from __future__ import annotations

import inspect
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import Dataset

from mts3.errors import UserError, unknown_name
from mts3.train.checkpoint import check_checkpoint
from mts3.train.closed_form import fit_closed_form
from mts3.train.curriculum import WindowDropCurriculum
from mts3.train.data_module import SequenceDataModule
from mts3.train.divergence import TrainingDiverged
from mts3.train.module import TrainingModule
from mts3.train.objective import Objective, negative_log_likelihood
from mts3.train.options import TrainingOptions
from mts3.train.progress import TrainingProgress
from mts3.train.quiet import quiet
from mts3.train.run_folder import AtomicCheckpointIO, FitResult, RunFolder

if TYPE_CHECKING:
    from mts3.models import WorldModel

# Options of the trainer that are whole numbers, and the least; -1 stands for no limit.
_NUMBERS = {"max_epochs": -1, "max_steps": -1, "accumulate_grad_batches": 1, "check_val_every_n_epoch": 1}
# Numbers of batches, or shares of an epoch, and what 0 does.
_SHARES = {
    "val_check_interval": "never validates",
    "limit_train_batches": "trains nothing",
    "limit_val_batches": "never validates",
}


def fit(
    model: WorldModel,
    train: Dataset,
    validation: Dataset,
    run_dir: str | Path,
    *,
    resume: bool = False,
    loggers: Iterable[Logger] = (),
    trainer: Mapping[str, Any] | None = None,
    callbacks: Iterable[Callback] = (),
    objective: Objective = negative_log_likelihood,
    **options: Any,
) -> FitResult:
    """Train `model` in place and keep its best weights in `run_dir`.

    A model without trainable parameters (linear, persistence) is fitted in closed form on the training split; of the
    options only `context_len` matters then.

    On return `model` has the *last* weights; the best averaged ones, by validation CRPS, are in `run_dir` as
    `model.safetensors` and `model.json` (`mts3.load(run_dir)`), beside `last.ckpt`.

    Args:
        model: Any `mts3.models.WorldModel`, its `normalizer` set.
        train, validation: `mts3.data.SequenceDataset` of the two splits.
        run_dir: The run folder; made if it does not exist.
        resume: Continue from `run_dir`/last.ckpt.
        loggers: Lightning loggers, see `build_loggers`.
        trainer: Arguments of `lightning.Trainer`, as in {"max_epochs": 50, "devices": 1}.
        callbacks: More Lightning callbacks, called before ours.
        objective: What is made small, (prediction, batch) -> scalar; validation scores the CRPS whatever it is.
        **options: Of `TrainingOptions`: context_len and window_len, and what of the others is not as it stands there.
    Raises:
        UserError: if an argument is out of range, there is nothing to resume, or the disk is full.
        TrainingDiverged: if the loss or a gradient becomes NaN or infinite.
    """
    folder = RunFolder(Path(run_dir))
    chosen = TrainingOptions(**options)
    model.require_registered()  # or the first epoch would be lost when it is saved
    module = TrainingModule(model, chosen, objective)
    data = SequenceDataModule(train, validation, chosen.batch_size, chosen.seed, chosen.num_workers)
    _check_context(validation, chosen.context_len)
    if model.fitted_in_closed_form:
        return fit_closed_form(model, train, validation, folder.path, chosen.context_len)  # pyright: ignore[reportArgumentType]
    if resume:
        check_checkpoint(folder, module)
    ours = [*callbacks, WindowDropCurriculum(chosen.curriculum_epochs, end=chosen.window_drop_rate), folder]
    if chosen.patience is not None:
        # After each validation: an epoch that max_steps or max_time cuts short has none.
        when: dict[str, Any] = {"check_finite": False, "check_on_train_epoch_end": False}
        ours.append(EarlyStopping("val_crps", patience=chosen.patience, **when))
    with quiet(), subnormals_flushed():
        lightning = _build_trainer(dict(trainer or {}), ours, list(loggers), folder.path)
        try:
            _run(lightning, module, data, folder.last if resume else None)
        except TrainingDiverged as error:
            raise error.with_checkpoint(folder.last, lightning.current_epoch) from None
        if folder.validated_step != lightning.global_step:  # max_steps or max_time stopped inside an epoch
            lightning.validate(module, data, verbose=False)
    if folder.best_epoch == 0:
        raise TrainingDiverged("validation CRPS was never finite", lightning.current_epoch, 0)
    device = lightning.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return FitResult(lightning.global_step, folder.train_seconds, folder.best_epoch, folder.best_val_crps, name)


def is_main_process() -> bool:
    """Whether this is the process that writes and prints (training on several devices starts one for each)."""
    return getattr(rank_zero_only, "rank", 0) == 0


@contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Take numbers below 1.2e-38 (float32) for zero within the block, where the CPU can; put back as it was.

    A gradient that goes back through long stretches with nothing to predict decays into them, the squares that AdamW
    keeps sooner still, and many CPUs take a hundred cycles for each. A setting of the thread: of this one, in which
    forward and backward passes on a CPU and the optimizer run; others that may help it keep their own.
    """
    before = sys.float_info.min * 0.5 == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _build_trainer(options: dict[str, Any], callbacks: list[Callback], loggers: list[Logger], path: Path) -> Trainer:
    if options.get("enable_progress_bar", True):
        callbacks.append(TrainingProgress())
    ours: dict[str, Any] = {
        "callbacks": callbacks,
        "logger": loggers or False,
        "plugins": [AtomicCheckpointIO()],
        "default_root_dir": path,
        "enable_checkpointing": False,  # RunFolder writes the two that a run folder holds
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,  # EpochSampler knows the processes
    }
    defaults = {"gradient_clip_val": 5.0, "log_every_n_steps": 10}
    known = inspect.signature(Trainer).parameters.keys() - ours.keys()
    for name in options:
        if name not in known:
            raise unknown_name("option of trainer", name, known)
    _check_numbers(options)
    try:
        return Trainer(**defaults | options | ours)
    except Exception as error:  # Lightning checks its arguments with many kinds of error, assertions among them
        reason = " ".join(str(error).split()) or "an option has a value of the wrong type"
        raise UserError(f"trainer: {reason}") from error


def _check_numbers(options: dict[str, Any]) -> None:
    """What Lightning takes and then divides by, or with which it trains nothing.

    Raises:
        UserError: naming the option.
    """
    for name, least in _NUMBERS.items():
        value = options.get(name, least)
        unlimited = value is None and name != "accumulate_grad_batches"
        if not unlimited and (type(value) is not int or value == 0 or not least <= value < 2**62):
            raise UserError(f"trainer.{name} must be a whole number >= 1, got {value!r}")
    for name, what in _SHARES.items():
        if name in options and options[name] == 0:
            raise UserError(f"trainer.{name}=0 {what}: give a number of batches, or a share of them")
    if options.get("fast_dev_run"):
        raise UserError(
            "trainer.fast_dev_run trains without keeping anything: give trainer.max_steps=N for a short run"
        )
    clip = options.get("gradient_clip_val")
    if isinstance(clip, int | float) and clip < 0:
        raise UserError(f"trainer.gradient_clip_val must be a norm >= 0, got {clip}; 0 clips nothing")


def _run(trainer: Trainer, module: TrainingModule, data: SequenceDataModule, checkpoint: Path | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
    except (MisconfigurationException, ValueError) as error:
        # Lightning's word for options that do not go together; one of them is found out when the batches are counted.
        if isinstance(error, ValueError) and "val_check_interval" not in str(error):
            raise
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error
    except SIGTERMException:  # Lightning's own exit code for it is 0, as if the training were done
        raise SystemExit(128 + signal.SIGTERM) from None
    except SystemExit as stop:
        # Lightning turns Ctrl-C into exit code 1 and deafens the process to a second one.
        if isinstance(stop.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise


def _check_context(validation: Dataset, context_len: int) -> None:
    steps = validation[0]["actions"].shape[0]
    if not 1 <= context_len < steps:
        raise UserError(
            f"data.context_len is {context_len} but sequences have {steps} steps: "
            "it must be at least 1 and leave steps to predict; change data.context_len or data.sequence_len"
        )
