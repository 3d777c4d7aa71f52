"""All randomness of a training comes from one seed and where in the training we are.

A number drawn for (seed, purpose, step) needs no state in the checkpoint: a resumed run draws what the uninterrupted
one would have drawn. Nobody's global generator moves.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mts3.errors import UserError


def generator(seed: int, purpose: str, *position: int) -> torch.Generator:
    """A CPU generator that depends on all arguments and nothing else.

    Args:
        seed: The run's seed, >= 0.
        purpose: What the numbers are for, as in "masks": different purposes are independent.
        position: Where in the training, as in the epoch or the step and the rank.
    Raises:
        UserError: if `seed` is negative.
    """
    _check(seed)
    # The number of positions is a part of the key: SeedSequence takes missing words for zeros.
    key = [seed, zlib.crc32(purpose.encode()), len(position), *position]
    words = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with torch's CPU generator at `seed`, then put it back: for modules that draw their parameters.

    Raises:
        UserError: if `seed` is negative.
    """
    _check(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _check(seed: int) -> None:
    if seed < 0:
        raise UserError(f"seed must be a whole number >= 0, got {seed}")
