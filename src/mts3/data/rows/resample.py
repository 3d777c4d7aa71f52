"""Irregular time stamps -> a regular grid, with NaN where nothing was measured.

Each grid point takes the nearest observation within half a step. Nearest, not interpolated: every value was really
measured, angles that wrap and quantised readings survive, no value is a blend with one from later on, and noise stays
as large as the sensor's. The price is a time error of at most half a step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mts3.data.rows.clock import read_clock, tick
from mts3.data.rows.raw import RawTrajectory
from mts3.data.rows.sampling import ordered_times
from mts3.errors import UserError

# A longer silence, in steps, ends a trajectory unless the user says otherwise: what was commanded meanwhile is unknown.
MAX_GAP_STEPS = 10
# More grid points than this for each row of the file is a slip of units, as milliseconds given for seconds.
MOST_POINTS_PER_ROW = 100
# Rows agree on a phase of the grid if their mean direction on the circle of one step is longer than this.
LEAST_AGREEMENT = 0.5


class Account(NamedTuple):
    """What became of the rows.

    Attributes:
        rows, points: Rows of the file, and grid points made of them.
        merged: Rows that lie in one step with another one.
        dropped: Of these, rows with an observation that another one took the place of.
        filled: Grid points at which no row lies.
        cuts: Silences at which a trajectory was split.
        alone: Rows that are left out because they stand alone between two silences.
        unknown: Rows that are left out because no action is known before them.
    """

    rows: int = 0
    points: int = 0
    merged: int = 0
    dropped: int = 0
    filled: int = 0
    cuts: int = 0
    alone: int = 0
    unknown: int = 0

    def plus(self, other: Account) -> Account:
        """Both together."""
        return Account(*map(sum, zip(self, other, strict=True)))

    def words(self) -> str:
        """In one line."""
        parts = [
            f"{self.rows} rows in, {self.points} out",
            f"{self.merged} merged with another row in the same step",
            f"{self.filled} step{'s' * (self.filled != 1)} filled with NaN",
            f"{self.cuts} cut{'s' * (self.cuts != 1)} at silences",
        ]
        if self.alone:
            parts.append(f"{self.alone} left out that stand alone between silences")
        if self.unknown:
            parts.append(f"{self.unknown} left out before every action is known")
        return ", ".join(parts)


def resample(
    trajectories: Sequence[RawTrajectory], step: float | None = None, max_gap: float | None = None
) -> tuple[list[RawTrajectory], float, Account]:
    """Trajectories on regular grids, without times, the step of the grids in seconds, and what became of the rows.

    Observations: each channel takes its nearest observed value within half a step of a grid point, else NaN; at equal
    distance, as with a repeated time stamp, the later row wins. Where several rows lie in one step the others are left
    out: resampling to a coarser grid picks values and does not average. The grid lies where most time stamps are.
    Actions: held until the next one is known; a grid point takes the one in force half a step later, in the middle of
    the step it acts on. Grid points before every action is known are left out.
    Reward: the sum over the rows in a step, NaN where there is none.
    Silence: where no row comes for longer than `max_gap` the trajectory is split, and its pieces are named by their
    rows, as in run[0:120]. Pieces of a single grid point are left out.

    Args:
        trajectories: Each with times that do not decrease.
        step: Seconds; None takes the step of each trajectory's clock (`mts3.data.rows.clock`), and of those the median.
        max_gap: Seconds; None takes ten steps.

    Raises:
        UserError: for times that are missing or decrease, or if next to nothing remains.
    """
    shown = tick(trajectories)
    step = step or measured_step(trajectories)
    max_gap = max_gap or MAX_GAP_STEPS * step
    pieces: list[RawTrajectory] = []
    account = Account()
    for trajectory in trajectories:
        made, counted = _resample_one(trajectory, step, max_gap, shown)
        pieces += made
        account = account.plus(counted)
    if not pieces:
        raise UserError(
            f"resampled every {step:g} s, no trajectory has 2 rows in a row with every action known; "
            f"expected rows closer than max_gap={max_gap:g} s: choose a larger max_gap or another sample_time"
        )
    return pieces, step, account


def measured_step(trajectories: Sequence[RawTrajectory]) -> float:
    """The median over trajectories of the step of their clocks, in seconds.

    Raises:
        UserError: for times that are missing or decrease, or are all the same.
    """
    shown = tick(trajectories)
    steps = []
    for trajectory in trajectories:
        times = ordered_times(trajectory)
        if times[-1] == times[0]:
            raise UserError(
                f"trajectory '{trajectory.name}' has one time for all its rows; expected times that increase"
            )
        steps.append(read_clock(times, shown).step)
    return float(np.median(steps))


def _resample_one(
    trajectory: RawTrajectory, step: float, max_gap: float, shown: float
) -> tuple[list[RawTrajectory], Account]:
    times = ordered_times(trajectory) - ordered_times(trajectory)[0]
    place = times / step - _phase(times / step, shown / step)
    breaks = np.flatnonzero(np.diff(times) > max_gap) + 1
    edges = [0, *(int(row) for row in breaks), len(times)]
    pieces: list[RawTrajectory] = []
    account = Account(cuts=len(breaks))
    for first, last in itertools.pairwise(edges):
        name = trajectory.name if len(edges) == 2 else f"{trajectory.name}[{first}:{last}]"
        piece, counted = _on_grid(trajectory, place[first:last], slice(first, last), name)
        if len(piece) >= 2:
            pieces.append(piece)
        else:
            rows = last - first
            counted = Account(rows=rows, unknown=min(counted.unknown, rows), alone=rows - min(counted.unknown, rows))
        account = account.plus(counted)
    return pieces, account


def _phase(steps: np.ndarray, shown: float) -> float:
    """Where between two whole steps the grid points lie: -0.5 to 0.5.

    Most of the times (T,) lie there, in steps; of a clock that rounds to `shown` steps the middle of all of them.
    """
    if shown:
        phases = np.sort(steps % 1.0)
        free = np.diff(phases, append=phases[0] + 1.0)
        widest = int(np.argmax(free))
        if free[widest] >= (1.0 - shown) / 2 > 0:
            return float((phases[widest] + free[widest] / 2) % 1.0 - 0.5)
    direction = np.exp(2j * np.pi * steps).mean()
    return float(np.angle(direction) / (2 * np.pi)) if abs(direction) > LEAST_AGREEMENT else 0.0


def _on_grid(trajectory: RawTrajectory, place: np.ndarray, rows: slice, name: str) -> tuple[RawTrajectory, Account]:
    """The given rows on their grid; `place` (n,) is their time in steps, whole at the grid points."""
    point = np.floor(place + 0.5).astype(np.int64)
    distance = np.abs(place - point)
    point -= point[0]
    count = int(point[-1]) + 1
    if count > MOST_POINTS_PER_ROW * max(len(point), 2):
        raise UserError(
            f"resampling the {len(point)} rows of '{name}' would give {count} steps; expected sample_time and max_gap "
            "in seconds, as the times: check the units"
        )
    obs = np.full((count, trajectory.obs.shape[1]), np.nan, dtype=trajectory.obs.dtype)
    # Of several rows at one grid point the last one written stays: the nearest, and among equals the later.
    order = np.argsort(-distance, kind="stable")
    dropped = np.zeros(len(point), bool)
    for channel in range(obs.shape[1]):
        values = trajectory.obs[rows, channel]
        written = order[~np.isnan(values[order])]
        source = np.full(count, -1)
        source[point[written]] = written
        obs[source >= 0, channel] = values[source[source >= 0]]
        dropped[written] |= source[point[written]] != written
    in_force = np.searchsorted(point, np.arange(count), side="right") - 1
    # Each NaN takes the last known action above it.
    actions = np.asarray(trajectory.actions[rows])
    last = np.maximum.accumulate(np.where(np.isnan(actions), 0, np.arange(len(actions))[:, None]), axis=0)
    actions = np.take_along_axis(actions, last, axis=0)[in_force]
    known = np.isfinite(actions).all(1)
    start = int(np.argmax(known)) if known.any() else count
    reward = None if trajectory.reward is None else _summed(trajectory.reward[rows], point, count)[start:]
    piece = RawTrajectory(name, obs[start:], actions[start:], reward=reward)
    kept = point >= start
    points = len(np.unique(point[kept]))
    return piece, Account(
        rows=len(point),
        points=count - start,
        merged=int(kept.sum()) - points,
        dropped=int((dropped & kept).sum()),
        filled=count - start - points,
        unknown=int((~kept).sum()),
    )


def _summed(reward: np.ndarray, point: np.ndarray, count: int) -> np.ndarray:
    known = ~np.isnan(reward)
    total, rows = (
        np.bincount(point[known], weights, minlength=count).astype(np.float64) for weights in (reward[known], None)
    )
    return np.where(rows > 0, total, np.nan)
