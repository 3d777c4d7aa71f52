"""Steps into windows, and what holds for a window back onto the windows and steps below it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from mts3.gaussian import Belief, Evidence
from mts3.types import Tensor


@dataclass(frozen=True)
class OverWindows:
    """A belief for every window a call touches, as the level below sees it.

    Attributes:
        belief: (B, K, 1) beliefs, or (B, K, H) where it changes from step to step within a window.
        window_len: H.
        taken: Steps of the first window that lie before the call.
    """

    belief: Belief
    window_len: int
    taken: int

    def spread(self, below_len: int, taken: int, count: int) -> Belief:
        """The same for `count` windows of `below_len` steps: (B, count, 1) or (B, count, below_len) beliefs.

        Args:
            below_len: A divisor of H.
            taken: Steps of the first of those windows that lie before the call.
            count: How many windows the call touches.
        """
        skip = (self.taken - taken) // below_len
        each = self.window_len // below_len

        def cut(fields: Tensor) -> Tensor:
            if fields.shape[2] == 1:
                below = fields.unsqueeze(2).expand(-1, -1, each, -1, -1)
            else:
                below = fields.unflatten(2, (each, below_len))
            return below.flatten(1, 2)[:, skip : skip + count]

        return self.belief.map(cut)


def into_windows(evidence: Evidence, gathered: Evidence, taken: int, window_len: int) -> Evidence:
    """(B, T, D) evidence cut into windows (B, K, H, D), `gathered` in the steps already taken of the first."""

    def cut(new: Tensor, old: Tensor) -> Tensor:
        short = -(taken + new.shape[1]) % window_len
        # The sum of the earlier steps sits in the first of them, so that sums and running sums both hold it.
        earlier = pad(old[:, None], (0, 0, 0, taken - 1))  # none at all if none were taken
        return torch.cat((earlier, pad(new, (0, 0, 0, short))), 1).unflatten(1, (-1, window_len))

    return Evidence(cut(evidence.precision, gathered.precision), cut(evidence.information, gathered.information))


def add_to_last(windows: Evidence, extra: Evidence | None) -> Evidence:
    """(B, K, D) evidence with `extra` (B, D) added to the last window."""
    if extra is None:
        return windows
    before = (0, 0, windows.precision.shape[1] - 1, 0)
    return windows + extra.map(lambda fields: pad(fields[:, None], before))
