"""Spaces of gymnasium -> channels of a data set.

Taken as they are: a Box of one axis or none, observed or acted. Observed, a Box of bytes with two or three axes is an
image: (height, width), (height, width, channels) or (channels, height, width) with at most four channels; its values
are divided by 255. Acted, a Discrete space has a channel for each choice, 1 for the one that was taken, and a Box of
more axes is laid out flat. All else is refused: Dict, Tuple, text, MultiDiscrete, MultiBinary, observed Discrete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mts3.data.one_hot import one_hot
from mts3.data.trajectory import as_float32
from mts3.errors import UserError

try:
    from gymnasium import Space, spaces
except ImportError as error:
    raise UserError('recording an environment needs gymnasium; install it with pip install "mts3[sim]"') from error

MOST_CHANNELS = 4
"""Of an image; an axis as short as this holds its channels."""


@dataclass(frozen=True)
class Observations:
    """How observations become rows: `image_shape` (channels, height, width) or None, and `channels` of a row."""

    space: spaces.Box
    channels: int
    image_shape: tuple[int, int, int] | None

    def row(self, obs: Any) -> np.ndarray:
        """(O,) a copy: float32, or bytes of an image still undivided, which take a quarter of the memory.

        Raises:
            UserError: for another shape, or an infinite value.
        """
        array = np.asarray(obs)
        if array.shape != self.space.shape:
            raise UserError(f"the environment observed shape {array.shape}; its observation_space says {self.space}")
        if self.image_shape is not None:
            last = (
                array.ndim == 3 and array.shape[-1] == self.image_shape[0] and array.shape[:2] == self.image_shape[1:]
            )
            return (np.moveaxis(array, -1, 0) if last else array).astype(np.uint8).reshape(-1)
        row = np.array(as_float32(array, "observations")).reshape(-1)
        if np.isinf(row).any():
            raise UserError(f"the environment observed an infinite value, {row.tolist()}; NaN would mean: not observed")
        return row

    def stacked(self, rows: list[np.ndarray]) -> np.ndarray:
        """(T, O) float32."""
        obs = np.stack(rows).astype(np.float32)
        return obs if self.image_shape is None else obs / np.float32(255.0)


@dataclass(frozen=True)
class Actions:
    """How actions become rows of `channels` numbers."""

    space: spaces.Box | spaces.Discrete
    channels: int

    def row(self, action: Any) -> np.ndarray:
        """(A,) float32, a copy.

        Raises:
            UserError: for another size, a choice that there is not, or a number that is none.
        """
        if isinstance(self.space, spaces.Discrete):
            if not self.space.contains(action):
                raise UserError(f"action {action!r} is not in {self.space}")
            return one_hot(action, self.channels, int(self.space.start))
        row = np.array(as_float32(action, "actions")).reshape(-1)
        if row.size != self.channels or not np.isfinite(row).all():
            raise UserError(f"action {action!r} does not fit {self.space}; expected {self.channels} finite numbers")
        return row


def observations_of(space: Space[Any]) -> Observations:
    """The channels of an observation space.

    Raises:
        UserError: for a space that is refused, with what to do.
    """
    if isinstance(space, spaces.Box):
        size = int(np.prod(space.shape))
        if len(space.shape) < 2:
            return Observations(space, size, None)
        image_shape = _image_shape(space)
        if image_shape is not None:
            return Observations(space, size, image_shape)
    raise UserError(
        f"cannot record observations of {space}; expected a Box of one axis, or of bytes with the shape of an image: "
        "wrap the environment in gymnasium.wrappers.FlattenObservation first"
    )


def actions_of(space: Space[Any]) -> Actions:
    """The channels of an action space.

    Raises:
        UserError: for a space that is refused.
    """
    if isinstance(space, spaces.Discrete):
        return Actions(space, int(space.n))
    if isinstance(space, spaces.Box):
        return Actions(space, int(np.prod(space.shape)))
    raise UserError(
        f"cannot record actions of {space}; expected Box or Discrete: translate them in a gymnasium.ActionWrapper"
    )


def _image_shape(space: spaces.Box) -> tuple[int, int, int] | None:
    """(channels, height, width), or None if it is no image."""
    if space.dtype != np.uint8:
        return None
    if len(space.shape) == 2:
        return (1, *space.shape)
    if len(space.shape) == 3 and space.shape[-1] <= MOST_CHANNELS:
        return (space.shape[2], *space.shape[:2])
    if len(space.shape) == 3 and space.shape[0] <= MOST_CHANNELS:
        return space.shape
    return None
