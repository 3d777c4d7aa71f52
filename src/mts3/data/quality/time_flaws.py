"""Flaws in the time stamps of a trajectory, and in what they were taken for."""

from __future__ import annotations

import numpy as np

from mts3.data.quality.findings import Finding
from mts3.data.rows.clock import TIME_TOLERANCE, read_clock, usual_step
from mts3.data.rows.raw import RawDataset, RawTrajectory
from mts3.data.rows.sampling import Cause, cause, set_forward

DAY = 86400.0
# Nothing that is recorded as one system takes so long from row to row, or from the first row to the last.
LONGEST_STEP, LONGEST_SPAN = 32 * DAY, 50 * 365 * DAY


def time_flaws(trajectory: RawTrajectory, shown: float = 0.0) -> list[Finding]:
    """What is wrong with the times of one trajectory; nothing where it has none.

    Args:
        trajectory: As the file holds it.
        shown: The smallest step that the clock of the file can show, as `mts3.data.rows.clock.tick` finds it.
    """
    times = trajectory.times
    if times is None:
        return []
    found: list[Finding] = []

    def add(kind: str, rows: np.ndarray, before: int, words: str) -> None:
        found.extend(Finding.at(kind, trajectory.name, "", rows, words, before))

    missing = np.flatnonzero(~np.isfinite(times))
    add("time_missing", missing, 0, f"{len(missing)} of {len(times)} rows")
    steps = np.diff(times)
    back, same = np.flatnonzero(steps < 0) + 1, np.flatnonzero(steps == 0) + 1
    why = None if len(missing) else cause(trajectory)
    add(_kind(why, "time_back"), back, 1, f"{len(back)} of {len(steps)} steps{_because(why)}")
    add(_kind(why, "time_repeated"), same, 1, f"{len(same)} of {len(steps)} steps{_because(why)}")
    clock = read_clock(times, shown)
    usual = usual_step(times)
    odd, wide = np.flatnonzero(clock.uneven) + 1, np.flatnonzero(clock.wide) + 1
    off = f"differ by more than {TIME_TOLERANCE:.0%} from the median of {usual:g} s"
    add("irregular", odd, 1, f"{len(odd)} of {len(steps)} steps {off}")
    if len(wide):
        lost = int(np.round(steps[clock.wide] / clock.step - 1).sum())
        longest = f"the longest takes {steps.max():g} s{set_forward(trajectory)}"
        add("time_gap", wide, 1, f"{len(wide)} gap{'s' * (len(wide) > 1)}, about {lost} rows; {longest}")
    return found


def span_flaws(recording: RawDataset) -> list[Finding]:
    """A recording that would take longer than one can: its times seem to count in something else."""
    longest = max(recording.trajectories, key=len)
    step = recording.sample_time or (1.0 if longest.times is None else usual_step(longest.times))
    span = step * len(longest)
    if step <= LONGEST_STEP and span <= LONGEST_SPAN:
        return []
    return [Finding("time_unit", "", "", (), f"a step of {step:g} s is {step / DAY:.3g} days, {span / DAY:.3g} in all")]


def _kind(why: Cause | None, otherwise: str) -> str:
    return otherwise if why is None else why.kind


def _because(why: Cause | None) -> str:
    return "" if why is None else f"; {why}"
