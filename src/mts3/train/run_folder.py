"""What a training leaves behind: the best weights as a model, the last state as a checkpoint."""

from __future__ import annotations

import io
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer

from mts3.expected import Kind
from mts3.files import write_aside
from mts3.run_layout import LAST
from mts3.train.module import TrainingModule

SECONDS_BETWEEN_SAVES = 300.0
MOST = 2**62  # of anything that is counted
COUNT = Kind(f"whole number from 0 to {MOST}", lambda value: type(value) is int and 0 <= value < MOST)
# What a resumed training continues from. NaN is neither a score nor a time.
STATE = {
    "best_val_crps": Kind("score", lambda value: type(value) in (float, int) and value >= -math.inf),
    "best_epoch": Kind("whole number", lambda value: type(value) is int and value >= 0),
    "train_seconds": Kind("number of seconds", lambda value: type(value) in (float, int) and value >= 0),
    "validated_step": Kind("step", lambda value: type(value) is int and value >= -1),
}


@dataclass(frozen=True)
class FitResult:
    """What a training did.

    Attributes:
        gradient_steps: Optimizer steps, all resumed parts together.
        train_seconds: Wall-clock time, validation included, all parts together.
        best_epoch: Epochs trained when the kept weights were; 0 for what is fitted in closed form.
        best_val_crps: Their validation CRPS (normalized).
        device: Where it ran, as in "cpu" or the GPU's name.
    """

    gradient_steps: int
    train_seconds: float
    best_epoch: int
    best_val_crps: float
    device: str


class RunFolder(Callback):
    """Keeps the model of the best validation CRPS and `last.ckpt` in a folder.

    `model.safetensors` and `model.json` are written whenever `val_crps` improves, `last.ckpt` after every epoch, every
    five minutes within a long one, and where `max_steps` ends the training. A resumed training repeats what came after
    `last.ckpt`.

    Args:
        path: The folder.

    Attributes:
        best_val_crps: inf before the first validation.
        best_epoch: Epochs trained when it was reached, 0 before.
        train_seconds: Wall-clock time spent, validation included, over all resumed parts.
        validated_step: Optimizer step of the last validation.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best_val_crps, self.best_epoch = math.inf, 0
        self.train_seconds, self.validated_step = 0.0, -1
        self._clock = self._last_save = time.monotonic()

    @property
    def last(self) -> Path:
        """Where the checkpoint lies."""
        return self.path / LAST

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._clock = self._last_save = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the model if it is the best so far; one whose `val_crps` is NaN never is."""
        assert isinstance(pl_module, TrainingModule)
        self.validated_step = trainer.global_step
        val_crps = float(trainer.callback_metrics["val_crps"])
        if val_crps < self.best_val_crps:
            self.best_val_crps, self.best_epoch = val_crps, trainer.current_epoch + 1
            if trainer.is_global_zero:
                pl_module.averaged.module.save(self.path)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save within an epoch, if it is long or ends early."""
        stops_here = 0 <= trainer.max_steps <= trainer.global_step and batch_idx + 1 < trainer.num_training_batches
        overdue = time.monotonic() - self._last_save > SECONDS_BETWEEN_SAVES
        # All processes take part in a save; their clocks differ, so the first one's decides.
        if stops_here or trainer.strategy.broadcast(overdue):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after a whole epoch; one cut short would pass for whole."""
        if trainer.fit_loop.epoch_loop.batch_progress.current.ready == trainer.num_training_batches:
            self._save(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._count_seconds()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training continues from."""
        self._count_seconds()
        return {key: getattr(self, key) for key in STATE}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        for key in STATE:
            setattr(self, key, state_dict[key])
        self._clock = time.monotonic()

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.last)
        self._last_save = time.monotonic()

    def _count_seconds(self) -> None:
        now = time.monotonic()
        self.train_seconds += now - self._clock
        self._clock = now


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, then renames: Lightning's own goes through another file system's folder
    for temporary files, and a full disk would leave a broken file in place of a good one. Reads tensors and plain
    values only, never code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the checkpoint; an error leaves the old one.

        Raises:
            UserError: when the disk is full.
        """
        # Through memory: on a full disk torch's zip writer fails with a RuntimeError that hides the reason.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with write_aside(path) as aside:
            aside.write_bytes(buffer.getbuffer())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read the checkpoint to the host; Lightning moves it on."""
        return torch.load(path, map_location="cpu", weights_only=True)
