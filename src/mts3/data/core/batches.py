"""Sequences of a data set, a batch at a time and in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from mts3.data.core.sequences import SequenceDataset
from mts3.types import Float, Tensor


def batches(
    sequences: SequenceDataset, indices: Sequence[int], batch_size: int
) -> Iterator[tuple[Float[Tensor, "B T+1 O"], Float[Tensor, "B T A"]]]:
    """Yield (obs, actions) of `indices`, the last batch as short as it is."""
    for start in range(0, len(indices), batch_size):
        items = [sequences[index] for index in indices[start : start + batch_size]]
        yield torch.stack([item["obs"] for item in items]), torch.stack([item["actions"] for item in items])
