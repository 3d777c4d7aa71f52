"""Our own data set format: one npz, plain arrays, no pickles.

Trajectories are stored one after the other: `obs` (R, O) and `actions` (R, A) float32 over all R rows, `lengths` (N,)
rows a trajectory, `names` (N,), `test_names`, `obs_names` (O,), `action_names` (A,), `obs_units`, `action_units`, and
the scalars `name`, `sample_time` (seconds per step), `attribution` and `mts3_dataset` (the version of this format).
Images have `image_shape` (3,) besides, and recordings with a reward `reward` (R,).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mts3.data.trajectory import Dataset, Trajectory
from mts3.errors import UserError
from mts3.files import write_aside

FORMAT_KEY = "mts3_dataset"
FORMAT_VERSION = 1
TEXTS = ("names", "test_names", "obs_names", "action_names", "obs_units", "action_units", "name", "attribution")
NUMBERS = ("obs", "actions", "lengths", "sample_time")


def save_dataset(dataset: Dataset, path: str | Path) -> Path:
    """Write a data set in our format; the file is whole or it is not there.

    Raises:
        UserError: if the name does not end in .npz, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise UserError(f"output is {path}; expected a name that ends in .npz")
    arrays: dict[str, np.ndarray] = {
        FORMAT_KEY: np.array(FORMAT_VERSION),
        "obs": np.concatenate([t.obs for t in dataset.trajectories]),
        "actions": np.concatenate([t.actions for t in dataset.trajectories]),
        "lengths": np.array([len(t) for t in dataset.trajectories], dtype=np.int64),
        "names": _text([t.name for t in dataset.trajectories]),
        "sample_time": np.array(dataset.sample_time),
    }
    for key in ("test_names", "obs_names", "action_names", "obs_units", "action_units", "name", "attribution"):
        arrays[key] = _text(getattr(dataset, key))
    if dataset.image_shape is not None:
        arrays["image_shape"] = np.array(dataset.image_shape)
    if dataset.has_reward:
        arrays["reward"] = np.concatenate([t.reward for t in dataset.trajectories if t.reward is not None])
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


def from_arrays(arrays: dict[str, np.ndarray], path: Path) -> Dataset:
    """The inverse of `save_dataset`, from the arrays of the file; trajectories are views.

    Raises:
        UserError: for a newer format, a missing array, or arrays that do not fit together.
    """
    missing = [key for key in (*NUMBERS, *TEXTS) if key not in arrays]
    if missing:
        raise UserError(f"{path} lacks the array '{missing[0]}' of a data set; write it again with `mts3 data import`")
    _check_kinds(arrays, path)
    version = int(arrays[FORMAT_KEY])
    if version > FORMAT_VERSION:
        raise UserError(f"{path} is in format {version}; this mts3 reads up to {FORMAT_VERSION}: update mts3")
    lengths, names = arrays["lengths"], [str(name) for name in arrays["names"]]
    rows, reward = len(arrays["obs"]), arrays.get("reward")
    uneven = len(arrays["actions"]) != rows or (reward is not None and len(reward) != rows)
    if len(lengths) != len(names) or lengths.min(initial=1) < 1 or lengths.sum() != rows or uneven:
        raise UserError(
            f"{path} has {rows} rows of obs, {len(arrays['actions'])} of actions, {len(names)} names and lengths that "
            f"sum to {lengths.sum()}; expected them to agree: write it again"
        )
    ends = np.cumsum(lengths)
    trajectories = tuple(
        Trajectory(
            arrays["obs"][end - length : end],
            arrays["actions"][end - length : end],
            name,
            None if reward is None else reward[end - length : end],
        )
        for end, length, name in zip(ends, lengths, names, strict=True)
    )
    return Dataset(
        name=str(arrays["name"]),
        trajectories=trajectories,
        sample_time=float(arrays["sample_time"]),
        attribution=str(arrays["attribution"]),
        obs_names=_strings(arrays["obs_names"]),
        action_names=_strings(arrays["action_names"]),
        obs_units=_strings(arrays["obs_units"]),
        action_units=_strings(arrays["action_units"]),
        test_names=_strings(arrays["test_names"]),
        image_shape=None if "image_shape" not in arrays else _shape(arrays["image_shape"], path),
    )


def _check_kinds(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Refuses arrays of another kind or with another number of axes than `save_dataset` writes."""
    kinds = {FORMAT_KEY: ("iu", 0), "sample_time": ("fiu", 0), "lengths": ("iu", 1), "name": ("U", 0)}
    kinds |= {"attribution": ("U", 0), "obs": ("fiub", 2), "actions": ("fiub", 2), "reward": ("fiub", 1)}
    kinds |= {"image_shape": ("iu", 1)}
    for key, array in arrays.items():
        # Lists of text that are empty may have been written without a type.
        kind, axes = kinds.get(key, ("U", 1) if key in TEXTS and array.size else (array.dtype.kind, array.ndim))
        if array.dtype.kind not in kind or array.ndim != axes:
            raise UserError(
                f"array '{key}' of {path} is of type {array.dtype} and shape {array.shape}; expected what "
                "`mts3 data import` writes: write it again"
            )


def _shape(array: np.ndarray, path: Path) -> tuple[int, int, int]:
    if array.shape != (3,):
        raise UserError(f"{path} has image_shape {array.tolist()}; expected channels, height and width")
    channels, height, width = (int(size) for size in array)
    return channels, height, width


def _text(value: str | list[str] | tuple[str, ...]) -> np.ndarray:
    return np.array(value, dtype=np.str_)


def _strings(array: np.ndarray) -> tuple[str, ...]:
    return tuple(str(item) for item in array)
