"""Mean, standard deviation and range of channels, a few megabytes at a time; those that a normalizer carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mts3.data.core.resolution import FLICKER, has_few_values
from mts3.data.core.stored import Rows, row_chunks
from mts3.data.core.trajectory import Trajectory
from mts3.errors import UserError
from mts3.normalizer import Normalizer

WIDE = 2048


@dataclass(frozen=True)
class Moments:
    """Of C channels, in float64; NaN is left out.

    Attributes:
        rows: All rows, a number.
        count: (C,) values that are not NaN.
        mean, std: (C,) 0 where there is none.
        min, max: (C,) infinite where there is none.
    """

    rows: int
    count: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    min: np.ndarray
    max: np.ndarray


def moments(arrays: Iterable[Rows], channels: int) -> Moments:
    """The moments over the rows of all `arrays`.

    Each chunk about its own mean, then merged: no second copy of the data, no second pass through a file, no
    cancellation far from zero (Chan, Golub & LeVeque 1983, algorithms for computing the sample variance).

    Args:
        arrays: Of any shape; values are dealt out to `channels` in turn, as the last axis does.
        channels: C; 1 takes all values together.
    """
    rows, count, mean, square = 0, np.zeros(channels), np.zeros(channels), np.zeros(channels)
    least, largest = np.full(channels, np.inf), np.full(channels, -np.inf)
    for array in arrays:
        for _, chunk in row_chunks(array):
            if chunk.size == 0:
                continue
            values = chunk.reshape(-1, channels).astype(np.float64)
            rows += len(values)
            least = np.fmin(least, _over_rows(np.fmin, values))
            largest = np.fmax(largest, _over_rows(np.fmax, values))
            gaps = np.isnan(values)
            new = len(values) - gaps.sum(0) if gaps.any() else np.full(channels, len(values))
            values[gaps] = 0.0
            own = _over_rows(np.add, values) / np.maximum(new, 1)
            values -= own
            values[gaps] = 0.0
            total, apart = np.maximum(count + new, 1), own - mean
            square += _over_rows(np.add, values * values) + apart**2 * count * new / total
            mean += apart * new / total
            count += new
    return Moments(rows, count, mean, np.sqrt(square / np.maximum(count, 1)), least, largest)


def _over_rows(reduction: np.ufunc, values: np.ndarray) -> np.ndarray:
    """A reduction over the first axis of (R, C), R >= 1: many rows side by side, for numpy is slow on short ones."""
    channels = values.shape[1]
    side_by_side = max(1, WIDE // channels)
    whole = len(values) // side_by_side * side_by_side
    if whole == 0:
        return reduction.reduce(values, 0)
    wide = reduction.reduce(values[:whole].reshape(-1, side_by_side * channels), 0).reshape(side_by_side, channels)
    return reduction.reduce(np.concatenate([wide, values[whole:]]), 0)


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
            a pixel that is hardly ever lit would be blown up to the size of those in the middle of things.

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
