"""Recordings: a trajectory, and a named collection of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mts3.data.core.resolution import as_floats
from mts3.data.core.stored import Rows, StoredArray, hold_last, row_chunks, to_single
from mts3.errors import UserError


@dataclass(frozen=True)
class Trajectory:
    """One uninterrupted recording, in physical units.

    Integers, booleans and float64 are converted to float32, but for recordings of which float32 would lose something
    (`mts3.data.core.resolution`): those are float64. float32 arrays are kept as they are, without a copy. Rows may stay
    in their file (`mts3.data.core.stored`): slicing is then lazy, and `np.asarray` reads.

    Attributes:
        obs: (T, O) float32 or float64. NaN = not observed.
        actions: (T, A) float32 or float64, finite; actions[t] acts between obs[t] and obs[t+1], so the last row is
            never used. T - 1 rows are accepted (the last one is then held), and A may be 0.
        name: Unique within its data set; errors name it.
        reward: (T,) float32 or None where there is none; reward[t] is what actions[t] earned, NaN where not known.
            T - 1 rows are accepted; the last one is never used.

    Raises:
        UserError: for shapes that do not fit, text or object arrays, an infinite value, or NaN in the actions.
    """

    obs: Rows
    actions: Rows
    name: str
    reward: Rows | None = None

    def __post_init__(self) -> None:
        obs = as_floats(self.obs, f"obs of trajectory '{self.name}'")
        actions = as_floats(self.actions, f"actions of trajectory '{self.name}'")
        if obs.ndim != 2 or actions.ndim != 2 or len(actions) not in (len(obs), len(obs) - 1):
            raise UserError(
                f"trajectory '{self.name}' has obs {obs.shape} and actions {actions.shape}; expected (T, obs_dim) and "
                "(T, action_dim) or (T-1, action_dim): one row a step, one column a channel"
            )
        if len(obs) < 2 or obs.shape[1] == 0:
            raise UserError(
                f"trajectory '{self.name}' has obs {obs.shape}; expected at least 2 rows and 1 column: "
                "leave it out or give more data"
            )
        _refuse_infinite(obs, f"obs of trajectory '{self.name}'")
        object.__setattr__(self, "obs", obs)
        object.__setattr__(self, "actions", _complete_actions(actions, len(obs), self.name))
        if self.reward is not None:
            object.__setattr__(self, "reward", self._checked_reward(self.reward))

    def _checked_reward(self, reward: Rows) -> Rows:
        """(T,) float32."""
        reward = as_float32(reward, f"reward of trajectory '{self.name}'")
        if reward.shape not in ((len(self.obs),), (len(self.obs) - 1,)):
            raise UserError(
                f"trajectory '{self.name}' has reward {reward.shape} and obs {self.obs.shape}; expected one a step"
            )
        _refuse_infinite(reward, f"reward of trajectory '{self.name}'")
        if len(reward) == len(self.obs):
            return reward
        # Whatever stands in the last row is never used.
        return hold_last(reward) if isinstance(reward, StoredArray) else np.append(reward, np.float32(np.nan))

    def rows(self, start: int, stop: int) -> Trajectory:
        """A piece of it, as views, named by its rows."""
        reward = None if self.reward is None else self.reward[start:stop]
        return Trajectory(self.obs[start:stop], self.actions[start:stop], f"{self.name}[{start}:{stop}]", reward)

    def __len__(self) -> int:
        return len(self.obs)


@dataclass(frozen=True)
class Dataset:
    """Trajectories with the same channels at the same sampling time.

    Attributes:
        name: Name of the set.
        trajectories: At least one.
        obs_names, action_names: One name a channel, without repetition. () names the pixels of images.
        sample_time: Seconds per step.
        attribution: Source and licence; "" for the user's own data.
        obs_units, action_units: One unit a channel, "" where unknown; () means all unknown.
        test_names: Names of the trajectories which the source reserves for testing; () where it reserves none.
        image_shape: (channels, height, width) if observations are images, flattened in that order; else None.

    Raises:
        UserError: for channels that differ between trajectories, a channel that is never observed, an image_shape of
            another size, or no data.
    """

    name: str
    trajectories: tuple[Trajectory, ...]
    obs_names: tuple[str, ...]
    action_names: tuple[str, ...]
    sample_time: float
    attribution: str = ""
    obs_units: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    test_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if not self.trajectories:
            raise UserError(f"data set '{self.name}' holds no trajectory; expected at least one")
        if not (np.isfinite(self.sample_time) and self.sample_time > 0):
            raise UserError(
                f"data set '{self.name}' has sample_time {self.sample_time}; expected seconds per step, > 0"
            )
        if self.image_shape is not None and not self.obs_names:
            pixels = itertools.product(*map(range, self.image_shape))
            object.__setattr__(self, "obs_names", tuple(f"pixel_{c}_{y}_{x}" for c, y, x in pixels))
        object.__setattr__(self, "obs_units", self.obs_units or ("",) * len(self.obs_names))
        object.__setattr__(self, "action_units", self.action_units or ("",) * len(self.action_names))
        self._check_names()
        self._check_channels()

    @property
    def obs_dim(self) -> int:
        """Number of observed channels O."""
        return len(self.obs_names)

    @property
    def action_dim(self) -> int:
        """Number of action channels A; 0 for an unactuated system."""
        return len(self.action_names)

    @property
    def has_reward(self) -> bool:
        """Whether trajectories come with a reward."""
        return self.trajectories[0].reward is not None

    def _check_names(self) -> None:
        if self.image_shape is not None and math.prod(self.image_shape) != self.obs_dim:
            raise UserError(
                f"data set '{self.name}' has image_shape {self.image_shape}, {math.prod(self.image_shape)} pixels, and "
                f"{self.obs_dim} obs channels; expected (channels, height, width) with one channel a pixel"
            )
        for kind, names, units in (
            ("obs", self.obs_names, self.obs_units),
            ("action", self.action_names, self.action_units),
        ):
            if len(set(names)) != len(names):
                repeated = sorted({name for name in names if names.count(name) > 1})
                raise UserError(
                    f"data set '{self.name}' repeats the {kind} channel '{repeated[0]}'; name each one once"
                )
            if len(units) != len(names):
                raise UserError(f"data set '{self.name}' has {len(names)} {kind} channels and {len(units)} units")
        names = [trajectory.name for trajectory in self.trajectories]
        if len(set(names)) != len(names):
            raise UserError(f"data set '{self.name}' has two trajectories of one name; name each differently")
        unknown = set(self.test_names) - set(names)
        if unknown:
            raise UserError(f"data set '{self.name}' has no test trajectory '{sorted(unknown)[0]}'")

    def _check_channels(self) -> None:
        observed = np.zeros(self.obs_dim, dtype=bool)
        for trajectory in self.trajectories:
            dims = trajectory.obs.shape[1], trajectory.actions.shape[1]
            if dims != (self.obs_dim, self.action_dim):
                raise UserError(
                    f"trajectory '{trajectory.name}' has {dims[0]} obs and {dims[1]} action channels; data set "
                    f"'{self.name}' has {self.obs_dim} and {self.action_dim}: give every trajectory the same channels"
                )
            if (trajectory.reward is not None) != self.has_reward:
                raise UserError(
                    f"data set '{self.name}': trajectory '{trajectory.name}' has "
                    f"{'no' if trajectory.reward is None else 'a'} reward, others differ: give it to all or to none"
                )
            for _, rows in row_chunks(trajectory.obs):
                if observed.all():
                    break
                observed |= (~np.isnan(rows)).any(0)
        if not observed.all():
            silent = ", ".join(f"'{name}'" for name, found in zip(self.obs_names, observed, strict=True) if not found)
            raise UserError(f"data set '{self.name}': obs channel {silent} is NaN in every row; leave it out of obs")


def as_float32(array: Rows, what: str) -> Rows:
    """`array` in float32, whatever that loses; else as `mts3.data.core.resolution.as_floats`."""
    array = array if isinstance(array, StoredArray) else np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise UserError(f"{what} are of type {array.dtype}; expected numbers: convert or leave out what is text")
    return array.as_type(np.float32) if isinstance(array, StoredArray) else to_single(array, what)


class BadValue(UserError):
    """A value that a trajectory cannot hold.

    Args:
        what: As in "obs of trajectory 'run' are infinite".
        row, channel: Where, counted from 0 (a message counts data rows from 1, as every message does); the channel is
            called by its number where nobody knows its name.
        expected: What to do.
    """

    def __init__(self, what: str, row: int, channel: int | str, expected: str) -> None:
        name = channel if isinstance(channel, int) else f"'{channel}'"
        super().__init__(f"{what} in data row {row + 1}, channel {name}; expected {expected}")
        self.what, self.row, self.channel, self.expected = what, row, channel, expected


@contextmanager
def channels_called(obs_names: Sequence[str], action_names: Sequence[str]) -> Iterator[None]:
    """Within the block, trajectories that are refused say the names of their channels."""
    try:
        yield
    except BadValue as error:
        names = action_names if error.what.startswith("actions") else obs_names
        if not isinstance(error.channel, int) or error.channel >= len(names):
            raise
        raise BadValue(error.what, error.row, names[error.channel], error.expected) from error


def _refuse_infinite(array: Rows, what: str) -> None:
    bad = _first(array, np.isinf)
    if bad is not None:
        raise BadValue(f"{what} are infinite", *bad, "numbers, or NaN where not observed")


def _complete_actions(actions: Rows, steps: int, name: str) -> Rows:
    """(T, A) finite actions. The last row acts on nothing, so it is held where it is missing or NaN."""
    if isinstance(actions, StoredArray) and actions.sound and len(actions) == steps:
        return actions
    acting = actions[: steps - 1]
    bad = _first(acting, lambda rows: ~np.isfinite(rows))
    if bad is not None:
        raise BadValue(
            f"actions of trajectory '{name}' are NaN or infinite",
            *bad,
            "a number in every row: an action is always known, fill the gap or cut the trajectory there",
        )
    if len(actions) == steps and np.isfinite(np.asarray(actions[steps - 1 :])).all():
        if isinstance(actions, StoredArray):
            actions.sound = True
        return actions
    return hold_last(acting)


def _first(array: Rows, is_bad: Callable[[np.ndarray], np.ndarray]) -> tuple[int, int] | None:
    """(row, channel) of the first value that is bad; a stored array is looked through once, chunk by chunk."""
    if isinstance(array, StoredArray) and array.sound:
        return None
    for start, rows in row_chunks(array):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(rows.sum()):  # much sooner than a look at each; a sum that overflows is looked at closely
                continue
        bad = np.argwhere(is_bad(rows.reshape(len(rows), -1)))
        if len(bad):
            return start + int(bad[0, 0]), int(bad[0, 1])
    if isinstance(array, StoredArray):
        array.sound = True
    return None
