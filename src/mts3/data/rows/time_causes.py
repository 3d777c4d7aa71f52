"""Why times repeat or jump: what a log loses when it writes them, named before anything is advised."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mts3.data.rows.clock import TIME_TOLERANCE, read_clock
from mts3.data.rows.raw import RawTrajectory

HOUR, DAY = 3600.0, 86400.0
# Clocks change twice a year.
LEAST_BETWEEN_CHANGES = 100 * DAY
# This share of the times stands in as many rows as the others.
ALIKE = 0.9
MIXED = "or name the column that tells trajectories apart with trajectory=NAME, where several are mixed"


class Cause(NamedTuple):
    """The `kind` of finding, what seems to have happened in `words`, and what to do (`advice`)."""

    kind: str
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.words}: {self.advice}"


def cause(trajectory: RawTrajectory) -> Cause | None:
    """Why times of a trajectory, none of them missing, repeat or go back; None where nothing tells."""
    if trajectory.times is None:
        return None
    steps = np.diff(trajectory.times)
    wrong = np.count_nonzero(steps <= 0)
    if not wrong:
        return None
    if wrong == len(_changes(trajectory, -HOUR)):
        return Cause(
            "clock_change",
            "an hour is written twice, as local times have it where clocks are set back",
            "write the times in UTC, or with their zone, as in 2024-10-27T02:30:00+01:00",
        )
    if wrong == np.count_nonzero(_longer_by(trajectory.times, -DAY) & (steps < 0)):
        return Cause(
            "time_back",
            "the time goes back by exactly one day, as the time of day does at midnight",
            "name the column of the date, too, with time=[DATE,TIME], or that of trajectories with trajectory=NAME",
        )
    return None if (steps < 0).any() else _rounded(trajectory.times, trajectory.written.spacing)


def set_forward(trajectory: RawTrajectory) -> str:
    """What tells of a clock that was set forward by an hour, of local times, in words; "" for nothing."""
    found = len(_changes(trajectory, HOUR)) > 0
    return (
        "; a step is one hour too long, as local times have it where clocks are set forward: UTC has no such step"
        * found
    )


def _changes(trajectory: RawTrajectory, by: float) -> np.ndarray:
    none = np.empty(0, np.int64)
    if trajectory.times is None or not trajectory.written.local or len(trajectory.times) < 3:
        return none
    times = trajectory.times
    rows = np.flatnonzero(_longer_by(times, by)) + 1
    most = 1 + np.ptp(times[np.isfinite(times)]) / LEAST_BETWEEN_CHANGES
    return rows if len(rows) <= most else none


def _longer_by(times: np.ndarray, by: float) -> np.ndarray:
    """(T-1,) which steps are as long as the others and `by` seconds more; none where rows are further apart than that.

    Args:
        times: (T,) seconds.
        by: Negative for a clock that goes back.
    """
    usual = read_clock(times).step
    return (np.abs(np.diff(times) - usual - by) <= TIME_TOLERANCE * usual) & (usual <= abs(by))


def _rounded(times: np.ndarray, spacing: float) -> Cause | None:
    """Times (T,) that lost their last digits: each stands in as many rows as the next one."""
    starts = np.flatnonzero(np.r_[True, np.diff(times) > 0])
    between = np.diff(times[starts])
    if not len(between):
        return None
    if np.median(between) <= 2 * spacing:
        return Cause(
            "time_rounded",
            f"the times are held in float32, whose numbers lie {spacing:g} s apart here",
            "write them as float64 or as whole numbers, or give sample_time=SECONDS without time=",
        )
    # The first and the last time may be cut off.
    rows = np.diff(starts)[1:]
    if len(rows) < 3:
        return None
    # Rounding to even digits gives 9 and 11 rows in turn.
    usual = np.median(rows)
    if usual < 2 or np.mean(np.abs(rows - rows.mean()) <= max(1.0, rows.mean() / 4)) < ALIKE:
        return None
    exact = np.mean(rows == usual) >= ALIKE
    count = float(usual if exact else rows.mean())
    apart = float(np.median(between))
    unit = "minute" if apart % 60 == 0 else "second" if apart % 1 == 0 else f"{apart:g} s"
    about = "" if exact else "about "
    return Cause(
        "time_rounded",
        f"each time stands in {about}{count:.4g} rows: what comes after the whole {unit} seems to be lost",
        f"give sample_time={apart / count:.6g} without time=, {MIXED}",
    )
