"""Flaws in the time stamps of a trajectory."""

from __future__ import annotations

import numpy as np

from mts3.data.assemble import TIME_TOLERANCE
from mts3.data.findings import Finding
from mts3.data.raw import RawTrajectory

# From this many usual steps on at least one row is missing.
GAP_STEPS = 1.5


def time_flaws(trajectory: RawTrajectory) -> list[Finding]:
    """What is wrong with the times of one trajectory; nothing where it has none."""
    times = trajectory.times
    if times is None:
        return []
    found: list[Finding] = []

    def add(kind: str, rows: np.ndarray, before: int, words: str) -> None:
        if len(rows):
            spans = tuple((int(row) - before, int(row) + 1) for row in rows)
            found.append(Finding(kind, trajectory.name, "", spans, words))

    missing = np.flatnonzero(~np.isfinite(times))
    add("time_missing", missing, 0, f"{len(missing)} of {len(times)} rows")
    steps = np.diff(times)
    back, same = np.flatnonzero(steps < 0) + 1, np.flatnonzero(steps == 0) + 1
    add("time_back", back, 1, f"{len(back)} of {len(steps)} steps")
    add("time_repeated", same, 1, f"{len(same)} of {len(steps)} steps")
    usual = usual_step(times)
    off = (steps > 0) & (np.abs(steps - usual) > TIME_TOLERANCE * usual)
    wide = off & (steps > GAP_STEPS * usual)
    odd = np.flatnonzero(off & ~wide) + 1
    add(
        "irregular",
        odd,
        1,
        f"{len(odd)} of {len(steps)} steps differ by more than {TIME_TOLERANCE:.0%} from the median of {usual:g} s",
    )
    rows = np.flatnonzero(wide) + 1
    if len(rows):
        lost = int(np.round(steps[wide] / usual - 1).sum())
        add(
            "time_gap",
            rows,
            1,
            f"{len(rows)} gap{'s' * (len(rows) > 1)}, about {lost} rows; the longest takes {steps.max():g} s",
        )
    return found


def usual_step(times: np.ndarray) -> float:
    """The median of the steps forward, in seconds; 1 where there is none."""
    steps = np.diff(times[np.isfinite(times)])
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
