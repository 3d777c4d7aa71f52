"""Sets that come split into train and test, as benchmark files do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mts3.data.core.matching import align
from mts3.data.core.stored import Rows
from mts3.data.core.trajectory import Dataset, Trajectory, as_float32
from mts3.data.readers.result import ReadResult, refuse_self_described, roles
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

PRESPLIT_KEYS = ("train_obs", "train_act", "test_obs", "test_act")
# Targets in physical units repeat the next observations to this share of the largest one, or they are something else.
SAME = 1e-3


def read_presplit(arrays: Mapping[str, Rows], path: Path, kind: str, columns: Columns) -> ReadResult:
    """The sequences of both parts; those of the test part are named in `test_names`.

    Args:
        arrays: train_obs, test_obs (N, T+1, O) and train_act, test_act (N, T, A), or (N, T+1, A). Where train_targets,
            test_targets (N, T, O) are given, they are the next observations: with (N, T, O) of observations their last
            one becomes observation T+1. Where normalizer/observations/{mean,std} and normalizer/actions/{mean,std}
            (and normalizer/targets/{mean,std}; else that of the observations) are given, the arrays count as
            normalized and are brought back to physical units.
        path: For names and errors.
        kind: The format, in words.
        columns: Its sample_time counts (None counts in steps), and its action_shift.

    Raises:
        UserError: if the shapes do not fit, or for a mapping of what such a file says itself.
    """
    refuse_self_described(columns, str(path))
    trajectories: list[Trajectory] = []
    notes: list[str] = []
    for part in ("train", "test"):
        obs, actions = arrays[f"{part}_obs"], arrays[f"{part}_act"]
        if obs.ndim != 3 or actions.ndim != 3 or len(obs) != len(actions):
            raise UserError(
                f"{path} has {part}_obs {obs.shape} and {part}_act {actions.shape}; "
                "expected (N, T+1, obs_dim) and (N, T, action_dim)"
            )
        obs = _physical(as_float32(obs, f"{part}_obs of {path}"), arrays, "observations")
        actions = _physical(as_float32(actions, f"{part}_act of {path}"), arrays, "actions")
        if f"{part}_targets" in arrays and obs.shape[1] == actions.shape[1]:
            obs, note = _with_last_target(obs, arrays, part, path)
            notes.append(note)
        trajectories += [Trajectory(obs[n], actions[n], f"{part}-{n}") for n in range(len(obs))]
    obs_dim, action_dim = arrays["train_obs"].shape[2], arrays["train_act"].shape[2]
    dataset = Dataset(
        name=path.stem,
        trajectories=tuple(trajectories),
        obs_names=tuple(f"obs_{i}" for i in range(obs_dim)),
        action_names=tuple(f"action_{i}" for i in range(action_dim)),
        sample_time=columns.sample_time or 1.0,
        test_names=tuple(t.name for t in trajectories if t.name.startswith("test-")),
    )
    units = "in physical units again" if "normalizer/observations/mean" in arrays else "no normalizer: units as stored"
    dataset = align(dataset, columns.action_shift)
    return ReadResult(dataset, kind, roles(("train_obs", "test_obs"), ("train_act", "test_act")), (units, *notes))


def _with_last_target(obs: Rows, arrays: Mapping[str, Rows], part: str, path: Path) -> tuple[Rows, str]:
    """(N, T+1, O): the observations and the last target, if targets are the next observations; and what was done."""
    name = f"{part}_targets"
    obs, targets = np.asarray(obs), as_float32(arrays[name], f"{name} of {path}")
    if targets.shape != obs.shape:
        raise UserError(f"{path} has {name} {targets.shape} and {part}_obs {obs.shape}; expected the same shape")
    own = "normalizer/targets/mean" in arrays
    targets = np.asarray(_physical(targets, arrays, "targets" if own else "observations"))
    scale = float(np.nanmax(np.abs(obs), initial=0.0))
    if not np.allclose(targets[:, :-1], obs[:, 1:], rtol=0.0, atol=SAME * scale, equal_nan=True):
        return obs, f"{name} are not the next observations: left out"
    return np.concatenate([obs, targets[:, -1:]], axis=1), f"the last of {name} is observation T+1"


def _physical(normalized: Rows, arrays: Mapping[str, Rows], kind: str) -> Rows:
    keys = f"normalizer/{kind}/mean", f"normalizer/{kind}/std"
    if not all(key in arrays for key in keys):
        return normalized
    mean, std = (np.ravel(as_float32(arrays[key], key)) for key in keys)
    if mean.shape != (normalized.shape[-1],) or std.shape != mean.shape:
        raise UserError(f"{keys[0]} has shape {mean.shape}; expected ({normalized.shape[-1]},), one value a channel")
    return np.asarray(normalized) * std + mean
