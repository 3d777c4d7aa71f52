"""Values that look like codes for missing: one number, again and again, far from everything else in its channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# From this many times on, where no fill value of old makes one enough.
TIMES = 5
FILLS = tuple(map(np.float32, (9.969209968386869e36, 1e20, 1e30, 1e35, -999, -9999, -99999, 9999, 99999)))
# The rest takes at least this many values: a switch has two, far apart.
LEAST_VALUES = 10
# On either side: -999 stands beside -9999.
MOST_CODES = 3
# What is a code in one channel is one in others where it lies outside, by this share of the range.
SHARED_GAP, SHARED_TIMES = 0.1, 2


def codes_of(channels: Sequence[Sequence[np.ndarray]]) -> list[tuple[float, ...]]:
    """The codes for missing in each channel of a recording.

    A code lies beyond all other values by more than their whole range; 0 is never one, for pumps stand still. A code
    of one channel may lie closer in another: -200 is far from temperatures, and less so from concentrations.

    Args:
        channels: For each channel its values in each trajectory, (T_i,), NaN = not observed.
    """
    tables = [_table(values) for values in channels]
    found = [_far(values, counts) for values, counts in tables]
    shared = {code for codes in found for code in codes}
    return [
        tuple(sorted({*codes, *_shared(values, counts, shared)}))
        for codes, (values, counts) in zip(found, tables, strict=True)
    ]


def _table(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Each finite value of a channel, in order, and how often it comes."""
    observed = np.concatenate([array[np.isfinite(array)] for array in arrays]).astype(np.float64)
    return np.unique(observed, return_counts=True)


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
