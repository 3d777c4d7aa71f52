"""The one step of a recording that is sampled regularly, or why it has none.

What a log loses when it writes its times, so that they repeat or jump, is named before anything is advised.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mts3.data.rows.clock import TIME_TOLERANCE, in_distinct_digits, read_clock, tick
from mts3.data.rows.raw import RawTrajectory
from mts3.errors import UserError

RESAMPLE = "resample with data.columns.resample=true (mts3 data import: resample=true)"
# A step that differs from the clock's by no more is the clock's, to the digits that people write.
SAME_STEP = 1e-3
HOUR, DAY = 3600.0, 86400.0
# Clocks change twice a year.
LEAST_BETWEEN_CHANGES = 100 * DAY
# This share of the times stands in as many rows as the others.
ALIKE = 0.9
MIXED = "or name the column that tells trajectories apart with trajectory=NAME, where several are mixed"


def common_step(raw: Sequence[RawTrajectory], path: Path) -> float:
    """Seconds from row to row of all trajectories, which have times.

    Raises:
        UserError: for times that are missing or do not increase regularly, or trajectories of different rates.
    """
    shown = tick(raw)
    steps = [_regular_step(trajectory, path, shown) for trajectory in raw]
    median = float(np.median(steps))
    if not np.allclose(steps, median, rtol=TIME_TOLERANCE, atol=0.0):
        raise UserError(
            f"trajectories of {path} are sampled every {min(steps):g} to {max(steps):g} s; expected one rate: "
            f"{RESAMPLE}"
        )
    return median


def agreed_step(given: float, measured: float, path: Path) -> tuple[str, ...]:
    """What to say where a `given` step is used though the clock shows another one, a little off.

    Raises:
        UserError: where they are far from each other.
    """
    if not np.isclose(given, measured, rtol=TIME_TOLERANCE, atol=0.0):
        raise UserError(
            f"sample_time={given:g} and the times of {path}, every {measured:g} s, contradict each other; leave "
            f"sample_time out, say with time_unit what the times count in, or {RESAMPLE} if a grid of {given:g} s is "
            "wanted"
        )
    close = np.isclose(given, measured, rtol=SAME_STEP, atol=0.0)
    return () if close else (f"sample_time={given:g} is taken as given; the times are {measured:g} s apart",)


def _regular_step(trajectory: RawTrajectory, path: Path, shown: float) -> float:
    """Seconds from row to row of one of them, if no step differs from the median by more than 10 % and `shown`."""
    times = ordered_times(trajectory)
    steps = np.diff(times)
    where = f"trajectory '{trajectory.name}' of {path}"
    if (steps == 0).any():
        row = int(np.argmax(steps == 0)) + 1
        why = cause(trajectory) or (
            f"expected it to increase: leave one out, {RESAMPLE}, or name the column that tells trajectories apart "
            "with data.columns.trajectory=NAME"
        )
        time = f"{times[row]:.12g}{_unit(trajectory)}"
        raise UserError(f"{where}: data rows {row} and {row + 1} have the same time, {time}; {why}")
    clock = read_clock(times, shown)
    if not clock.regular:
        off = clock.uneven | clock.wide
        row = int(np.argmax(off)) + 1
        raise UserError(
            f"{where}: irregular times, {int(off.sum())} of {len(steps)} steps differ by more than 10 % from "
            f"the median of {np.median(steps):g} s, first at data row {row + 1} ({steps[row - 1]:g} s)"
            f"{set_forward(trajectory)}; expected regular sampling: {RESAMPLE}, which leaves NaN where nothing was "
            "measured"
        )
    return clock.step


def ordered_times(trajectory: RawTrajectory) -> np.ndarray:
    """The times (T,) of a trajectory, T at least 2, none missing, none before the one above.

    Raises:
        UserError: if they are not so.
    """
    times, where = trajectory.times, f"trajectory '{trajectory.name}'"
    if times is None:
        raise UserError(f"{where} has no times to resample by; name their column with data.columns.time=NAME")
    missing = np.flatnonzero(~np.isfinite(times))
    if len(missing):
        raise UserError(f"{where}: the time in data row {missing[0] + 1} is missing; expected a time in every row")
    if len(times) < 2:
        raise UserError(f"{where} has 1 row; expected at least 2: leave it out or give more data")
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        row = int(back[0]) + 1
        why = cause(trajectory) or (
            "expected it to increase: sort the rows, or name the column that tells trajectories apart with "
            "data.columns.trajectory=NAME"
        )
        first, second = in_distinct_digits(times[row - 1], times[row])
        raise UserError(
            f"{where}: the time goes from {first} to {second}{_unit(trajectory)} at data row {row + 1}; {why}"
        )
    return times


def _unit(trajectory: RawTrajectory) -> str:
    return " s after the first row" if trajectory.written.from_first else ""


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
    words = "; a step is one hour too long, as local times have it where clocks are set forward: UTC has no such step"
    return words if len(_changes(trajectory, HOUR)) else ""


def _changes(trajectory: RawTrajectory, by: float) -> np.ndarray:
    none = np.empty(0, np.int64)
    if trajectory.times is None or not trajectory.written.local or len(trajectory.times) < 3:
        return none
    times = trajectory.times
    rows = np.flatnonzero(_longer_by(times, by)) + 1
    most = 1 + np.ptp(times[np.isfinite(times)]) / LEAST_BETWEEN_CHANGES
    return rows if len(rows) <= most else none


def _longer_by(times: np.ndarray, by: float) -> np.ndarray:
    """(T-1,) which steps of (T,) times are as long as the others and `by` seconds more, or less where it is negative.

    None where rows are further apart than that.
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
