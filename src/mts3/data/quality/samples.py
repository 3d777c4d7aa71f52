"""What was observed of one channel in one trajectory, and how large its steps usually are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Span = tuple[int, int]  # first row, and the row after the last

# Steps over more than this many times the usual distance between samples say nothing about the signal.
NEAR_RATIO = 1.5


@dataclass(frozen=True)
class Samples:
    """The observed values of a channel in a trajectory, without what is missing between them.

    Attributes:
        rows: (n,) where they were observed.
        values: (n,) float64.
        steps: (n - 1,) from each value to the next one.
        near: (n - 1,) False where a step goes across a gap.
    """

    rows: np.ndarray
    values: np.ndarray
    steps: np.ndarray
    near: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Samples:
        """From (T,) values, NaN or infinite = not observed."""
        rows = np.flatnonzero(np.isfinite(values))
        observed = values[rows].astype(np.float64)
        distance = np.diff(rows)
        near = distance <= NEAR_RATIO * np.median(distance) if len(distance) else np.zeros(0, dtype=bool)
        return cls(rows, observed, np.diff(observed), near)

    def runs(self) -> tuple[np.ndarray, np.ndarray]:
        """First sample of each run of one value, and the sample after its last."""
        if len(self.rows) == 0:
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        changes = np.flatnonzero(self.steps) + 1
        return np.r_[0, changes], np.r_[changes, len(self.rows)]

    def span(self, first: int, end: int) -> Span:
        """The rows of the samples from number `first` up to `end`, exclusive."""
        return int(self.rows[first]), int(self.rows[end - 1]) + 1


@dataclass(frozen=True)
class Scale:
    """How a channel moves from sample to sample, over all its trajectories.

    Attributes:
        moving: (m,) sizes of all steps but those of zero and those across gaps.
        step: Their median.
        quantum: The smallest of them but for 1 %: the resolution of a quantised channel, next to nothing of others.
    """

    moving: np.ndarray
    step: float
    quantum: float

    @classmethod
    def of(cls, samples: Sequence[Samples]) -> Scale | None:
        """None where the channel never moves."""
        sizes = np.abs(np.concatenate([s.steps[s.near] for s in samples]))
        moving = sizes[sizes > 0]
        if len(moving) == 0:
            return None
        return cls(moving, float(np.median(moving)), float(np.quantile(moving, 0.01)))
