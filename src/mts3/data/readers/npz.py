"""npz: our own data sets, arrays of a user, and sets that come split into train and test. Never a pickle."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from mts3.data.assemble import assemble
from mts3.data.columns import Columns
from mts3.data.native import FORMAT_KEY, from_arrays
from mts3.data.readers.presplit import PRESPLIT_KEYS, presplit_dataset
from mts3.data.readers.table import seconds
from mts3.data.trajectory import Dataset, Trajectory, as_float32
from mts3.errors import UserError


def read(path: Path, columns: Columns) -> Dataset:
    """A data set from an npz file.

    Three layouts: our own (see `mts3.data.native`); train_obs, test_obs (N, T+1, O) with train_act, test_act (N, T, A),
    whose test part is kept; or a user's arrays, obs and actions unless the mapping names others, of shape (T, O) or
    (N, T, O). A mapping may name several arrays, which are put side by side.

    Raises:
        UserError: for a damaged file, pickled objects, a missing array, or shapes that do not fit.
    """
    arrays = load_arrays(path)
    if columns == Columns():
        if FORMAT_KEY in arrays:
            return from_arrays(arrays, path)
        if all(key in arrays for key in PRESPLIT_KEYS):
            return presplit_dataset(arrays, path)
    return _plain(arrays, columns, path)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array in an npz file.

    Raises:
        UserError: if the file is damaged, or holds pickled objects, which could run code.
    """
    try:
        # Opened here: numpy leaves a file open when it is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise zipfile.BadZipFile("not a zip archive")
            return {key: archive[key] for key in archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, OSError) as error:
        if "allow_pickle" in str(error) and zipfile.is_zipfile(path):
            raise UserError(
                f"{path} holds pickled objects, which could run code; save plain arrays of numbers"
            ) from error
        raise UserError(
            f"{path} is no readable npz file, or it is truncated ({error}); get it or write it again"
        ) from error


def _plain(arrays: dict[str, np.ndarray], columns: Columns, path: Path) -> Dataset:
    """Arrays of a user: (T, O), or (N, T, O) for N trajectories of one length."""
    obs, obs_names = _side_by_side(arrays, columns.obs or ("obs",), path)
    keys = columns.actions or (("actions",) if "actions" in arrays and not columns.obs else ())
    actions, action_names = _side_by_side(arrays, keys, path) if keys else (obs[..., :0], ())
    if (
        actions.ndim != obs.ndim
        or actions.shape[:-2] != obs.shape[:-2]
        or obs.shape[-2] - actions.shape[-2] not in (0, 1)
    ):
        raise UserError(
            f"{path} has obs {obs.shape} and actions {actions.shape}; expected (T, obs_dim) and "
            "(T or T-1, action_dim), or (N, T, obs_dim) and (N, T or T-1, action_dim)"
        )
    if obs.ndim == 3:
        return _stacked(obs, actions, obs_names, action_names, columns, path)
    if len(actions) < len(obs):
        actions = np.concatenate([actions, actions[-1:]])
    return assemble(
        path,
        obs,
        actions,
        obs_names,
        action_names,
        ids=None if columns.trajectory is None else _vector(arrays, columns.trajectory, len(obs), path).astype(str),
        times=None
        if columns.time is None
        else seconds(_vector(arrays, columns.time, len(obs), path), columns.time, path),
        sample_time=columns.sample_time,
        reward=None if columns.reward is None else _vector(arrays, columns.reward, len(obs), path),
    )


def _stacked(
    obs: np.ndarray,
    actions: np.ndarray,
    obs_names: tuple[str, ...],
    action_names: tuple[str, ...],
    columns: Columns,
    path: Path,
) -> Dataset:
    """N trajectories of one length; the first axis tells them apart, so there is no column of ids or times."""
    if columns.time is not None or columns.trajectory is not None or columns.reward is not None:
        raise UserError(
            f"{path} has obs {obs.shape}, one trajectory a row already; give sample_time instead of columns for time "
            "and trajectory, and a reward with trajectories one after the other, (T, obs_dim)"
        )
    obs, actions = as_float32(obs, f"observations in {path}"), as_float32(actions, f"actions in {path}")
    trajectories = tuple(Trajectory(obs[n], actions[n], f"{path.stem}-{n}") for n in range(len(obs)))
    return Dataset(path.stem, trajectories, obs_names, action_names, columns.sample_time or 1.0)


def _side_by_side(
    arrays: dict[str, np.ndarray], keys: tuple[str, ...], path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The named arrays joined along their last axis, and a name a channel: KEY_0, KEY_1, ..."""
    blocks: list[np.ndarray] = []
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


def _vector(arrays: dict[str, np.ndarray], key: str, rows: int, path: Path) -> np.ndarray:
    if key not in arrays:
        raise UserError(f"{path} has no array '{key}'; it has {', '.join(arrays)}")
    if arrays[key].shape != (rows,):
        raise UserError(
            f"array '{key}' of {path} has shape {arrays[key].shape}; expected ({rows},), one entry a row of obs"
        )
    return arrays[key]
