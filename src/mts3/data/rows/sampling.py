"""The one step of a recording that is sampled regularly, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mts3.data.rows.clock import TIME_TOLERANCE, in_distinct_digits, read_clock, tick
from mts3.data.rows.raw import RawTrajectory
from mts3.data.rows.time_causes import cause, set_forward
from mts3.errors import UserError

RESAMPLE = "resample with data.columns.resample=true (mts3 data import: resample=true)"
# A step that differs from the clock's by no more is the clock's, to the digits that people write.
SAME_STEP = 1e-3


def common_step(raw: Sequence[RawTrajectory], path: Path) -> float:
    """Seconds from row to row of all trajectories, which have times.

    Raises:
        UserError: for times that are missing or do not increase regularly, or trajectories of different rates.
    """
    shown = tick(raw)
    steps = [regular_step(trajectory, path, shown) for trajectory in raw]
    median = float(np.median(steps))
    if not np.allclose(steps, median, rtol=TIME_TOLERANCE, atol=0.0):
        raise UserError(
            f"trajectories of {path} are sampled every {min(steps):g} to {max(steps):g} s; expected one rate: "
            f"{RESAMPLE}"
        )
    return median


def agreed_step(given: float, measured: float, path: Path) -> tuple[str, ...]:
    """What to say where a `given` step is taken though the clock shows another one, a little off.

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


def regular_step(trajectory: RawTrajectory, path: Path, shown: float = 0.0) -> float:
    """The step between the times of a trajectory, in seconds.

    Args:
        trajectory: With times.
        path: For errors.
        shown: The smallest step that the clock can show, as `tick` finds it.

    Raises:
        UserError: if a time is missing, does not increase, or if a step differs from the median by more than 10 % and
            by more than the clock can show.
    """
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
