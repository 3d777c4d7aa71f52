"""Values of gymnasium's spaces laid flat: one row of numbers, and a name for each channel.

A Box has a channel for each number, MultiBinary one that is 0 or 1, Discrete and MultiDiscrete one for each choice, 1
for the one that was taken. Dict and Tuple have those of their parts, side by side. The rows are those of
gymnasium.spaces.flatten, but nothing is cast or wrapped around on the way: what does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from mts3.data.core.one_hot import one_hot
from mts3.data.core.trajectory import as_float32
from mts3.errors import UserError

try:
    from gymnasium import Space, spaces
except ImportError as error:
    raise UserError('recording an environment needs gymnasium; install it with pip install "mts3[sim]"') from error

Leaf: TypeAlias = spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
"""A space without parts that has a row."""


def leaves(space: Space[Any], name: str, outer: str = "") -> Iterator[tuple[str, Space[Any]]]:
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
        yield from leaves(part, own, f"{own}_")


def channel_names(space: Space[Any], name: str) -> tuple[str, ...]:
    """One name a channel: NAME_0, NAME_1, .. of each leaf, or NAME_0_0, .. for the choices of a MultiDiscrete.

    Where two would be the same, all are called by `name` and their number.
    """
    names: list[str] = []
    for own, leaf in leaves(space, name):
        if isinstance(leaf, spaces.MultiDiscrete):
            names += [f"{own}_{i}_{choice}" for i, n in enumerate(leaf.nvec.flat) for choice in range(n)]
        else:
            names += [f"{own}_{i}" for i in range(spaces.flatdim(leaf))]
    return tuple(names) if len(set(names)) == len(names) else tuple(f"{name}_{i}" for i in range(len(names)))


def flat_row(space: Space[Any], value: Any, leaf_row: Callable[[Any, Any], np.ndarray]) -> np.ndarray:
    """(C,) float32 of a value; `leaf_row` makes the pieces, of a leaf and its value.

    Raises:
        UserError: for parts that are missing, or that the space does not have.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(value, Mapping) or set(value) != set(space.spaces):
            given = ", ".join(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
            raise UserError(f"got {given} for {space}; expected a dict with the keys {', '.join(space.spaces)}")
        pieces = [flat_row(part, value[key], leaf_row) for key, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple | list) or len(value) != len(space.spaces):
            raise UserError(f"got {value!r} for {space}; expected a tuple of {len(space.spaces)}")
        pieces = [flat_row(part, own, leaf_row) for own, part in zip(value, space.spaces, strict=True)]
    else:
        return leaf_row(space, value)
    return np.concatenate([np.empty(0, np.float32), *pieces])


def leaf_row(leaf: Leaf, array: np.ndarray) -> np.ndarray:
    """(C,) float32, a copy, of an array with the shape of the space.

    Raises:
        UserError: for what is no number, and choices that there are not.
    """
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


def nothing(space: Space[Any]) -> Any:
    """A value of the space that does nothing: 0 or the nearest there is, and the first of choices."""
    if isinstance(space, spaces.Dict):
        return {key: nothing(part) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(nothing(part) for part in space.spaces)
    if isinstance(space, spaces.Box):
        return np.asarray(np.clip(np.zeros(space.shape, space.dtype), space.low, space.high))
    if isinstance(space, spaces.MultiBinary):
        return np.zeros(space.shape, space.dtype)
    return space.start if isinstance(space, spaces.Discrete | spaces.MultiDiscrete) else None
