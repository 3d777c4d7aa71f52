"""Sequences -> batches, shuffled by (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import chain

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from mts3.errors import UserError
from mts3.train.options import check_option
from mts3.train.randomness import generator


class EpochSampler(Sampler[int]):
    """A new order every epoch, the same for the same (seed, epoch), split evenly over the processes.

    Args:
        n: Number of sequences.
        seed: The run's seed.
        rank, world_size: Which share of each epoch is ours. Shares are equally long: up to `world_size` - 1 sequences
            come twice in an epoch.
    """

    def __init__(self, n: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self._n, self._seed, self._rank, self._world_size = n, seed, rank, world_size
        self._epoch, self._skip = 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; Lightning calls this at the start of every epoch."""
        if epoch != self._epoch:
            self._epoch, self._skip = epoch, 0

    def resume(self, epoch: int, skip: int) -> None:
        """Continue `epoch` after its first `skip` sequences; later epochs are whole again."""
        self._epoch, self._skip = epoch, skip

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(self._n, generator=generator(self._seed, "order", self._epoch))
        again = torch.arange(-self._n % self._world_size) % self._n  # all of it again, where there are few
        order = torch.cat((order, order[again]))[self._rank :: self._world_size][self._skip :]
        # Not one list: Python's numbers take four times the place.
        return chain.from_iterable(part.tolist() for part in order.split(4096))

    def __len__(self) -> int:
        # The whole epoch, also when a resumed one skips its beginning: Lightning counts the batches already done.
        return -(-self._n // self._world_size)


class SequenceDataModule(LightningDataModule):
    """Loaders of a training and a validation split.

    Args:
        train, validation: `mts3.data.SequenceDataset`, or anything with the same items.
        batch_size: Sequences a batch and a process.
        seed: The run's seed.
        num_workers: Loader processes. 0 is right for data in memory: cutting a window is cheaper than sending it.
    Raises:
        UserError: if a split is empty, or `batch_size` or `num_workers` out of range.
    """

    def __init__(
        self, train: Dataset, validation: Dataset, batch_size: int = 32, seed: int = 0, num_workers: int = 0
    ) -> None:
        super().__init__()
        check_option("batch_size", batch_size)
        check_option("num_workers", num_workers)
        for name, split in {"training": train, "validation": validation}.items():
            if _length(split) == 0:
                raise UserError(f"the {name} split holds no sequence; give more data or other split fractions")
        self._train, self._validation = train, validation
        self._batch_size, self._seed, self._num_workers = batch_size, seed, num_workers

    def train_dataloader(self) -> DataLoader:
        """Shuffled, from where the checkpoint stopped."""
        trainer = self.trainer
        assert trainer is not None
        sampler = EpochSampler(_length(self._train), self._seed, trainer.global_rank, trainer.world_size)
        # Lightning sets the epoch only after it made the first iterator, which may read ahead.
        epoch = trainer.fit_loop.epoch_progress.current.processed  # pyright: ignore[reportAttributeAccessIssue]
        batches_done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        skip = batches_done * self._batch_size
        sampler.resume(epoch, skip if skip < len(sampler) else 0)
        return self._loader(self._train, sampler)

    def val_dataloader(self) -> DataLoader:
        """In order. Every process validates the whole split: the same exact numbers everywhere, nothing to combine."""
        return self._loader(self._validation, None)

    def _loader(self, split: Dataset, sampler: EpochSampler | None) -> DataLoader:
        return DataLoader(
            split,
            self._batch_size,
            sampler=sampler,
            num_workers=self._num_workers,
            persistent_workers=self._num_workers > 0,
            generator=generator(self._seed, "workers"),  # without one, making an iterator moves the global generator
        )


def _length(split: Dataset) -> int:
    assert isinstance(split, Sized)
    return len(split)
