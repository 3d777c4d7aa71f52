"""HDF5, through h5py (extra `data`): D4RL's flat arrays, a group an episode, and a user's arrays (NetCDF-4, MATLAB)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.core.stored import flat, row_chunks
from mts3.data.readers.arrays.ends import ENDS, ends_beside
from mts3.data.readers.arrays.episodes import Episode, read_episodes
from mts3.data.readers.arrays.hdf5_checks import all_shapes, child, read_all
from mts3.data.readers.arrays.hdf5_episodes import is_minari, is_robomimic, read_minari, read_robomimic
from mts3.data.readers.arrays.hdf5_values import time_unit, unit
from mts3.data.readers.arrays.named import read_arrays, wanted_arrays
from mts3.data.readers.formats import reads
from mts3.data.readers.result import ReadResult, listed, note_of, reason
from mts3.data.rows.columns import EXAMPLE, Columns
from mts3.errors import UserError

OBS, ACTIONS, REWARDS = "observations", "actions", "rewards"


@reads(".hdf5", ".h5", starts=(b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3 MAT-file"), place=4)
def read(path: Path, columns: Columns) -> ReadResult:
    """A data set from an HDF5 file.

    D4RL: observations, actions, rewards of all episodes one after the other, which end at terminals or timeouts.
    Minari and robomimic: a group an episode. Else arrays obs and actions, or those that the mapping names, as in an
    npz; of NetCDF-4 packed and missing values are understood, of MATLAB that it writes columns first.

    Raises:
        UserError: without h5py, for a damaged file, one that points outside itself, a dataset that is missing or holds
            no numbers, or declared sizes beyond `mts3.data.readers.limits`.
    """
    try:
        import h5py
    except ImportError as error:
        raise UserError(f'reading {path} needs h5py; install it with pip install "mts3[data]"') from error
    try:
        with h5py.File(path, "r") as file:
            mapped = bool(columns.obs) and all(name in file for name in columns.obs)
            if not mapped and is_minari(file):
                return read_minari(file, path, columns)
            if not mapped and OBS in file and ACTIONS in file:
                return _d4rl(file, path, columns)
            if not mapped and "obs" not in file and is_robomimic(file):
                return read_robomimic(file, path, columns)
            return _arrays(file, path, columns)
    except UserError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no readable HDF5 file, or it is truncated ({reason(error)}); get it or write it again"
        ) from error


def _arrays(file: Any, path: Path, columns: Columns) -> ReadResult:
    obs, actions = wanted_arrays(file, columns)
    if not columns.obs and len(file) and "obs" not in file:
        raise UserError(f"{path} has no 'obs'; it has {listed(list(file))}; say which are what with {EXAMPLE}")
    extra = [name for name in (columns.reward, *columns.time, columns.trajectory) if name is not None]
    datasets = {name: _dataset(file, name, path) for name in (*obs, *actions, *extra)}
    shapes = all_shapes(file)
    if columns.trajectory is None:
        datasets |= {name: child(file, name, path) for name in ends_beside(obs[0]) if shapes.get(name)}
    arrays, notes = read_all(datasets, path)
    if len(columns.time) == 1 and columns.time_unit is None:
        counts_in = time_unit(datasets[columns.time[0]], f"'{columns.time[0]}' of {path}")
        columns = replace(columns, time_unit=counts_in)
    units = {name: unit(datasets[name]) for name in (*obs, *actions)}
    result = read_arrays(arrays, columns, path, "HDF5", shapes, units)
    return replace(result, notes=(*notes, *result.notes))


def _dataset(file: Any, name: str, path: Path) -> Any:
    found = child(file, name, path)
    if "MATLAB_sparse" in found.attrs:
        raise UserError(f"'{name}' of {path} is a sparse matrix of MATLAB; expected a full one: save full({name})")
    if not hasattr(found, "shape"):
        raise UserError(f"'{name}' of {path} is no array; name one in it, as in {name}/x")
    return found


def _d4rl(file: Any, path: Path, columns: Columns) -> ReadResult:
    names = [OBS, ACTIONS, *(name for name in (REWARDS, *ENDS) if name in file)]
    arrays, said = read_all({name: _dataset(file, name, path) for name in names}, path)
    rows = arrays[OBS].shape[0] if arrays[OBS].ndim == 2 else -1
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) != rows or (name not in (OBS, ACTIONS) and array.size != rows):
            raise UserError(
                f"{path} has {OBS} {arrays[OBS].shape} and {name} {array.shape}; expected (R, obs_dim), and one row or "
                "one number for each of the R steps"
            )
    given = [name for name in ENDS if name in arrays]
    ends = [1 + start + np.flatnonzero(chunk) for name in given for start, chunk in row_chunks(flat(arrays[name]))]
    stops = np.unique(np.concatenate([*ends, [rows]]).astype(np.int64))
    note = f"{len(stops)} episodes, which end at {' or '.join(given)}" if given else "one recording: no terminals"
    if given == [ENDS[0]]:
        note += "; there are no timeouts: an episode that was cut off runs on into the next one"
    # Of the rest, what has a row a step; the weights of a policy and the like are no part of a recording.
    unused = [name for name, shape in all_shapes(file).items() if shape[:1] == (rows,) and name not in arrays]

    def episodes() -> Iterator[Episode]:
        for number, (start, stop) in enumerate(zip((0, *stops), stops, strict=False)):
            reward = flat(arrays[REWARDS])[start:stop] if REWARDS in arrays else None
            obs, actions = arrays[OBS][start:stop], arrays[ACTIONS][start:stop]
            yield Episode(f"episode_{number}", {"obs": obs}, {"action": actions}, reward)

    return read_episodes(path, episodes(), columns, "D4RL HDF5", (note, *said, *note_of("not used", unused)))
