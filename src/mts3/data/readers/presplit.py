"""Sets that come split into train and test, as benchmark files do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mts3.data.trajectory import Dataset, Trajectory, as_float32
from mts3.errors import UserError

PRESPLIT_KEYS = ("train_obs", "train_act", "test_obs", "test_act")


def presplit_dataset(arrays: dict[str, np.ndarray], path: Path) -> Dataset:
    """The sequences of both parts; those of the test part are named in `test_names`.

    Args:
        arrays: train_obs, test_obs (N, T+1, O) and train_act, test_act (N, T, A), or (N, T+1, A). Where
            normalizer/observations/{mean,std} and normalizer/actions/{mean,std} are given, the arrays count as
            normalized and are brought back to physical units.
        path: For names and errors.

    Raises:
        UserError: if the shapes do not fit.
    """
    trajectories: list[Trajectory] = []
    for part in ("train", "test"):
        obs, actions = arrays[f"{part}_obs"], arrays[f"{part}_act"]
        if obs.ndim != 3 or actions.ndim != 3 or len(obs) != len(actions):
            raise UserError(
                f"{path} has {part}_obs {obs.shape} and {part}_act {actions.shape}; "
                "expected (N, T+1, obs_dim) and (N, T, action_dim)"
            )
        obs = _physical(as_float32(obs, f"{part}_obs of {path}"), arrays, "observations")
        actions = _physical(as_float32(actions, f"{part}_act of {path}"), arrays, "actions")
        trajectories += [Trajectory(obs[n], actions[n], f"{part}-{n}") for n in range(len(obs))]
    obs_dim, action_dim = arrays["train_obs"].shape[2], arrays["train_act"].shape[2]
    return Dataset(
        name=path.stem,
        trajectories=tuple(trajectories),
        obs_names=tuple(f"obs_{i}" for i in range(obs_dim)),
        action_names=tuple(f"action_{i}" for i in range(action_dim)),
        sample_time=1.0,
        test_names=tuple(t.name for t in trajectories if t.name.startswith("test-")),
    )


def _physical(normalized: np.ndarray, arrays: dict[str, np.ndarray], kind: str) -> np.ndarray:
    keys = f"normalizer/{kind}/mean", f"normalizer/{kind}/std"
    if not all(key in arrays for key in keys):
        return normalized
    mean, std = (as_float32(arrays[key], key) for key in keys)
    if mean.shape != (normalized.shape[-1],) or std.shape != mean.shape:
        raise UserError(f"{keys[0]} has shape {mean.shape}; expected ({normalized.shape[-1]},), one value a channel")
    return normalized * std + mean
