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

MOST_SEED = 2**63 - 1  # what torch takes


def generator(seed: int, purpose: str, *position: int) -> torch.Generator:
    """A CPU generator that depends on all arguments and nothing else.

    Args:
        seed: The run's seed, from 0 to `MOST_SEED`.
        purpose: What the numbers are for, as in "masks": different purposes are independent.
        position: Where in the training, as in the epoch or the step and the rank.
    Raises:
        UserError: if `seed` lies outside.
    """
    check_seed(seed)
    # The number of positions is a part of the key: SeedSequence takes missing words for zeros.
    key = [seed, zlib.crc32(purpose.encode()), len(position), *position]
    words = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with torch's CPU generator at `seed`, then put it back: for modules that draw their parameters.

    Raises:
        UserError: if `seed` lies outside of 0 to `MOST_SEED`.
    """
    check_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def check_seed(seed: int | None, name: str = "seed") -> None:
    """Refuse a number that is no seed.

    Raises:
        UserError: naming it and its range.
    """
    if seed is None or not 0 <= seed <= MOST_SEED:
        expected = f"<= {MOST_SEED}" if seed is not None and seed > 0 else ">= 0"
        raise UserError(f"{name} must be a whole number {expected}, got {seed}")
