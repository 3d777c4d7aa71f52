"""Our own data set format: one npz, plain arrays, no pickles; compressed unless it is large.

Trajectories are stored one after the other: `obs` (R, O) and `actions` (R, A) float32, or
float64 where float32 would lose something, over all R rows, `lengths` (N,)
rows a trajectory, `names` (N,), `test_names`, `obs_names` (O,), `action_names` (A,), `obs_units`, `action_units`, and
the scalars `name`, `sample_time` (seconds per step), `attribution` and `mts3_dataset` (the version of this format).
Images have `image_shape` (3,) besides, and recordings with a reward `reward` (R,).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mts3.data.core.stored import LARGE, Rows, row_chunks
from mts3.data.core.trajectory import Dataset, Trajectory, channels_called
from mts3.errors import UserError
from mts3.files import write_aside

FORMAT_KEY = "mts3_dataset"
FORMAT_VERSION = 1
LISTS = ("test_names", "obs_names", "action_names", "obs_units", "action_units")
TEXTS = (*LISTS, "name", "attribution")
NUMBERS = ("obs", "actions", "lengths", "sample_time")


def save_dataset(dataset: Dataset, path: str | Path) -> Path:
    """Write a data set in our format; the file is whole or it is not there.

    Raises:
        UserError: if the name does not end in .npz, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise UserError(f"output is {path}; expected a name that ends in .npz")
    trajectories = dataset.trajectories
    columns: dict[str, list[Rows]] = {
        "obs": [t.obs for t in trajectories],
        "actions": [t.actions for t in trajectories],
    }
    if dataset.has_reward:
        columns["reward"] = [t.reward for t in trajectories if t.reward is not None]
    arrays: dict[str, np.ndarray] = {
        FORMAT_KEY: np.array(FORMAT_VERSION),
        "lengths": np.array([len(t) for t in trajectories], dtype=np.int64),
        "names": np.array([t.name for t in trajectories], np.str_),
        "sample_time": np.array(dataset.sample_time),
        **{key: np.array(getattr(dataset, key), np.str_) for key in TEXTS},
    }
    if dataset.image_shape is not None:
        arrays["image_shape"] = np.array(dataset.image_shape)
    large = sum(part.size * part.dtype.itemsize for parts in columns.values() for part in parts) > LARGE
    # Without compression rows have a place in the file, where they can stay.
    method = zipfile.ZIP_STORED if large else zipfile.ZIP_DEFLATED
    with write_aside(path) as aside, zipfile.ZipFile(aside, "w", method) as archive:
        for key, parts in columns.items():
            _write_rows(archive, key, parts)
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return path


def _write_rows(archive: zipfile.ZipFile, key: str, parts: list[Rows]) -> None:
    """One array in the archive, of the rows of all trajectories, a chunk at a time."""
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    dtype = "<f8" if any(part.dtype == np.float64 for part in parts) else "<f4"
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            for _, rows in row_chunks(part):
                member.write(np.ascontiguousarray(rows, dtype=dtype).tobytes())


def from_arrays(arrays: Mapping[str, Rows], path: Path) -> Dataset:
    """The inverse of `save_dataset`, from the arrays of the file; trajectories are views.

    Raises:
        UserError: for a newer format, a missing array, or arrays that do not fit together.
    """
    missing = [key for key in (*NUMBERS, "names", *TEXTS) if key not in arrays]
    if missing:
        raise UserError(f"{path} lacks the array '{missing[0]}' of a data set; write it again with `mts3 data import`")
    _check_kinds(arrays, path)
    version = int(np.asarray(arrays[FORMAT_KEY]))
    if version > FORMAT_VERSION:
        raise UserError(f"{path} is in format {version}; this mts3 reads up to {FORMAT_VERSION}: update mts3")
    lengths, names = np.asarray(arrays["lengths"]), [str(name) for name in np.asarray(arrays["names"])]
    rows, reward = len(arrays["obs"]), arrays.get("reward")
    uneven = len(arrays["actions"]) != rows or (reward is not None and len(reward) != rows)
    if len(lengths) != len(names) or lengths.min(initial=1) < 1 or lengths.sum() != rows or uneven:
        raise UserError(
            f"{path} has {rows} rows of obs, {len(arrays['actions'])} of actions, {len(names)} names and lengths that "
            f"sum to {lengths.sum()}; expected them to agree: write it again"
        )
    obs, actions = arrays["obs"], arrays["actions"]
    texts = {key: tuple(str(item) for item in np.asarray(arrays[key])) for key in LISTS}
    pieces = [slice(end - length, end) for end, length in zip(np.cumsum(lengths), lengths, strict=True)]
    with channels_called(texts["obs_names"], texts["action_names"]):
        trajectories = tuple(
            Trajectory(obs[rows], actions[rows], name, None if reward is None else reward[rows])
            for rows, name in zip(pieces, names, strict=True)
        )
    shape = np.asarray(arrays.get("image_shape", (0, 0, 0))).tolist()
    if len(shape) != 3:
        raise UserError(f"{path} has image_shape {shape}; expected channels, height and width")
    return Dataset(
        name=str(arrays["name"]),
        trajectories=trajectories,
        sample_time=float(np.asarray(arrays["sample_time"])),
        attribution=str(arrays["attribution"]),
        image_shape=(shape[0], shape[1], shape[2]) if "image_shape" in arrays else None,
        **texts,
    )


def _check_kinds(arrays: Mapping[str, Rows], path: Path) -> None:
    """Refuses arrays of another kind or with another number of axes than `save_dataset` writes."""
    kinds = {FORMAT_KEY: ("iu", 0), "sample_time": ("fiu", 0), "lengths": ("iu", 1), "name": ("U", 0)}
    kinds |= {"attribution": ("U", 0), "obs": ("fiub", 2), "actions": ("fiub", 2), "reward": ("fiub", 1)}
    kinds |= {"image_shape": ("iu", 1)}
    for key, array in arrays.items():
        # Lists of text that are empty may have been written without a type.
        usual = ("U", 1) if key in ("names", *LISTS) and array.size else (array.dtype.kind, array.ndim)
        kind, axes = kinds.get(key, usual)
        if array.dtype.kind not in kind or array.ndim != axes:
            raise UserError(
                f"array '{key}' of {path} is of type {array.dtype} and shape {array.shape}; expected what "
                "`mts3 data import` writes: write it again"
            )
