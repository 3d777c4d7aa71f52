"""Longer and longer gaps: the rate at which whole windows are hidden grows during training."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from mts3.train.module import TrainingModule
from mts3.train.options import check_curriculum


class WindowDropCurriculum(Callback):
    """Sets `window_drop_rate` of the training module at the start of every epoch.

    w(epoch) = min(end, start + increase * floor(epoch / epochs_per_increase)): a function of the epoch alone, so a
    resumed training continues it.

    Args:
        epochs_per_increase: Epochs between two increases, >= 1.
        start, increase, end: Rates in [0, 1].
    Raises:
        UserError: if a value lies outside its range.
    """

    def __init__(
        self, epochs_per_increase: int = 5, start: float = 0.05, increase: float = 0.1, end: float = 0.75
    ) -> None:
        check_curriculum(epochs_per_increase, start=start, increase=increase, end=end)
        self.epochs_per_increase = epochs_per_increase
        self.start, self.increase, self.end = start, increase, end

    def rate(self, epoch: int) -> float:
        """The largest probability, in `epoch`, with which a sequence loses each of its windows."""
        return min(self.end, self.start + self.increase * (epoch // self.epochs_per_increase))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the rate of this epoch."""
        assert isinstance(pl_module, TrainingModule)
        pl_module.window_drop_rate = self.rate(trainer.current_epoch)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A training resumed inside an epoch skips that epoch's start."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rate beside the losses it belongs to."""
        pl_module.log("window_drop_rate", self.rate(trainer.current_epoch), sync_dist=True)
