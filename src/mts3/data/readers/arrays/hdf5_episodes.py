"""HDF5 files with a group an episode: Minari's and robomimic's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mts3.data.core.stored import Rows
from mts3.data.readers.arrays.episodes import Episode, left_out_notes, read_episodes
from mts3.data.readers.arrays.hdf5_checks import child, is_number, leaves, read_all
from mts3.data.readers.arrays.minari_spaces import Description, described, plain_name
from mts3.data.readers.result import ReadResult, note_of
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

EPISODE, DEMO = re.compile(r"episode_(\d+)"), re.compile(r"demo_(\d+)")
DEMOS = "data"
MAIN_FILE = "main_data.hdf5"
ACTIONS, REWARDS = "actions", "rewards"
# Nothing is lost with the last three: a group is an episode.
KNOWN = (ACTIONS, REWARDS, "terminations", "truncations", "dones")
# (steps, height, width, colours): a picture, not a list of channels.
PICTURE_AXES = 4


def is_minari(file: Any) -> bool:
    """Whether episodes are groups episode_0, episode_1, .."""
    return any(map(EPISODE.fullmatch, file))


def is_robomimic(file: Any) -> bool:
    """Whether episodes are groups data/demo_0, data/demo_1, .."""
    import h5py

    demos = file.get(DEMOS, getclass=True) is h5py.Group and isinstance(file.get(DEMOS, getlink=True), h5py.HardLink)
    return demos and any(map(DEMO.fullmatch, file[DEMOS]))


def read_minari(file: Any, path: Path, columns: Columns) -> ReadResult:
    """Groups of observations (T+1, ..), actions and rewards; metadata.json beside the file says what they are.

    Raises:
        UserError: for no numbers among the observations, and what `read_episodes` refuses.
    """
    said = described(path.parent if path.name == MAIN_FILE else path, file.attrs)
    episodes, notes = _episodes(file, path, EPISODE, ("observations", "obs"), said)
    return read_episodes(path, episodes, columns, "Minari HDF5", (*notes, *said.spaces_notes()), said.counts)


def read_robomimic(file: Any, path: Path, columns: Columns) -> ReadResult:
    """Demonstrations of robomimic and robosuite: obs/KEY (T, ..), actions (T, ..) and rewards.

    Raises:
        UserError: as for `read_minari`.
    """
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
