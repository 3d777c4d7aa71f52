"""The pneumatic muscle arm (PAM) of the Ac-RKN paper: 4 joints, 8 muscles. Never shipped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.data.readers.formats.npz import load_arrays
from mts3.data.sets.published import PAM as SOURCE
from mts3.errors import UserError

DATA_FOLDER_VARIABLE = "MTS3_DATA"
FILE_NAME = "pam.npz"
SOURCE_CHECKOUT = Path(__file__).resolve().parents[4]
SET_POINT_GAIN = 0.06
# The source names no rate. Episodes start 3 to 4 s apart and take about 0.01 s longer a step.
SAMPLE_TIME = 0.01
# In 58 % of the episodes the last row was read after the arm had been put back: the joints jump by up to 2 rad in one
# step (by less than 0.17 in 99.9 % of the others), whatever the action. The loader leaves every last row out.
POSITIONS, PRESSURES = slice(0, 4), slice(8, 16)
OBS_COLUMNS, MUSCLES = 24, 8


def load_pam(path: str | Path | None = None) -> Dataset:
    """The arm's joint positions, with the muscles' pressure set points as input.

    Args:
        path: `pam.npz`, or a folder of the source's JSON files (one episode each: `ob` (T, 24), `action`
            (T or T+1, 8)).
            None looks for pam.npz in the folder $MTS3_DATA, then in ../shared/data beside the current folder and
            beside the source checkout.

    Raises:
        UserError: if it is not found, with what to do, or if it is damaged.
    """
    path = Path(path) if path is not None else _find()
    if path.is_dir():
        episodes = _json_episodes(path)
    elif path.exists():
        episodes = _npz_episodes(path)
    else:
        raise UserError(
            f"there is no {path}; expected {FILE_NAME} or a folder of the source's JSON files, from {SOURCE}"
        )
    return Dataset(
        name="pam",
        trajectories=tuple(
            Trajectory(position[:-1], pressure_set_point(action[:-1], pressure[0]), name)
            for name, position, pressure, action in episodes
        ),
        obs_names=tuple(f"joint_{i}" for i in range(1, 5)),
        action_names=tuple(f"muscle_{i}" for i in range(1, 9)),
        sample_time=SAMPLE_TIME,
        attribution="Musculoskeletal arm of action-conditional-rkn (Shaj et al., CoRL 2020), MIT",
        obs_units=("rad",) * 4,
        action_units=("",) * 8,
    )


def pressure_set_point(action: np.ndarray, initial_pressure: np.ndarray) -> np.ndarray:
    """(T, 8) set points p_t = clip(p_{t-1} + 0.06 a_t, 0, 1), starting at the measured pressure.

    The recorded action is an increment of the set point: summed over time it correlates 0.92 with the pressure that is
    measured two steps later, the raw action at most 0.18.

    Args:
        action: (T, 8) recorded actions.
        initial_pressure: (8,) measured at the first step.
    """
    set_point = np.empty_like(action)
    current = initial_pressure
    for t, increment in enumerate(action):
        # Not a clipped sum: a set point that rests at a limit leaves it with the next increment of the other sign.
        current = np.minimum(np.maximum(current + SET_POINT_GAIN * increment, 0.0), 1.0)
        set_point[t] = current
    return set_point


def _find() -> Path:
    folders = [start.parent / "shared" / "data" for start in (Path.cwd(), SOURCE_CHECKOUT)]
    if os.environ.get(DATA_FOLDER_VARIABLE):
        folders.insert(0, Path(os.environ[DATA_FOLDER_VARIABLE]))
    for folder in folders:
        if (folder / FILE_NAME).exists():
            return folder / FILE_NAME
    raise UserError(
        f"data set 'pam' does not ship with the package and no {FILE_NAME} was found; give it with data.path=FILE "
        f"(or the folder of the source's JSON files, from {SOURCE}), or name its folder in the environment variable "
        f"{DATA_FOLDER_VARIABLE}"
    )


Episode = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def _npz_episodes(path: Path) -> Iterator[Episode]:
    """(name, joint positions (T, 4), pressures (T, 8), actions (T, 8)) of each episode."""
    arrays = {name: np.asarray(array) for name, array in load_arrays(path).items()}
    keys = ("joint_position", "pressure", "action", "episode_length", "episode_name")
    missing = [key for key in keys if key not in arrays]
    if missing:
        raise UserError(f"{path} is not the PAM file: it has no array '{missing[0]}'; expected {', '.join(keys)}")
    position, pressure, action, lengths, names = (arrays[key] for key in keys)
    end = 0
    for name, length in zip(names, lengths, strict=True):
        rows = slice(end, end := end + int(length))
        yield str(name), position[rows], pressure[rows], action[rows]


def _json_episodes(folder: Path) -> Iterator[Episode]:
    """The same from the source's files."""
    # The source's names have no ending: 20190807-100233.
    files = sorted(file for file in folder.iterdir() if file.suffix in ("", ".json") and file.is_file())
    if not files:
        raise UserError(f"folder {folder} holds no JSON file; expected the PAM episodes, one file each, from {SOURCE}")
    for file in files:
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            ob, action = (np.asarray(record[key], dtype=np.float32) for key in ("ob", "action"))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file} is no PAM episode ({error!r}); expected JSON with the keys ob and action"
            ) from error
        fit = ob.shape[1:] == (OBS_COLUMNS,) and action.shape[1:] == (MUSCLES,)
        if not fit or len(action) not in (len(ob), len(ob) + 1):
            raise UserError(f"{file} has ob {ob.shape} and action {action.shape}; expected (T, 24) and (T or T+1, 8)")
        yield file.stem, ob[:, POSITIONS], ob[:, PRESSURES], action[: len(ob)]
