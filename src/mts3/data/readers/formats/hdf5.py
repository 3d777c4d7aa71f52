"""HDF5, through h5py (extra `data`): D4RL's flat arrays, a group an episode as Minari and robomimic have it, and a
user's arrays (NetCDF-4, MATLAB).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.core.stored import Rows, flat, row_chunks
from mts3.data.readers.arrays.ends import ENDS, ends_beside
from mts3.data.readers.arrays.episodes import Episode, left_out_notes, read_episodes
from mts3.data.readers.arrays.hdf5_checks import all_shapes, child, is_number, leaves, read_all
from mts3.data.readers.arrays.hdf5_values import time_unit, unit
from mts3.data.readers.arrays.minari_spaces import Description, described, plain_name
from mts3.data.readers.arrays.named import read_arrays, wanted_arrays
from mts3.data.readers.formats import reads
from mts3.data.readers.result import ReadResult, listed, note_of, reason
from mts3.data.rows.columns import EXAMPLE, Columns
from mts3.errors import UserError

OBS, ACTIONS, REWARDS = "observations", "actions", "rewards"
EPISODE, DEMO = re.compile(r"episode_(\d+)"), re.compile(r"demo_(\d+)")
DEMOS = "data"
MAIN_FILE = "main_data.hdf5"
# Nothing is lost with the last three: a group is an episode.
KNOWN = (ACTIONS, REWARDS, "terminations", "truncations", "dones")
# (steps, height, width, colours): a picture, not a list of channels.
PICTURE_AXES = 4


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
            if not mapped and any(map(EPISODE.fullmatch, file)):
                return _read_minari(file, path, columns)
            if not mapped and OBS in file and ACTIONS in file:
                return _d4rl(file, path, columns)
            if not mapped and "obs" not in file and _is_robomimic(file):
                return _read_robomimic(file, path, columns)
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


def _is_robomimic(file: Any) -> bool:
    """Whether episodes are groups data/demo_0, data/demo_1, .."""
    import h5py

    demos = file.get(DEMOS, getclass=True) is h5py.Group and isinstance(file.get(DEMOS, getlink=True), h5py.HardLink)
    return demos and any(map(DEMO.fullmatch, file[DEMOS]))


def _read_minari(file: Any, path: Path, columns: Columns) -> ReadResult:
    """Groups of observations (T+1, ..), actions and rewards; metadata.json beside the file says what they are."""
    said = described(path.parent if path.name == MAIN_FILE else path, file.attrs)
    episodes, notes = _episodes(file, path, EPISODE, ("observations", "obs"), said)
    return read_episodes(path, episodes, columns, "Minari HDF5", (*notes, *said.spaces_notes()), said.counts)


def _read_robomimic(file: Any, path: Path, columns: Columns) -> ReadResult:
    """Demonstrations of robomimic and robosuite: obs/KEY (T, ..), actions (T, ..) and rewards."""
    demos = child(file, DEMOS, path)
    if not any(f"{name}/obs" in demos for name in filter(DEMO.fullmatch, demos)):
        raise UserError(
            f"{path} holds demonstrations without observations; expected obs in data/demo_0: robomimic's "
            "dataset_states_to_obs.py makes them from the states"
        )
    episodes, notes = _episodes(demos, path, DEMO, ("obs", "obs"), Description())
    rate = _control_rate(demos)
    if rate is not None and columns.sample_time is None:
        columns = replace(columns, sample_time=1.0 / rate)
        notes = (*notes, f"env_args says {rate:g} steps a second")
    lists = [f"mask/{name}" for name in file["mask"]] if "mask" in file else []
    notes = (*notes, *note_of("not used, lists of demonstrations", lists))
    return read_episodes(path, episodes, columns, "robomimic HDF5", notes, (None, demos.attrs.get("total")))


def _episodes(
    root: Any, path: Path, pattern: re.Pattern[str], obs: tuple[str, str], said: Description
) -> tuple[Iterator[Episode], tuple[str, ...]]:
    """The episodes under a group, and what to say of what is left out.

    Args:
        root: The group.
        path: For errors.
        pattern: Of the names of episodes.
        obs: What observations are called there, and here.
        said: What is known of the parts.
    """
    names = sorted(filter(pattern.fullmatch, root), key=lambda name: int(name.rpartition("_")[2]))
    groups: list[tuple[str, dict[str, str], dict[str, str], str | None]] = []
    wanted: dict[str, Any] = {}
    left_out: dict[str, None] = {}
    for name in names:
        own, group, reward = ({}, {}), child(root, name, path), None
        for (part, whole), parts, into in zip((obs, (ACTIONS, "action")), (said.obs, said.actions), own, strict=True):
            for stored, dataset in leaves(group, part, path).items():
                plain = plain_name(stored, part, whole)
                if not is_number(dataset) or dataset.ndim >= PICTURE_AXES or plain in parts.images:
                    left_out[plain] = None
                else:
                    wanted[dataset.name] = dataset
                    into[dataset.name] = plain
        if REWARDS in group:
            dataset = child(group, REWARDS, path)
            reward, wanted[dataset.name] = dataset.name, dataset
        groups.append((name, *own, reward))
    others = [name for name in root[names[0]] if name not in (obs[0], *KNOWN)]
    left = left_out_notes(path, [own for _, own, *_ in groups], left_out, others)
    arrays, notes = read_all(wanted, path)

    def episodes() -> Iterator[Episode]:
        for name, *own, reward in groups:
            blocks: tuple[dict[str, Rows], dict[str, Rows]] = {}, {}
            for datasets, parts, into in zip(own, (said.obs, said.actions), blocks, strict=True):
                for stored, plain in datasets.items():
                    into |= parts.blocks(plain, arrays[stored], f"episode '{name}' of {path}")
            yield Episode(name, *blocks, None if reward is None else arrays[reward])

    return episodes(), (*notes, *left)


def _control_rate(demos: Any) -> float | None:
    """Steps a second, as robosuite's description of the environment has it."""
    try:
        rate = json.loads(demos.attrs["env_args"])["env_kwargs"]["control_freq"]
        return float(rate) if 0 < float(rate) < float("inf") else None
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
