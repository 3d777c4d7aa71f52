"""The statistics a normalizer carries, from the training part alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mts3.data.core.moments import moments
from mts3.data.core.resolution import FLICKER, has_few_values
from mts3.data.core.stored import Rows, row_chunks
from mts3.data.core.trajectory import Trajectory
from mts3.errors import UserError
from mts3.normalizer import Normalizer


def fit_normalizer(
    trajectories: Sequence[Trajectory],
    obs_names: Sequence[str] = (),
    action_names: Sequence[str] = (),
    image_shape: tuple[int, int, int] | None = None,
) -> tuple[Normalizer, list[str]]:
    """Mean and standard deviation per channel, over everything observed in `trajectories`.

    NaN observations are left out, and so is the last action of each trajectory, which acts on nothing.
    A constant channel gets std 1: it becomes zero, or the plain difference where it moves later on.

    Args:
        trajectories: The training part.
        obs_names, action_names: For the report and for errors; () numbers the channels.
        image_shape: If observations are images: one mean and one standard deviation over all their pixels. Of its own
            a pixel that is hardly ever lit would be blown up to the spread of those in the middle of things.

    Returns: The normalizer, and the names of the constant channels as "obs 'x'" or "action 'u'".

    Raises:
        UserError: if a channel is never observed in `trajectories`, or there is none.
    """
    if not trajectories:
        raise UserError("cannot normalize: the training part holds no trajectory; expected at least one")
    if image_shape is None:
        obs_mean, obs_std, obs_constant = _moments([t.obs for t in trajectories], "obs", obs_names)
    else:
        mean, std, obs_constant = _moments([t.obs for t in trajectories], "obs", ["all pixels"], width=1)
        obs_mean, obs_std = (np.repeat(value, trajectories[0].obs.shape[1]) for value in (mean, std))
    action_mean, action_std, action_constant = _moments([t.actions[:-1] for t in trajectories], "action", action_names)
    constant = obs_constant + action_constant
    rewards = [t.reward[:-1] for t in trajectories if t.reward is not None]
    if not rewards:
        return Normalizer(obs_mean, obs_std, action_mean, action_std), constant
    reward_mean, reward_std, reward_constant = _moments(rewards, "reward", ["reward"], width=1)
    return Normalizer(obs_mean, obs_std, action_mean, action_std, reward_mean, reward_std), constant + reward_constant


def change_std(trajectories: Sequence[Trajectory], normalizer: Normalizer) -> np.ndarray:
    """How far each channel moves in one step: the root mean square of obs[t+1] - obs[t], (O,) float32, normalized.

    A channel that never moves, or is never observed twice in a row, gets 1.
    """
    squares = np.zeros(len(normalizer.obs_mean))
    count = np.zeros_like(squares)
    for trajectory in trajectories:
        for _, rows in row_chunks(trajectory.obs, overlap=1):
            change = np.diff(rows.astype(np.float64), axis=0) / normalizer.obs_std
            squares += np.nansum(change**2, axis=0)
            count += (~np.isnan(change)).sum(0)
    std = np.sqrt(squares / np.maximum(count, 1))
    return np.where(std > 0, std, 1.0).astype(np.float32)


def _moments(
    arrays: Sequence[Rows], kind: str, names: Sequence[str], width: int | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(mean, std) over the rows of all `arrays`, float64, and the names of constant channels.

    Args:
        arrays: (R, channels) each.
        kind: For names and errors.
        names: One a channel; () numbers them.
        width: Channels to fold the values into, where they are not those of the arrays.
    """
    found = moments(arrays, arrays[0].shape[1] if width is None else width)
    label = [f"{kind} '{names[i] if names else i}'" for i in range(len(found.count))]
    if (found.count == 0).any():
        raise UserError(
            f"{label[int(np.argmin(found.count))]} is never observed in the training part; "
            "leave the channel out, or choose other split_fractions or another seed"
        )
    constant = found.std <= FLICKER * np.maximum(np.abs(found.min), np.abs(found.max))
    for channel in np.flatnonzero(constant & (found.std > 0)):
        # What flickers in its last digit would be blown up to noise of unit variance; what has many values moves.
        constant[channel] = width is not None or has_few_values(arrays, int(channel))
    return found.mean, np.where(constant, 1.0, found.std), [label[i] for i in np.flatnonzero(constant)]
