"""What a training says and decides before its first step, when everything has been checked and is in place."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from mts3.cli.backend import filter_line
from mts3.cli.process import AUTO
from mts3.cli.report import note
from mts3.cli.threads import choose_threads
from mts3.data import SequenceDataset
from mts3.train import TrainingModule


class Opening(Callback):
    """Says which backend filters, and with `threads=auto` on the CPU chooses the number of threads.

    Args:
        train: The training part.
        threads: What the configuration says of them.
    """

    def __init__(self, train: SequenceDataset, threads: int | str | None) -> None:
        self._train, self._threads = train, threads

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The model is on its device, in its precision, a resumed one with its weights."""
        assert isinstance(pl_module, TrainingModule)
        lines = [filter_line(pl_module.model)]
        # Processes that measure at the same time would measure one another.
        if self._threads == AUTO and pl_module.device.type == "cpu" and trainer.world_size == 1:
            with trainer.precision_plugin.forward_context():
                lines.append(choose_threads(pl_module, self._train))
        for line in filter(None, lines):
            note(line)
