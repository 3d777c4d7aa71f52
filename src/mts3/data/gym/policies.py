"""Policies by name, for `mts3 data record`."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mts3.data.gym.spaces import Space, spaces
from mts3.errors import UserError, unknown_name

Policy = Callable[[Any], Any]
"""From what was observed to what to do."""


def policy_of(policy: str | Policy, space: Space[Any]) -> Policy:
    """A policy that acts in `space`: a function as it is, or one of the names that `record` takes.

    Raises:
        UserError: for an unknown name, or what cannot be imported.
    """
    if not isinstance(policy, str):
        return policy
    if policy == "random":
        return lambda obs: space.sample()
    if policy == "zero":
        return lambda obs: nothing(space)
    if ":" not in policy:
        raise unknown_name("policy", policy, ("random", "zero", "MODULE:FUNCTION"))
    module, _, name = policy.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except Exception as error:  # the user's file may fail in any way
        raise UserError(
            f"cannot import policy {policy} ({type(error).__name__}: {error}); expected MODULE:FUNCTION, as in "
            "my_file:act"
        ) from error
    if not callable(function):
        raise UserError(f"policy {policy} is {type(function).__name__}; expected a function from observation to action")

    def act(obs: Any) -> Any:
        with failing_in_one_line(f"policy {policy}"):
            return function(obs)

    return act


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


@contextlib.contextmanager
def failing_in_one_line(what: str) -> Iterator[None]:
    """Makes one clear line of the exceptions of somebody else's code.

    Raises:
        UserError: with what they say; our own as they are.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{what} failed: {type(error).__name__}: {error}") from error
