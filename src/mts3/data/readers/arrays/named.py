"""Arrays under names, as npz and HDF5 have them -> a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mts3.data.core.matching import aligned
from mts3.data.core.resolution import as_floats
from mts3.data.core.stored import Rows, hold_last
from mts3.data.core.trajectory import Dataset, Trajectory, channels_called
from mts3.data.readers.arrays.ends import ends_note, episode_ids, marks_notes
from mts3.data.readers.result import ReadResult, listed, note_of, refuse_marks, refuse_resampling, roles
from mts3.data.readers.values.times import seconds
from mts3.data.rows.assemble import assemble
from mts3.data.rows.columns import EXAMPLE, Columns
from mts3.data.rows.raw import RawTrajectory, Written
from mts3.errors import UserError

# Of numpy, in which a date or a number with a comma may be written.
TEXT = "UTSO"
# This many times more channels than rows are more likely rows and channels that changed places.
WIDE = 10
Names = tuple[tuple[str, ...], tuple[str, ...]]
"""Of the channels of observations, and of those of actions."""
LONGER = (
    "actions have a row more than observations: actions[t] is taken to act between obs[t] and obs[t+1], and the last "
    "row is left out; if the first one led to obs[0], say action_shift=1 (mts3 train: data.columns.action_shift=1)"
)


def wanted_arrays(available: Mapping[str, object], columns: Columns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the arrays of observations and of actions: `obs` and `actions` unless the mapping says otherwise."""
    return columns.obs or ("obs",), columns.actions or (
        ("actions",) if "actions" in available and not columns.obs else ()
    )


def read_arrays(
    arrays: Mapping[str, Rows],
    columns: Columns,
    path: Path,
    kind: str,
    shapes: Mapping[str, tuple[int, ...]],
    units: Mapping[str, str] | None = None,
) -> ReadResult:
    """Arrays of a user: (T, O) or (T,), or (N, T, O) for N trajectories of one length.

    Actions may have a row less than the observations, or one more: actions[t] acts between obs[t] and obs[t+1], so that
    the row of the last observation acts on nothing, and one after it on less. Without a column of ids, rows (T, O) are
    cut into episodes where terminals or timeouts beside the observations mark an end, as D4RL has them.

    Args:
        arrays: By name; `columns` says which ones count.
        columns: The user's mapping; the names of arrays take the place of columns.
        path: For names and errors.
        kind: The format, in words.
        shapes: Of all arrays in the file by name, to say which are not used.
        units: By name of an array, of all its channels.

    Raises:
        UserError: for an array that is missing or holds no numbers, or shapes that do not fit.
    """
    obs_keys, action_keys = wanted_arrays(arrays, columns)
    obs, obs_names = _side_by_side(arrays, obs_keys, path)
    actions, action_names = (
        _side_by_side(arrays, action_keys, path) if action_keys else (np.empty((*obs.shape[:-1], 0), np.float32), ())
    )
    wide = _wide_note(obs, actions, path)
    surplus = _surplus(obs, actions, path)
    others = [name for name in (columns.reward, *columns.time, columns.trajectory) if name is not None]
    if not any(name in arrays and arrays[name].dtype.kind in TEXT for name in others):
        refuse_marks(columns, str(path))
    ends: tuple[str, ...] = ()
    if obs.ndim == 3:
        dataset, notes = _stacked(obs, actions, (obs_names, action_names), columns, path), ()
    else:
        if columns.trajectory is not None:
            ids = _vector(arrays, columns.trajectory, len(obs), path).astype(str)
        else:
            ids, ends = episode_ids(arrays, obs_keys[0], len(obs))
        times, written = None, Written()
        if columns.time:
            times, written = seconds([_vector(arrays, name, len(obs), path) for name in columns.time], columns, path)
        reward = None if columns.reward is None else _vector(arrays, columns.reward, len(obs), path)
        rows = RawTrajectory(path.stem, obs, actions, times, reward, written)
        dataset, notes = _one_after_the_other(rows, (obs_names, action_names), ids, columns, path)
        notes = (*ends_note(ids, ends), *notes)
    units = units or {}
    dataset = replace(
        dataset, obs_units=_units(arrays, obs_keys, units), action_units=_units(arrays, action_keys, units)
    )
    understood = roles(obs_keys, action_keys, columns.reward, columns.time, columns.trajectory)
    longer = (LONGER,) if surplus > 0 and columns.action_shift <= 0 else ()
    unused = {n: shape for n, shape in shapes.items() if n not in (*obs_keys, *action_keys, *others, *ends)}
    one = obs.ndim == 2 and columns.trajectory is None and not ends
    return ReadResult(
        dataset,
        kind,
        understood,
        (*longer, *wide, *notes, *note_of("not used", unused), *(marks_notes(unused, len(obs)) if one else ())),
    )


