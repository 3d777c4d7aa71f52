"""HDF5, through h5py (extra `data`): D4RL's flat arrays, Minari's episodes, and a user's arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.columns import Columns
from mts3.data.readers.arrays import arrays_reading, wanted_arrays
from mts3.data.readers.episodes import Episode, episodes_reading
from mts3.data.readers.hdf5_checks import child, is_number, leaves, read_all
from mts3.data.readers.reading import Reading, listed, reason
from mts3.data.stored import Rows, flat, row_chunks
from mts3.errors import UserError

EPISODE = re.compile(r"episode_(\d+)")
OBS, ACTIONS, REWARDS = "observations", "actions", "rewards"
ENDS = ("terminals", "timeouts")
# (steps, height, width, colours): a picture, not a list of channels.
PICTURE_AXES = 4


def read(path: Path, columns: Columns) -> Reading:
    """A data set from an HDF5 file.

    D4RL: observations, actions, rewards of all episodes one after the other, which end at terminals or timeouts.
    Minari: a group an episode. Else arrays obs and actions, or those that the mapping names, as in an npz.

    Raises:
        UserError: without h5py, for a damaged file, one that points outside itself, a dataset that is missing or holds
            no numbers, or declared sizes beyond `mts3.data.readers.limits`.
    """
    return read_hdf5(path, columns)


def read_hdf5(path: Path, columns: Columns, images: Sequence[str] = ()) -> Reading:
    """The same; `images` names parts of Minari's observations that hold encoded pictures, and are left out."""
    try:
        import h5py
    except ImportError as error:
        raise UserError(f'reading {path} needs h5py; install it with pip install "mts3[data]"') from error
    try:
        with h5py.File(path, "r") as file:
            names = list(file)
            mapped = bool(columns.obs) and all(name in file for name in columns.obs)
            if not mapped and any(map(EPISODE.fullmatch, names)):
                return _minari(file, path, columns, images)
            if not mapped and OBS in names and ACTIONS in names:
                return _d4rl(file, path, columns)
            return _arrays(file, path, columns)
    except UserError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no readable HDF5 file, or it is truncated ({reason(error)}); get it or write it again"
        ) from error


def _arrays(file: Any, path: Path, columns: Columns) -> Reading:
    obs, actions = wanted_arrays(file, columns)
    extra = [name for name in (columns.reward, *columns.time, columns.trajectory) if name is not None]
    arrays = read_all({name: _dataset(file, name, path) for name in (*obs, *actions, *extra)}, path)
    return arrays_reading(arrays, columns, path, "HDF5")


def _dataset(file: Any, name: str, path: Path) -> Any:
    found = child(file, name, path)
    if not hasattr(found, "shape"):
        raise UserError(f"'{name}' of {path} is no array; name one in it, as in {name}/x")
    return found


def _d4rl(file: Any, path: Path, columns: Columns) -> Reading:
    names = [OBS, ACTIONS, *(name for name in (REWARDS, *ENDS) if name in file)]
    arrays = read_all({name: _dataset(file, name, path) for name in names}, path)
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

    def episodes() -> Iterator[Episode]:
        for number, (start, stop) in enumerate(zip((0, *stops), stops, strict=False)):
            reward = flat(arrays[REWARDS])[start:stop] if REWARDS in arrays else None
            obs, actions = arrays[OBS][start:stop], arrays[ACTIONS][start:stop]
            yield Episode(f"episode_{number}", {"obs": obs}, {"action": actions}, reward)

    return episodes_reading(path, episodes(), columns, "D4RL HDF5", (note,))


def _minari(file: Any, path: Path, columns: Columns, images: Sequence[str]) -> Reading:
    numbers = sorted(int(found[1]) for found in map(EPISODE.fullmatch, file) if found)
    wanted: dict[str, Any] = {}
    left_out: dict[str, None] = {}
    for number in numbers:
        group = child(file, f"episode_{number}", path)
        for part, short in ((OBS, "obs"), (ACTIONS, "action")):
            for name, dataset in leaves(group, part, path).items():
                if not is_number(dataset) or dataset.ndim >= PICTURE_AXES or name in images:
                    left_out[name] = None
                else:
                    wanted[f"{number} {part} {short if name == part else name}"] = dataset
        if REWARDS in group:
            wanted[f"{number} {REWARDS} "] = _dataset(group, REWARDS, path)
    arrays = read_all(wanted, path)
    parts: dict[int, dict[str, dict[str, Rows]]] = {n: {OBS: {}, ACTIONS: {}, REWARDS: {}} for n in numbers}
    for key, array in arrays.items():
        number, part, name = key.split(" ", 2)
        parts[int(number)][part][name] = array
    if not all(part[OBS] for part in parts.values()):
        raise UserError(
            f"{path} has no observations but {listed(tuple(left_out))}; expected numbers, not images or text"
        )
    notes = (f"left out, images or text: {listed(tuple(left_out))}",) if left_out else ()
    episodes = (
        Episode(f"episode_{number}", part[OBS], part[ACTIONS], part[REWARDS].get("")) for number, part in parts.items()
    )
    return episodes_reading(path, episodes, columns, "Minari HDF5", notes)
