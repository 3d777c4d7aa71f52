"""A training whose numbers stop being numbers stops, and says where."""

from __future__ import annotations

from pathlib import Path

import torch

from mts3.types import Tensor


class TrainingDiverged(RuntimeError):
    """The loss or a gradient became NaN or infinite. The message is one line.

    Attributes:
        epoch, batch: Where, both counted from 1 as in the progress bar.
        quantity: What it was, as in "loss is nan".
    """

    def __init__(self, quantity: str, epoch: int, batch: int, checkpoint: str = "") -> None:
        self.quantity, self.epoch, self.batch = quantity, epoch, batch
        super().__init__(
            f"training diverged in epoch {epoch}, batch {batch}: the {quantity}; {checkpoint or 'no checkpoint yet'}; "
            "try a smaller train.learning_rate, and look for extreme values in the data"
        )

    def with_checkpoint(self, path: Path, epochs_done: int) -> TrainingDiverged:
        """The same, naming the last good checkpoint."""
        name = f"the last good checkpoint is {path} (after {epochs_done} epochs)" if path.is_file() else ""
        return TrainingDiverged(self.quantity, self.epoch, self.batch, name)


def check_finite(quantity: str, value: Tensor, epoch: int, batch: int) -> None:
    """Raise `TrainingDiverged` if the scalar `value` is NaN or infinite."""
    if not torch.isfinite(value):
        raise TrainingDiverged(f"{quantity} is {value.item()}", epoch, batch)
