"""Policies by name, for `mts3 data record`."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from mts3.data.gym.flattening import Space, nothing
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
    return _imported(policy)


def _imported(policy: str) -> Policy:
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
