"""Lightning's tips, tables and notices, kept off the terminal while it works for us."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
_EXPECTED = (
    ".*does not have many workers.*",  # data in memory needs none
    ".*is smaller than the logging interval.*",
    ".*ended before the epoch ended and your dataloader is not resumable.*",  # ours is: see EpochSampler
    ".*isinstance.*treespec, LeafSpec.*",  # torch 2.13 on Lightning's own code
    ".*GPU available but not used.*",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Run a block without Lightning's notices; errors and unexpected warnings stay. Puts everything back."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with warnings.catch_warnings():
        for message in _EXPECTED:
            warnings.filterwarnings("ignore", message)
        try:
            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
