"""Flaws of the actions: missing ones, and actions that stand in another row than the one they act from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mts3.data.quality.findings import Finding
from mts3.data.rows.raw import RawDataset, RawTrajectory

# Rows that are looked at to see when actions act, observations that are, and rows for each unknown of a regression.
MOST_ROWS, MOST_CHANNELS, ROWS_PER_UNKNOWN = 6_000, 32, 10
# Past observations a change is explained by, besides one action; rows by which actions may come late.
LAGS, LATE = 3, (1, 2, 3)
# Late is what explains the change of some channel with less than this share of the variance that the action of its own
# row leaves, and no channel worse.
CLEARLY = 0.75
# Actions that their own past foretells but for this share of their variance, as waves, are alike in neighbouring rows.
SMOOTH = 0.001
# An action that follows from the observation of its own row, leaving less than this share of what the row before
# leaves, comes from a controller: it then tells of the change before it, and stands where it belongs.
FEEDBACK = 0.8
# Of the standard deviation of a channel: what is explained up to so little is explained wholly.
ROUNDING = 1e-6


def action_flaws(recording: RawDataset, codes: Sequence[Sequence[float]]) -> list[Finding]:
    """What is wrong with the actions of a recording; nothing where it has none.

    Args:
        recording: As it was read.
        codes: Of each channel, observations first, the values that stand for "not observed".
    """
    raw = recording.trajectories
    if not recording.action_names:
        return []
    known = [np.asarray(np.isfinite(t.actions).all(1)) for t in raw]
    observed = [np.asarray((~np.isnan(t.obs)).any(1)) for t in raw]
    found: list[Finding] = []
    if all(len(k) > 1 and not k[0] and k[1:-1].all() for k in known):
        found.append(Finding("action_first", "", "", ((0, 1),), "the others have one"))
    else:
        for trajectory, k in zip(raw, known, strict=True):
            rows = np.flatnonzero(~k[:-1])
            found += Finding.at("action_missing", trajectory.name, "", rows, f"{len(rows)} of {len(k)} rows")
    if all(len(s) > 1 and k[-1] and not s[-1] and s[:-1].all() for k, s in zip(known, observed, strict=True)):
        found.append(Finding("action_extra", "", "", (), "the last row has an action and no observation"))
    late = rows_late(raw, codes)
    if late is not None:
        shift, ratio = late
        words = (
            f"the change from a row to the next is explained {ratio:.1f} times better by the action {shift} "
            f"row{'s' if shift > 1 else ''} further down than by its own: action_shift={shift}"
        )
        found.append(Finding("action_late", "", "", (), words))
    return found


def rows_late(trajectories: Sequence[RawTrajectory], codes: Sequence[Sequence[float]] = ()) -> tuple[int, float] | None:
    """How many rows after the one they act from actions stand, and how much better that explains what happens.

    Each change obs[t+1] - obs[t] is regressed on the last few observations and on the action of one row; what a row
    further down explains better cannot be its cause, unless a controller has computed it from what happened. None where
    actions stand in their own row, or the data do not tell.
    """
    obs, actions = _pieces(trajectories, codes)
    # Of each trajectory the rows with enough rows before and after them, as rows of all together.
    ends = np.cumsum([len(o) for o in obs])
    inner = [np.arange(end - len(o) + LAGS - 1, end - max(LATE)) for o, end in zip(obs, ends, strict=True)]
    rows = np.concatenate([np.zeros(0, int), *inner])
    every, acting = np.concatenate(obs), np.concatenate(actions)
    unknowns = LAGS * every.shape[1] + acting.shape[1] + 1
    history = [every[rows - lag] for lag in range(LAGS)]
    change = every[rows + 1] - every[rows]
    moved = [acting[rows + shift] for shift in (0, *LATE)]
    whole = np.isfinite(np.concatenate([*history, change, *moved], axis=1)).all(1)
    if whole.sum() < ROWS_PER_UNKNOWN * unknowns:
        return None
    past = np.concatenate([acting[rows - 1], acting[rows - 2]], axis=1)[whole]
    if (_residual_variance(past, acting[rows][whole]) <= SMOOTH * acting[rows][whole].var(0)).all():
        return None
    history, change = [h[whole] for h in history], change[whole]
    own, *late = (_residual_variance(np.concatenate([*history, action[whole]], axis=1), change) for action in moved)
    # Channels that stand still, or that their past explains wholly, tell nothing.
    floor = np.maximum(ROUNDING * history[0].std(0), np.finfo(np.float32).tiny) ** 2
    ratios = [np.maximum(left, floor) / np.maximum(own, floor) for left in late]
    best = int(np.argmin([ratio.min() for ratio in ratios]))
    if ratios[best].min() > CLEARLY or ratios[best].max() > 1 / CLEARLY:
        return None
    here, previous = (_residual_variance(every[rows - lag][whole], acting[rows][whole]).mean() for lag in (0, 1))
    return None if here < FEEDBACK * previous else (LATE[best], float(1 / ratios[best].min()))


def _pieces(
    trajectories: Sequence[RawTrajectory], codes: Sequence[Sequence[float]]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Observations and actions in float64, of as many rows as are looked at, NaN where a code stands."""
    obs, actions, rows = [], [], 0
    for trajectory in trajectories:
        part = slice(0, MOST_ROWS - rows)
        both = np.concatenate([np.asarray(a[part], np.float64) for a in (trajectory.obs, trajectory.actions)], axis=1)
        for channel, known in enumerate(codes):
            both[np.isin(both[:, channel], known), channel] = np.nan
        channels = trajectory.obs.shape[1]
        obs.append(both[:, :channels][:, :MOST_CHANNELS])
        actions.append(both[:, channels:])
        rows += len(both)
        if rows >= MOST_ROWS:
            break
    return obs, actions


def _residual_variance(given: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(channels,) the variance of the target that a linear regression on what is given leaves."""
    given, target = given - given.mean(0), target - target.mean(0)
    scale = given.std(0)
    weights, *_ = np.linalg.lstsq(given / np.where(scale > 0, scale, 1.0), target, rcond=1e-8)
    return ((target - given / np.where(scale > 0, scale, 1.0) @ weights) ** 2).mean(0)