def _surplus(obs: Rows, actions: Rows, path: Path) -> int:
    """How many rows more actions have than observations: -1, 0 or 1.

    Raises:
        UserError: for shapes that do not fit.
    """
    surplus = actions.shape[-2] - obs.shape[-2]
    if actions.ndim != obs.ndim or actions.shape[:-2] != obs.shape[:-2] or abs(surplus) > 1:
        raise UserError(
            f"{path} has obs {obs.shape} and actions {actions.shape}; expected (T, obs_dim) and "
            "(T-1, T or T+1, action_dim), or (N, T, obs_dim) and (N, T-1, T or T+1, action_dim)"
        )
    return surplus


def _one_after_the_other(
    rows: RawTrajectory, names: Names, ids: np.ndarray | None, columns: Columns, path: Path
) -> tuple[Dataset, tuple[str, ...]]:
    """The rows of one recording, or of several that their ids tell apart."""
    actions = rows.actions
    if len(actions) > len(rows) and columns.action_shift > 0:
        actions = actions[1:]  # the first one led to obs[0]
        columns = replace(columns, action_shift=columns.action_shift - 1)
    actions = hold_last(actions) if len(actions) < len(rows) else actions[: len(rows)]
    return assemble(replace(rows, actions=actions), *names, columns, path, ids)


def _stacked(obs: Rows, actions: Rows, names: Names, columns: Columns, path: Path) -> Dataset:
    """N trajectories of one length; the first axis tells them apart, so there is no column of ids or times."""
    if columns.time or columns.trajectory is not None or columns.reward is not None:
        raise UserError(
            f"{path} has obs {obs.shape}, one trajectory a row already; give sample_time instead of columns for time "
            "and trajectory, and a reward with trajectories one after the other, (T, obs_dim)"
        )
    refuse_resampling(columns, str(path))
    obs, actions = as_floats(obs, f"observations in {path}"), as_floats(actions, f"actions in {path}")
    trajectories = []
    for n in range(len(obs)):
        name = f"{path.stem}-{n}"
        rows, own, _ = aligned(obs[n], actions[n], None, columns.action_shift, name)
        with channels_called(*names):
            trajectories.append(Trajectory(rows, own[: len(rows)], name))
    return Dataset(path.stem, tuple(trajectories), *names, columns.sample_time or 1.0)


def _side_by_side(arrays: Mapping[str, Rows], keys: tuple[str, ...], path: Path) -> tuple[Rows, tuple[str, ...]]:
    """The named arrays joined along their last axis, and a name a channel: KEY_0, KEY_1, ...; (T,) is one, KEY."""
    blocks: list[Rows] = []
    names: list[str] = []
    for key in keys:
        if key not in arrays:
            raise UserError(
                f"{path} has no array '{key}'; it has {listed(list(arrays)) or 'none'}; say which are what with "
                f"{EXAMPLE}"
            )
        block = arrays[key]
        if block.dtype.kind not in "fiub":
            raise UserError(f"array '{key}' of {path} is of type {block.dtype}; expected numbers")
        if block.ndim not in (1, 2, 3):
            raise UserError(
                f"array '{key}' of {path} has shape {block.shape}; expected (T,), (T, channels) or (N, T, channels)"
            )
        names += [key] if block.ndim == 1 else [f"{key}_{i}" for i in range(block.shape[-1])]
        block = np.asarray(block)[:, np.newaxis] if block.ndim == 1 else block
        if blocks and block.shape[:-1] != blocks[0].shape[:-1]:
            raise UserError(f"arrays '{keys[0]}' {blocks[0].shape} and '{key}' {block.shape} of {path} differ in rows")
        blocks.append(block)
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=-1)), tuple(names)


def _vector(arrays: Mapping[str, Rows], key: str, rows: int, path: Path) -> np.ndarray:
    """(R,) of an array (R,), or a column (R, 1) or row (1, R) of numbers."""
    if key not in arrays:
        raise UserError(f"{path} has no array '{key}'; it has {listed(list(arrays))}")
    if arrays[key].shape not in ((rows,), (rows, 1), (1, rows)):
        raise UserError(
            f"array '{key}' of {path} has shape {arrays[key].shape}; expected ({rows},), one entry a row of obs"
        )
    return np.asarray(arrays[key]).reshape(-1)


def _wide_note(obs: Rows, actions: Rows, path: Path) -> tuple[str, ...]:
    """A line where rows and channels of (T, O) seem to have changed places.

    Raises:
        UserError: if the actions say so, too.
    """
    if obs.ndim != 2 or actions.ndim != 2 or len(obs) == 0 or obs.shape[1] < WIDE * len(obs):
        return ()
    rows, channels = obs.shape
    if actions.shape[1] and min(abs(size - channels) for size in actions.shape) <= 1:
        raise UserError(
            f"{path} has obs {obs.shape} and actions {actions.shape}: {channels} steps seem to lie side by side, as "
            "MATLAB and Fortran write them; expected a row a step: transpose what is so (numpy: obs.T) and write the "
            "file again"
        )
    return (f"{rows} rows of {channels} channels: if they are {channels} rows of {rows}, transpose obs (numpy: obs.T)",)


def _units(arrays: Mapping[str, Rows], keys: tuple[str, ...], units: Mapping[str, str]) -> tuple[str, ...]:
    """One a channel."""
    return tuple(units.get(key, "") for key in keys for _ in range(math.prod(arrays[key].shape[1:][-1:])))
