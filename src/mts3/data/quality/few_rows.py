"""Channels whose variance a few rows make: codes for missing, as -9999, or faults of a sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mts3.data.core.resolution import FLICKER
from mts3.data.core.stored import Rows, StoredArray
from mts3.data.core.trajectory import Trajectory

# The hundredth of the rows farthest out, or those of the largest or the smallest value, make the variance where the
# standard deviation without them is this many times smaller: 99 % of the variance. Rain and other bursts stay below.
FEW, RATIO = 0.01, 10.0
# Rows of a channel that are looked at, evenly spaced: a share shows in them as well.
MOST_ROWS = 200_000


@dataclass(frozen=True)
class FewRows:
    """A channel, as "obs 'x'", its standard deviation, and that without the rows that make it."""

    channel: str
    std: float
    std_without: float


def made_by_few_rows(
    trajectories: Sequence[Trajectory], obs_names: Sequence[str], action_names: Sequence[str]
) -> list[FewRows]:
    """The channels whose variance 1 % of their rows make, or a single value at one end.

    Arrays that stay in their file are left out: it would take one more pass through what is larger than memory. So are
    channels that are constant otherwise, such as a signal that is given once.

    Args:
        trajectories: The training part, in physical units.
        obs_names, action_names: One a channel.
    """
    found: list[FewRows] = []
    for kind, names in (("obs", obs_names), ("actions", action_names)):
        arrays: list[Rows] = [getattr(trajectory, kind) for trajectory in trajectories]
        held = [array for array in arrays if not isinstance(array, StoredArray)]
        step = max(1, sum(map(len, held)) // MOST_ROWS)
        for channel, name in enumerate(names if held else ()):
            values = np.concatenate([np.asarray(array[::step, channel]) for array in held]).astype(np.float64)
            values = values[~np.isnan(values)]
            without = _std_without(values) if len(values) else None
            if without is not None and values.std() > RATIO * without:
                found.append(FewRows(f"{'obs' if kind == 'obs' else 'action'} '{name}'", float(values.std()), without))
    return found


def _std_without(values: np.ndarray) -> float | None:
    """The smallest standard deviation without such rows; None where it is next to nothing."""
    kept = len(values) - int(FEW * len(values))
    away = np.abs(values - np.median(values))
    rests = [
        values[np.argpartition(away, kept - 1)[:kept]],
        values[values > values.min()],
        values[values < values.max()],
    ]
    stds = [float(rest.std()) for rest in rests if len(rest) and rest.std() > FLICKER * np.abs(rest).max()]
    return min(stds, default=None)
