"""Simulators of gymnasium and gymnasium-robotics, made quietly."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

from mts3.errors import UserError


def make_environment(name: str, **options: Any) -> Any:
    """A gymnasium environment without the wrappers that check, count and end episodes.

    Args:
        name: Its id, with the package that brings it in front where that is not gymnasium itself:
            "gymnasium_robotics:PointMaze_Medium-v3".
        options: Of the environment.

    Raises:
        UserError: if the simulators are not installed.
    """
    # On import gymnasium-robotics prints news of environments that we do not use, and both packages use what numpy and
    # others deprecate: none of it is for the user.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import gymnasium

            missing = (ImportError, gymnasium.error.DependencyNotInstalled)
        except ImportError as error:
            raise not_installed(name, error) from error
        try:
            return gymnasium.make(name, disable_env_checker=True, **options).unwrapped
        except missing as error:
            raise not_installed(name, error) from error


def not_installed(name: str, error: Exception) -> UserError:
    """The error for a simulator that cannot be imported or made."""
    return UserError(f'the simulator {name} cannot be used ({error}); try: pip install "mts3[sim]"')
