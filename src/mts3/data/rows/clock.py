"""The clock behind time stamps: how far they lie apart, how finely it counts, where rows are missing.

A clock that shows whole milliseconds gives 12 and 13 ms for rows that are 12.5 ms apart. So a step is span over count,
by least squares over all rows between gaps, and steps may differ by what the clock can show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mts3.data.rows.raw import RawTrajectory

# Clocks jitter; beyond this share of the median step a recording counts as irregular.
TIME_TOLERANCE = 0.1
# From this many usual steps on at least one row is missing.
GAP_STEPS = 1.5
# A clock rounds, and is not irregular, where at least so many steps show it; where they could be rows that are missing,
# as 10 and 20 ms, also at least this share of all.
LEAST_UNEVEN, LEAST_DOUBLE = 5, 0.1
# The times of a clock that rounds stay within one tick of a line; the line itself is known to a part of it.
WITHIN = 1.25
# More different steps than this come from no coarse clock.
MOST_STEPS = 1000


class Clock(NamedTuple):
    """What the time stamps (T,) of one trajectory show.

    Attributes:
        step: Seconds from row to row; 1 where no time increases.
        uneven: (T-1,) steps forward that are neither regular nor whole missing rows.
        wide: (T-1,) steps across missing rows.
    """

    step: float
    uneven: np.ndarray
    wide: np.ndarray

    @property
    def regular(self) -> bool:
        """Whether every step forward is a usual one."""
        return not (self.uneven.any() or self.wide.any())


def read_clock(times: np.ndarray, tick: float = 0.0) -> Clock:
    """The clock of one trajectory.

    Args:
        times: (T,) seconds, in any order; NaN where one is missing.
        tick: What `tick` finds for the file.
    """
    steps = np.diff(times)
    forward = steps[steps > 0]
    if not len(forward):
        return Clock(1.0, np.zeros(len(steps), bool), np.zeros(len(steps), bool))
    usual = float(np.median(forward))
    noise = _noise(times)
    near = (steps > 0) & (np.abs(steps - usual) <= TIME_TOLERANCE * usual)
    step, _ = _line(times, near, usual)
    if tick:
        shown = (steps > 0) & (np.abs(steps - usual) <= max(TIME_TOLERANCE * usual, tick) + noise)
        rounded, apart = _line(times, shown, usual)
        if apart <= WITHIN * tick + noise:
            near, step = shown, rounded
    wide = (steps > GAP_STEPS * usual) & ~near
    # Where most steps are of their own length there is no common one to measure.
    return Clock(step if 2 * near.sum() >= len(forward) else usual, (steps > 0) & ~near & ~wide, wide)


def tick(trajectories: Sequence[RawTrajectory]) -> float:
    """The smallest step that the clock of a file can show, in seconds, where its steps show that it rounds; else 0."""
    every = [np.diff(t.times) for t in trajectories if t.times is not None]
    every = [steps[steps > 0] for steps in every if (steps > 0).any()]
    if not every:
        return 0.0
    spacing = max(t.written.spacing for t in trajectories)
    noise = max(_noise(t.times) for t in trajectories if t.times is not None)
    quantum = _common_divisor(np.concatenate(every), noise)
    count = uneven = double = 0
    for steps in every:
        usual = np.median(steps)
        off = (np.abs(steps - usual) > TIME_TOLERANCE * usual) & (steps <= GAP_STEPS * usual + quantum)
        count += len(steps)
        uneven += int(off.sum())
        double += int((off & (np.abs(steps - 2 * usual) <= TIME_TOLERANCE * usual)).sum())
    missing = uneven == double and double < LEAST_DOUBLE * count
    return max(spacing, 0.0 if uneven < LEAST_UNEVEN or missing else quantum)


def usual_step(times: np.ndarray) -> float:
    """The median of the steps forward, in seconds; 1 where there is none."""
    steps = np.diff(times[np.isfinite(times)])
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0


def in_distinct_digits(first: float, second: float) -> tuple[str, str]:
    """Two different times as text, with as many digits as it takes to see how far they are apart, at least six."""
    digits = math.log10(max(abs(first), abs(second)) / abs(first - second)) + 3
    return f"{first:.{min(17, max(6, math.ceil(digits)))}g}", f"{second:.{min(17, max(6, math.ceil(digits)))}g}"


def _noise(times: np.ndarray) -> float:
    """By how much a difference of times as large as these may be off, in float64."""
    return 4 * float(np.spacing(np.abs(times[np.isfinite(times)]).max(initial=0.0)))


def _line(times: np.ndarray, near: np.ndarray, usual: float) -> tuple[float, float]:
    """The slope of `times` over rows, common to all runs of `near` steps, and how far a run lies off its line."""
    if not near.any():
        return usual, math.inf
    run = np.r_[0, np.cumsum(~near)]
    inside = np.r_[near, False] | np.r_[False, near]
    run, row, seconds = run[inside], np.flatnonzero(inside).astype(np.float64), times[inside]
    starts = np.flatnonzero(np.r_[True, np.diff(run) > 0])
    length = np.diff(np.r_[starts, len(run)])
    # From the first of each run: large times would lose their last digits in sums.
    row, seconds = row - np.repeat(row[starts], length), seconds - np.repeat(seconds[starts], length)
    row -= np.repeat(np.add.reduceat(row, starts) / length, length)
    seconds -= np.repeat(np.add.reduceat(seconds, starts) / length, length)
    squares_of_rows = float(row @ row)
    slope = float(row @ seconds) / squares_of_rows
    off = seconds - slope * row
    apart = float((np.maximum.reduceat(off, starts) - np.minimum.reduceat(off, starts)).max())
    jitter = float(np.abs(np.diff(times)[near] - slope).max())
    # Twice what an error of every row, as large as this, moves the slope by.
    known_to = 0.6 * jitter / math.sqrt(squares_of_rows)
    return _simplest(slope - known_to, slope + known_to), apart


def _simplest(low: float, high: float) -> float:
    """The fraction with the smallest denominator between two numbers > 0: 1/80 rather than 0.0125002."""

    def between(low: Fraction, high: Fraction) -> Fraction:
        whole = math.ceil(low)
        if whole <= high:
            return Fraction(whole)
        return whole - 1 + 1 / between(1 / (high - whole + 1), 1 / (low - whole + 1))

    return float(between(Fraction(low), Fraction(high))) if 0 < low < high else (low + high) / 2


def _common_divisor(steps: np.ndarray, noise: float) -> float:
    """The largest number whose multiples all `steps` (n,) > 0 are, up to noise; 0 where it would be small beside them.

    Euclid's rule, on what differs.
    """
    values = np.unique(steps)
    values = values[np.diff(values, prepend=-np.inf) > noise]
    if len(values) > MOST_STEPS:
        return 0.0
    divisor = float(values[0])
    for value in values[1:].tolist():
        rest = value
        while rest > 8 * noise:
            divisor, rest = rest, abs(divisor - rest * round(divisor / rest))
        if divisor < 8 * noise or divisor < 0.01 * values[0]:
            return 0.0
    times = np.round(values / divisor)
    divisor = float(values @ times / (times @ times))
    return divisor if (np.abs(values - divisor * times) <= 8 * noise).all() else 0.0
