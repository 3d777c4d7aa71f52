"""Arrays under names, as npz and HDF5 have them -> a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mts3.data.alignment import aligned
from mts3.data.assemble import assemble
from mts3.data.columns import Columns
from mts3.data.readers.reading import Reading, roles
from mts3.data.readers.times import seconds
from mts3.data.resolution import as_floats
from mts3.data.stored import Rows, hold_last
from mts3.data.trajectory import Dataset, Trajectory
from mts3.errors import UserError

LONGER = (
    "actions have a row more than observations: actions[t] is taken to act between obs[t] and obs[t+1], and the last "
    "row is left out; if the first one led to obs[0], say action_shift=1 (mts3 train: data.columns.action_shift=1)"
)


def wanted_arrays(available: Mapping[str, object], columns: Columns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the arrays of observations and of actions: `obs` and `actions` unless the mapping says otherwise."""
    return columns.obs or ("obs",), columns.actions or (
        ("actions",) if "actions" in available and not columns.obs else ()
    )


def arrays_reading(arrays: Mapping[str, Rows], columns: Columns, path: Path, kind: str) -> Reading:
    """Arrays of a user: (T, O), or (N, T, O) for N trajectories of one length.

    Actions may have a row less than the observations, or one more: actions[t] acts between obs[t] and obs[t+1], so that
    the row of the last observation acts on nothing, and one after it on less.

    Args:
        arrays: By name; `columns` says which ones count.
        columns: The user's mapping; the names of arrays take the place of columns.
        path: For names and errors.
        kind: The format, in words.

    Raises:
        UserError: for an array that is missing or holds no numbers, or shapes that do not fit.
    """
    obs_keys, action_keys = wanted_arrays(arrays, columns)
    obs, obs_names = _side_by_side(arrays, obs_keys, path)
    actions, action_names = (
        _side_by_side(arrays, action_keys, path) if action_keys else (np.empty((*obs.shape[:-1], 0), np.float32), ())
    )
    if (
        actions.ndim != obs.ndim
        or actions.shape[:-2] != obs.shape[:-2]
        or abs(surplus := actions.shape[-2] - obs.shape[-2]) > 1
    ):
        raise UserError(
            f"{path} has obs {obs.shape} and actions {actions.shape}; expected (T, obs_dim) and "
            "(T-1, T or T+1, action_dim), or (N, T, obs_dim) and (N, T-1, T or T+1, action_dim)"
        )
    build = _stacked if obs.ndim == 3 else _one_after_the_other
    dataset, notes = build(obs, actions, obs_names, action_names, arrays, columns, path)
    taken = roles(obs_keys, action_keys, columns.reward, columns.time, columns.trajectory)
    longer = surplus > 0 and columns.action_shift <= 0
    return Reading(dataset, kind, taken, (*((LONGER,) if longer else ()), *notes))


def _one_after_the_other(
    obs: Rows,
    actions: Rows,
    obs_names: tuple[str, ...],
    action_names: tuple[str, ...],
    arrays: Mapping[str, Rows],
    columns: Columns,
    path: Path,
) -> tuple[Dataset, tuple[str, ...]]:
    """The rows of one recording, or of several that a column of ids tells apart."""
    if len(actions) > len(obs) and columns.action_shift > 0:
        actions, shift = actions[1:], columns.action_shift - 1  # the first one led to obs[0]
        columns = replace(columns, action_shift=shift)
    actions = hold_last(actions) if len(actions) < len(obs) else actions[: len(obs)]
    return assemble(
        path,
        obs,
        actions,
        obs_names,
        action_names,
        columns,
        ids=None if columns.trajectory is None else _vector(arrays, columns.trajectory, len(obs), path).astype(str),
        times=seconds([_vector(arrays, name, len(obs), path) for name in columns.time], columns, path)
        if columns.time
        else None,
        reward=None if columns.reward is None else _vector(arrays, columns.reward, len(obs), path),
    )


def _stacked(
    obs: Rows,
    actions: Rows,
    obs_names: tuple[str, ...],
    action_names: tuple[str, ...],
    arrays: Mapping[str, Rows],
    columns: Columns,
    path: Path,
) -> tuple[Dataset, tuple[str, ...]]:
    """N trajectories of one length; the first axis tells them apart, so there is no column of ids or times."""
    if columns.time or columns.trajectory is not None or columns.reward is not None:
        raise UserError(
            f"{path} has obs {obs.shape}, one trajectory a row already; give sample_time instead of columns for time "
            "and trajectory, and a reward with trajectories one after the other, (T, obs_dim)"
        )
    obs, actions = as_floats(obs, f"observations in {path}"), as_floats(actions, f"actions in {path}")
    trajectories = []
    for n in range(len(obs)):
        name = f"{path.stem}-{n}"
        rows, own, _ = aligned(obs[n], actions[n], None, columns.action_shift, name)
        trajectories.append(Trajectory(rows, own[: len(rows)], name))
    return Dataset(path.stem, tuple(trajectories), obs_names, action_names, columns.sample_time or 1.0), ()


def _side_by_side(arrays: Mapping[str, Rows], keys: tuple[str, ...], path: Path) -> tuple[Rows, tuple[str, ...]]:
    """The named arrays joined along their last axis, and a name a channel: KEY_0, KEY_1, ..."""
    blocks: list[Rows] = []
    names: list[str] = []
    for key in keys:
        if key not in arrays:
            raise UserError(
                f"{path} has no array '{key}'; it has {', '.join(arrays) or 'none'}: name them with "
                "data.columns.obs=NAME data.columns.actions=NAME"
            )
        block = arrays[key]
        if block.dtype.kind not in "fiub":
            raise UserError(f"array '{key}' of {path} is of type {block.dtype}; expected numbers")
        if block.ndim not in (2, 3):
            raise UserError(
                f"array '{key}' of {path} has shape {block.shape}; expected (T, channels) or (N, T, channels)"
            )
        if blocks and block.shape[:-1] != blocks[0].shape[:-1]:
            raise UserError(f"arrays '{keys[0]}' {blocks[0].shape} and '{key}' {block.shape} of {path} differ in rows")
        blocks.append(block)
        names += [f"{key}_{i}" for i in range(block.shape[-1])]
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=-1)), tuple(names)


def _vector(arrays: Mapping[str, Rows], key: str, rows: int, path: Path) -> np.ndarray:
    if key not in arrays:
        raise UserError(f"{path} has no array '{key}'; it has {', '.join(arrays)}")
    if arrays[key].shape != (rows,):
        raise UserError(
            f"array '{key}' of {path} has shape {arrays[key].shape}; expected ({rows},), one entry a row of obs"
        )
    return np.asarray(arrays[key])
