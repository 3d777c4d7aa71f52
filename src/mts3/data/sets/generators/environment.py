"""Simulators of gymnasium and gymnasium-robotics, made quietly, and steered through an episode."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

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


def roll_out(
    environment: Any,
    rows: int,
    rng: np.random.Generator,
    noise_std: float,
    policy: Callable[[list[Any]], np.ndarray],
) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """One episode: T observations, actions (T - 1, A) and rewards (T - 1,).

    The reset clears all of the simulator's state, the solver's warm start too.

    Args:
        environment: Of `make_environment`.
        rows: T.
        rng: Decides the start and the noise on actions.
        noise_std: Standard deviation of that noise.
        policy: Everything observed so far -> action (A,) before noise; all actions end at -1 and 1.
    """
    observed, *_ = environment.reset(seed=int(rng.integers(2**31)))
    noise = noise_std * rng.standard_normal((rows - 1, *environment.action_space.shape))
    observations, actions, rewards = [observed], [], []
    for own in noise:
        # Rounded before it acts: what is recorded is what acted.
        actions.append(np.clip(policy(observations) + own, -1.0, 1.0).astype(np.float32))
        observed, reward, *_ = environment.step(actions[-1])
        observations.append(observed)
        rewards.append(reward)
    return observations, np.stack(actions), np.array(rewards)


def not_installed(name: str, error: Exception) -> UserError:
    """The error for a simulator that cannot be imported or made."""
    return UserError(f'the simulator {name} cannot be used ({error}); try: pip install "mts3[sim]"')
