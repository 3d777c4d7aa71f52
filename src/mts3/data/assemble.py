"""Rows of a file with ids and times -> trajectories of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mts3.data.columns import Columns
from mts3.data.raw import RawRecording, RawTrajectory, RefusedRows
from mts3.data.resample import ordered_times
from mts3.data.resample import resample as resampled
from mts3.data.resolution import as_floats
from mts3.data.stored import Rows
from mts3.data.trajectory import Dataset, Trajectory, channels_called
from mts3.errors import UserError

# Clocks jitter; beyond this share of the median step a recording counts as irregular.
TIME_TOLERANCE = 0.1
RESAMPLE = "resample with data.columns.resample=true (mts3 data import: resample=true)"


def assemble(
    path: Path,
    obs: Rows,
    actions: Rows,
    obs_names: tuple[str, ...],
    action_names: tuple[str, ...],
    columns: Columns,
    ids: np.ndarray | None = None,
    times: np.ndarray | None = None,
    reward: Rows | None = None,
) -> tuple[Dataset, tuple[str, ...]]:
    """One data set out of the rows of a file, and what to say about it, a line each.

    Args:
        path: Gives the name.
        obs: (R, O), NaN = not observed.
        actions: (R, A).
        obs_names, action_names: One a column.
        columns: The user's mapping; its sample_time, max_gap, resample and action_shift count.
        ids: (R,) what tells trajectories apart, in any order of rows; None: one recording.
        times: (R,) seconds; None: no times.
        reward: (R,) NaN = not known; None: no reward.

    Raises:
        RefusedRows: a UserError that carries the rows, for times that do not increase regularly (with `resample`: that
            decrease or are missing), and for all that Trajectory and Dataset refuse.
    """
    if len(obs) == 0:
        raise UserError(f"{path} has a header and no rows; expected at least 2 rows of data")
    # Before the split into trajectories: a float32 array is then kept as it is, its pieces are views.
    obs, actions = as_floats(obs, f"observations in {path}"), as_floats(actions, f"actions in {path}")
    raw = tuple(
        RawTrajectory(
            name,
            obs[rows],
            actions[rows],
            None if times is None else times[rows],
            None if reward is None else reward[rows],
        )
        for name, rows in _groups(ids, path.stem)
    )
    whole = tuple(trajectory for trajectory in raw if len(trajectory) > 1) or raw
    notes = (one_row_note(len(raw) - len(whole)),) if len(whole) < len(raw) else ()
    raw = tuple(trajectory.with_actions_moved(columns.action_shift) for trajectory in whole)
    try:
        if columns.resample:
            pieces, step = resampled(raw, columns.sample_time, columns.max_gap)
        else:
            pieces, measured = raw, _common_step(raw, path)
            step = columns.sample_time or measured
        with channels_called(obs_names, action_names):
            trajectories = tuple(Trajectory(p.obs, p.actions, p.name, p.reward) for p in pieces)
        dataset = Dataset(
            name=path.stem,
            trajectories=trajectories,
            obs_names=obs_names,
            action_names=action_names,
            sample_time=step,
        )
    except UserError as error:
        recording = RawRecording(path.stem, raw, obs_names, action_names, columns.sample_time)
        where = "" if str(path) in str(error) else f"{path}: "
        raise RefusedRows(f"{where}{error}", recording) from error
    return dataset, notes


def one_row_note(count: int) -> str:
    """What is said of trajectories of one row, which hold no step."""
    return f"left out {count} trajector{'y' if count == 1 else 'ies'} of one row: no step to learn from"


def regular_step(trajectory: RawTrajectory, path: Path) -> float:
    """The median step between the times of a trajectory, in seconds.

    Raises:
        UserError: if a time is missing, does not increase, or if a step differs by more than 10 % from the median.
    """
    times = ordered_times(trajectory)
    steps = np.diff(times)
    where = f"trajectory '{trajectory.name}' of {path}"
    if (steps == 0).any():
        row = int(np.argmax(steps == 0)) + 1
        raise UserError(
            f"{where}: rows {row - 1} and {row} have the same time, {times[row]:g}; expected it to increase: "
            f"leave one out, {RESAMPLE}, or name the column that tells trajectories apart with "
            "data.columns.trajectory=NAME"
        )
    median = float(np.median(steps))
    off = np.abs(steps - median) > TIME_TOLERANCE * median
    if off.any():
        row = int(np.argmax(off)) + 1
        raise UserError(
            f"{where}: irregular times, {int(off.sum())} of {len(steps)} steps differ by more than 10 % from "
            f"the median of {median:g} s, first at row {row} ({steps[row - 1]:g} s); expected regular sampling: "
            f"{RESAMPLE}, which leaves NaN where nothing was measured"
        )
    return median


def _common_step(raw: Sequence[RawTrajectory], path: Path) -> float:
    """The median step of all trajectories, in seconds; 1 where there are no times."""
    if raw[0].times is None:
        return 1.0
    steps = [regular_step(trajectory, path) for trajectory in raw]
    if not np.allclose(steps, np.median(steps), rtol=TIME_TOLERANCE, atol=0.0):
        raise UserError(
            f"trajectories of {path} are sampled every {min(steps):g} to {max(steps):g} s; expected one rate: "
            f"{RESAMPLE}"
        )
    return float(np.median(steps))


def _groups(ids: np.ndarray | None, stem: str) -> list[tuple[str, slice | np.ndarray]]:
    """(name, rows) of each trajectory, in order of first appearance; rows keep the order of the file."""
    if ids is None:
        return [(stem, slice(None))]
    values, first, which = np.unique(ids, return_index=True, return_inverse=True)
    groups: list[tuple[str, slice | np.ndarray]] = []
    for group in np.argsort(first):
        rows = np.flatnonzero(which == group)
        together = len(rows) == rows[-1] - rows[0] + 1
        groups.append((str(values[group]), slice(int(rows[0]), int(rows[-1]) + 1) if together else rows))
    return groups
