"""Several trajectories in one table that nobody told apart: which column does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mts3.data.rows.clock import read_clock

MOST_TRAJECTORIES = 10_000


def trajectory_column(
    times: np.ndarray, unused: Sequence[str], load: Callable[[list[str]], Mapping[str, np.ndarray]]
) -> str | None:
    """The first unused column whose values part the rows into trajectories of regular times; None for none.

    Args:
        times: (R,) seconds, which are not regular all together.
        unused: Columns that are nothing else.
        load: Reads the named ones.
    """
    for name in unused:
        _, which, counts = np.unique(load([name])[name].astype(np.str_), return_inverse=True, return_counts=True)
        if not 1 < len(counts) <= min(MOST_TRAJECTORIES, len(times) // 3) or counts.min() < 3:
            continue
        order = np.argsort(which, kind="stable")
        if all(_regular(own) for own in np.split(times[order], np.cumsum(counts)[:-1])):
            return name
    return None


def _regular(times: np.ndarray) -> bool:
    return bool((np.diff(times) > 0).all()) and read_clock(times).regular
