"""A few rows far from all else: values that look like codes for missing, as -9999, and faults of a sensor.

One number again and again, far from everything else in its channel, is a code. Whatever the cause, a few rows can make
the variance of a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mts3.data.core.resolution import FLICKER
from mts3.data.core.stored import Rows, StoredArray
from mts3.data.core.trajectory import Trajectory

# From this many times on, where no fill value of old makes one enough.
TIMES = 5
FILLS = tuple(map(np.float32, (9.969209968386869e36, 1e20, 1e30, 1e35, -999, -9999, -99999, 9999, 99999)))
# The rest takes at least this many values: a switch has two, far apart.
LEAST_VALUES = 10
# On either side: -999 stands beside -9999.
MOST_CODES = 3
# What is a code in one channel is one in others where it lies outside, by this share of the range.
SHARED_GAP, SHARED_TIMES = 0.1, 2
# The hundredth of the rows farthest out, or those of the largest or the smallest value, make the variance where the
# standard deviation without them is this many times smaller: 99 % of the variance. Rain and other bursts stay below.
FEW, RATIO = 0.01, 10.0
# Rows of a channel that are looked at, evenly spaced: a share shows in them as well.
MOST_ROWS = 200_000


def codes_of(channels: Sequence[Sequence[np.ndarray]]) -> list[tuple[float, ...]]:
    """The codes for missing in each channel of a recording.

    A code lies beyond all other values by more than their whole range; 0 is never one, for pumps stand still. A code
    of one channel may lie closer in another: -200 is far from temperatures, and less so from concentrations.

    Args:
        channels: For each channel its values in each trajectory, (T_i,), NaN = not observed.
    """
    # Each finite value of a channel, in order, and how often it comes.
    observed = [np.concatenate([array[np.isfinite(array)] for array in values]) for values in channels]
    tables = [np.unique(values.astype(np.float64), return_counts=True) for values in observed]
    found = [_far(values, counts) for values, counts in tables]
    shared = {code for codes in found for code in codes}
    return [
        tuple(sorted({*codes, *_shared(values, counts, shared)}))
        for codes, (values, counts) in zip(found, tables, strict=True)
    ]


def _far(values: np.ndarray, counts: np.ndarray) -> list[float]:
    """As many values from both ends as are repeated and lie beyond the rest by more than its range."""
    fill = np.isin(values.astype(np.float32), FILLS)
    repeated = ((counts >= TIMES) | fill) & (values != 0)
    best: list[float] = []
    for low in range(MOST_CODES + 1):
        for high in range(MOST_CODES + 1):
            end = len(values) - high
            if low >= end or not (repeated[:low].all() and repeated[end:].all()):
                continue
            few = end - low < LEAST_VALUES and not (fill[:low].all() and fill[end:].all())
            extent = values[end - 1] - values[low]
            near = (low > 0 and values[low] - values[low - 1] <= extent) or (
                high > 0 and values[end] - values[end - 1] <= extent
            )
            if not few and not near and low + high > len(best):
                best = [*values[:low].tolist(), *values[end:].tolist()]
    return best


def _shared(values: np.ndarray, counts: np.ndarray, codes: set[float]) -> list[float]:
    """Those of the codes of other channels that lie outside the rest of this one."""
    mine = np.isin(values, list(codes))
    rest = values[~mine]
    if len(rest) < LEAST_VALUES:
        return []
    gap = SHARED_GAP * (rest[-1] - rest[0])
    outside = (values < rest[0] - gap) | (values > rest[-1] + gap)
    return values[mine & outside & (counts >= SHARED_TIMES)].tolist()


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
