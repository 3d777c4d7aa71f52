"""Spaces of gymnasium -> channels of a data set: values laid flat, one row of numbers, and a name for each channel.

A Box has a channel for each number, MultiBinary one that is 0 or 1, Discrete and MultiDiscrete one for each choice, 1
for the one that was chosen. Dict and Tuple have those of their parts, side by side. The rows are those of
gymnasium.spaces.flatten, but nothing is cast or wrapped around on the way: what does not fit is refused.

Recorded as they are: a Box of one axis or none, and choices. An observed Box of bytes with two or three axes is an
image: (height, width), (height, width, channels) or (channels, height, width) with at most four channels; its values
are divided by 255. A Box of actions is laid out flat in any case, and Dict, Tuple and any other Box where that is asked
for. All else is refused: text, graphs, sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from mts3.data.core.one_hot import one_hot
from mts3.data.core.trajectory import as_float32
from mts3.errors import UserError

try:
    from gymnasium import Space, spaces
except ImportError as error:
    raise UserError('recording an environment needs gymnasium; install it with pip install "mts3[sim]"') from error

MOST_CHANNELS = 4
"""Of an image; an axis as short as this holds its channels."""
FLATTEN = "flatten=true lays all its numbers side by side (in Python flatten=True"
Leaf: TypeAlias = spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
"""A space without parts that has a row."""


@dataclass(frozen=True)
class Observations:
    """How observations become rows: `names` of the channels, and `image_shape` (channels, height, width) or None."""

    space: Space[Any]
    names: tuple[str, ...]
    image_shape: tuple[int, int, int] | None = None

    def row(self, obs: Any) -> np.ndarray:
        """(O,) a copy: float32, or bytes of an image still undivided, which take a quarter of the memory.

        Raises:
            UserError: for what is not in the space: another shape, other parts, no number, no choice; or an infinite
                value.
        """
        if self.image_shape is None:
            return _flat_row(self.space, obs, _observed)
        array = _shaped(self.space, obs)
        with np.errstate(invalid="ignore"):
            pixels = array.astype(np.uint8)
        bad = array[pixels != array]
        if bad.size:
            raise UserError(f"the environment observed the pixel {bad[0]}; its observation_space says {self.space}")
        last = array.ndim == 3 and array.shape[-1] == self.image_shape[0] and array.shape[:2] == self.image_shape[1:]
        return (np.moveaxis(pixels, -1, 0) if last else pixels).reshape(-1)

    def stacked(self, rows: list[np.ndarray]) -> np.ndarray:
        """(T, O) float32."""
        obs = np.stack(rows).astype(np.float32)
        return obs if self.image_shape is None else obs / np.float32(255.0)


@dataclass(frozen=True)
class Actions:
    """How actions become rows: `names` of the channels."""

    space: Space[Any]
    names: tuple[str, ...]

    def row(self, action: Any) -> np.ndarray:
        """(A,) float32, a copy.

        Raises:
            UserError: for another size, other parts, a choice that there is not, or a number that is none.
        """
        return _flat_row(self.space, action, _given)

    def allowed(self, row: np.ndarray) -> bool:
        """Whether a row is between the bounds of the space."""
        low, high = self._bounds
        return bool((row >= low).all() and (row <= high).all())

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """(A,) float32 each."""
        box = spaces.flatten_space(self.space)
        assert isinstance(box, spaces.Box)  # as every space of numbers is, laid flat
        with np.errstate(over="ignore"):
            return box.low.astype(np.float32), box.high.astype(np.float32)


def observations_of(space: Space[Any], flatten: bool = False) -> Observations:
    """The channels of an observation space; `flatten` lays out flat what cannot be recorded as it is.

    Raises:
        UserError: for a space that is refused, with what to do.
    """
    _refuse(space, "observations", "leave it out or translate it in a gymnasium.ObservationWrapper")
    image_shape = None if flatten else _image_shape(space)
    if image_shape is not None:
        return Observations(space, (), image_shape)
    matrix = isinstance(space, spaces.Box) and len(space.shape) > 1
    if not flatten and (matrix or not isinstance(space, Leaf)):
        raise UserError(
            f"cannot record observations of {space} as they are; expected choices, a Box of one axis, or one of bytes "
            f"with the shape of an image: {FLATTEN}, or wrap the environment in gymnasium.wrappers.FlattenObservation)"
        )
    names = channel_names(space, "obs")
    if not names:
        raise UserError(f"cannot record observations of {space}; expected at least one number")
    return Observations(space, names)


def actions_of(space: Space[Any], flatten: bool = False) -> Actions:
    """The channels of an action space; `flatten` lays out flat what has parts.

    Raises:
        UserError: for a space that is refused, with what to do.
    """
    _refuse(space, "actions", "translate it in a gymnasium.ActionWrapper")
    if not flatten and not isinstance(space, Leaf):
        raise UserError(f"cannot record actions of {space} as they are; expected a Box or choices: {FLATTEN})")
    return Actions(space, channel_names(space, "action"))


def _refuse(space: Space[Any], what: str, advice: str) -> None:
    for _, leaf in _leaves(space, what):
        if not isinstance(leaf, Leaf):
            raise UserError(f"cannot record {what} of {space}: {leaf} has no row of numbers; {advice}")


def _observed(leaf: Leaf, obs: Any) -> np.ndarray:
    """(C,) float32."""
    array = _shaped(leaf, obs)
    try:
        row = _leaf_row(leaf, array)
    except UserError as error:
        raise UserError(f"the environment observed {obs!r}; its observation_space says {leaf}, and {error}") from error
    if np.isinf(row).any():
        raise UserError(f"the environment observed an infinite value, {row.tolist()}; NaN would mean: not observed")
    return row


def _shaped(leaf: Space[Any], obs: Any) -> np.ndarray:
    array = as_array(obs)
    if array.shape != leaf.shape:
        raise UserError(f"the environment observed shape {array.shape}; its observation_space says {leaf}")
    return array


def _given(leaf: Leaf, action: Any) -> np.ndarray:
    """(C,) float32."""
    if not isinstance(leaf, spaces.Box):
        if not leaf.contains(action):
            raise UserError(f"action {action!r} is not in {leaf}")
        return _leaf_row(leaf, np.asarray(action))
    row = np.array(as_float32(as_array(action), "actions")).reshape(-1)
    size = spaces.flatdim(leaf)
    if row.size != size or not np.isfinite(row).all():
        raise UserError(f"action {action!r} does not fit {leaf}; expected {size} finite numbers")
    return row


def _image_shape(space: Space[Any]) -> tuple[int, int, int] | None:
    """(channels, height, width), or None if it is no image."""
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8:
        return None
    if len(space.shape) == 2:
        return (1, *space.shape)
    if len(space.shape) == 3 and space.shape[-1] <= MOST_CHANNELS:
        return (space.shape[2], *space.shape[:2])
    if len(space.shape) == 3 and space.shape[0] <= MOST_CHANNELS:
        return space.shape
    return None


def _leaves(space: Space[Any], name: str, outer: str = "") -> Iterator[tuple[str, Space[Any]]]:
    """The spaces in a Dict or Tuple that have no parts, in the order of their channels, each with its name.

    Parts of a Dict are called by their keys, after what is `outer`, those of a Tuple by its own name and their number.
    """
    if isinstance(space, spaces.Dict):
        parts = [(f"{outer}{key}", part) for key, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple):
        parts = [(f"{name}_{number}", part) for number, part in enumerate(space.spaces)]
    else:
        yield name, space
        return
    for own, part in parts:
        yield from _leaves(part, own, f"{own}_")


def channel_names(space: Space[Any], name: str) -> tuple[str, ...]:
    """One name a channel: NAME_0, NAME_1, .. of each leaf, or NAME_0_0, .. for the choices of a MultiDiscrete.

    Where two would be the same, all are called by `name` and their number.
    """
    names: list[str] = []
    for own, leaf in _leaves(space, name):
        if isinstance(leaf, spaces.MultiDiscrete):
            names += [f"{own}_{i}_{choice}" for i, n in enumerate(leaf.nvec.flat) for choice in range(n)]
        else:
            names += [f"{own}_{i}" for i in range(spaces.flatdim(leaf))]
    return tuple(names) if len(set(names)) == len(names) else tuple(f"{name}_{i}" for i in range(len(names)))


def _flat_row(space: Space[Any], value: Any, leaf_row: Callable[[Any, Any], np.ndarray]) -> np.ndarray:
    """(C,) float32 of a value; `leaf_row` makes the pieces, of a leaf and its value."""
    if isinstance(space, spaces.Dict):
        if not isinstance(value, Mapping) or set(value) != set(space.spaces):
            given = ", ".join(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
            raise UserError(f"got {given} for {space}; expected a dict with the keys {', '.join(space.spaces)}")
        pieces = [_flat_row(part, value[key], leaf_row) for key, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple | list) or len(value) != len(space.spaces):
            raise UserError(f"got {value!r} for {space}; expected a tuple of {len(space.spaces)}")
        pieces = [_flat_row(part, own, leaf_row) for own, part in zip(value, space.spaces, strict=True)]
    else:
        return leaf_row(space, value)
    return np.concatenate([np.empty(0, np.float32), *pieces])


def _leaf_row(leaf: Leaf, array: np.ndarray) -> np.ndarray:
    """(C,) float32, a copy, of an array with the shape of the space."""
    if isinstance(leaf, spaces.Box):
        return np.array(as_float32(array, "values")).reshape(-1)
    if isinstance(leaf, spaces.MultiBinary):
        return one_hot(array, 2)[..., 1].reshape(-1)
    if isinstance(leaf, spaces.Discrete):
        return one_hot(array, int(leaf.n), int(leaf.start)).reshape(-1)
    choices = zip(array.flat, leaf.nvec.flat, leaf.start.flat, strict=True)
    return np.concatenate([one_hot(value, int(n), int(start)) for value, n, start in choices])


def as_array(value: Any) -> np.ndarray:
    """What numpy makes of a value.

    Raises:
        UserError: for nested lists or tuples that are no array.
    """
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise UserError(f"got {value!r}; expected an array of numbers") from error
