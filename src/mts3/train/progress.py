"""One line for the whole training: where it is, how good it is, how long it still takes."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

LOG_FILE_SECONDS = 30.0  # between two updates where no terminal can redraw a line


class TrainingProgress(ProgressBar):
    """A bar over all steps of all epochs on stderr, with loss, validation loss and time left."""

    def __init__(self) -> None:
        super().__init__()
        self._bar, self._enabled = tqdm(disable=True), True
        self._shown: dict[str, str] = {}
        self._seconds, self._drawn = 0.2 if sys.stderr.isatty() else LOG_FILE_SECONDS, 0.0

    def disable(self) -> None:
        """Called by Lightning on every process but the first."""
        self._enabled = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar; a resumed training starts where it stopped."""
        steps = trainer.estimated_stepping_batches
        total = None if math.isinf(steps) else int(steps)
        self._bar = tqdm(
            desc="training",
            total=total,
            initial=min(trainer.global_step, total or trainer.global_step),
            file=sys.stderr,
            unit="step",
            dynamic_ncols=True,
            miniters=sys.maxsize,  # redrawn below, together with the losses, and by nothing else
            maxinterval=math.inf,
            disable=not self._enabled,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on, with the loss of this batch."""
        if time.monotonic() - self._drawn > self._seconds:  # reading the loss waits for the device
            self._shown |= {"epoch": _epoch(trainer), "loss": f"{outputs['loss'].item():.3f}"}
            self._draw(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the validation loss from now on."""
        self._shown |= {"epoch": _epoch(trainer), "val_crps": f"{float(trainer.callback_metrics['val_crps']):.3f}"}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the finished line."""
        self._draw(trainer)
        self._bar.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the line before an error is printed."""
        self._bar.close()

    def _draw(self, trainer: Trainer) -> None:
        if not self._bar.disable:
            self._bar.n = trainer.global_step
            self._bar.set_postfix(self._shown)
            self._drawn = time.monotonic()


def _epoch(trainer: Trainer) -> str:
    last = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
    return f"{trainer.current_epoch + 1}{last}"
