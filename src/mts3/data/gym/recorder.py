"""Record environments of gymnasium: wrap one and step as usual, or let a policy run in it.

    env = RecordTrajectories(gymnasium.make("Pendulum-v1"), "pendulum.npz")
    ...  # reset and step as ever
    env.close()

An episode is one trajectory; it ends where it is terminated or truncated, at the next reset, or at the close. It has
one observation more than actions and rewards: the last row is where it ended up. Whether it was terminated or truncated
is not kept, nor are infos. `mts3.data.gym.spaces` says which spaces can be recorded, and how. What should be known
about a recording is said on stderr when it is written or asked for: a sampling time that is a guess or varies
(`mts3.data.gym.step_time`), actions out of bounds, rewards that are NaN. Needs gymnasium: pip install "mts3[sim]".
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np

from mts3.data.core.trajectory import Dataset
from mts3.data.gym.episodes import EpisodeStore
from mts3.data.gym.spaces import Space, actions_of, observations_of, spaces
from mts3.data.gym.step_time import StepTime
from mts3.errors import UserError, unknown_name

import gymnasium  # isort: skip  # after mts3.data.gym.spaces, which says what to install where it is missing

Policy = Callable[[Any], Any]
"""From what was observed to what to do."""


class RecordTrajectories(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that records what happens in it.

    What was recorded is written when the environment is closed, and also when the script ends without that, by an
    exception or Ctrl-C; the running episode is kept as far as it went. Observations are recorded as the wrapped
    environment gives them, actions as they are given to it, before any clipping inside.

    Args:
        env: One environment, not a vector of them. An Autoreset wrapper goes around this one, not inside.
        path: A name that ends in .npz: all episodes in that file, written at the end. Anything else is a folder: every
            episode in a file of its own, written when it ends, so that even a killed process loses only the running
            one; `mts3 data import FOLDER/*.npz output=FILE.npz` makes one file of them. None writes nothing.
        sample_time: Seconds per step. None takes what the clock of the simulator says, or, which is a guess and said,
            the environment's `dt`, or its frames per second, or 1.
        flatten: Lay out flat what could not be recorded as it is (Dict, Tuple, arrays). Whoever steps still sees and
            gives the environment's own.

    Raises:
        UserError: for a file that exists already, a vector of environments, or a space that cannot be recorded.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        path: str | Path | None = None,
        sample_time: float | None = None,
        flatten: bool = False,
    ):
        if not isinstance(env, gymnasium.Env):
            raise UserError(f"expected one gymnasium environment, got {type(env).__name__}; record them one by one")
        super().__init__(env)
        path = None if path is None else Path(path)
        if path is not None and path.is_file():
            raise UserError(f"{path} exists already; name another file, or remove it")
        name = "environment" if env.spec is None else env.spec.id
        observations, actions = observations_of(env.observation_space, flatten), actions_of(env.action_space, flatten)
        attribution = f"recorded in {name} of gymnasium {gymnasium.__version__}"
        self._step_time = StepTime(env, sample_time)
        self._episodes = EpisodeStore(observations, actions, attribution, self._step_time, path, name)
        # Runs when the interpreter ends, too. The recording must not know this object, or it would never be let go.
        weakref.finalize(self, self._episodes.close)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As ever; an episode begins, and one that was running ends."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._episodes.begin(obs)
        self._step_time.look(self.env)
        return obs, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """As ever.

        Raises:
            UserError: before a reset or after the end of an episode, or for a step that cannot be recorded, which
                ends the episode.
        """
        row = self._episodes.action(action)
        before = self._step_time.now()
        obs, reward, terminated, truncated, info = self.env.step(action)
        over = bool(terminated or truncated)
        self._episodes.add(row, reward, obs, over, took=self._step_time.now() - before)
        return obs, reward, terminated, truncated, info

    def close(self) -> None:
        """As ever; what was recorded is written.

        Raises:
            UserError: if it cannot be written; it is then tried again when the script ends.
        """
        try:
            self._episodes.close()
        finally:
            super().close()

    def dataset(self) -> Dataset:
        """What was recorded so far.

        Raises:
            UserError: if no step was, or if the episodes are in a folder.
        """
        dataset = self._episodes.dataset()
        self._episodes.say_notes()
        return dataset


def record(
    env_id: str,
    policy: str | Policy = "random",
    episodes: int = 10,
    steps: int | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    sample_time: float | None = None,
    flatten: bool = False,
) -> Dataset:
    """Let a policy run in an environment. The same arguments give the same data, as far as the environment does.

    Args:
        env_id: Of gymnasium; "MODULE:ID" imports a module that registers it first.
        policy: "random" draws from the action space in each step, "zero" does nothing (0, or the nearest there is; of a
            Discrete space the first choice), "MODULE:FUNCTION" is imported; or a function from observation to action.
        episodes: How many.
        steps: Of an episode at most; None lets the environment end it.
        seed: With its number it decides an episode: more episodes begin with the same ones.
        output: The npz to write, also when interrupted; None writes none.
        sample_time, flatten: As in RecordTrajectories; a policy still sees and gives the environment's own.

    Raises:
        UserError: for an environment or a policy that cannot be used or fails, or numbers that are none.
    """
    if episodes < 1 or (steps is not None and steps < 1) or seed < 0:
        raise UserError(f"got episodes={episodes}, steps={steps}, seed={seed}; expected at least 1, 1 and 0")
    if output is not None and Path(output).suffix != ".npz":
        raise UserError(f"output is {output}; expected a name that ends in .npz")
    with RecordTrajectories(_made(env_id), output, sample_time, flatten) as recorder:
        env = recorder.env
        if steps is None and (env.spec is None or env.spec.max_episode_steps is None):
            raise UserError(f"episodes of {env_id} may never end; say after how many steps to cut them (steps=N)")
        act = policy_of(policy, env.action_space)
        for number in range(episodes):
            own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            env.action_space.seed(own)
            with failing_in_one_line(f"reset of {env_id}"):
                obs, _ = recorder.reset(seed=own)
            for _ in itertools.count() if steps is None else range(steps):
                action = act(obs)
                with failing_in_one_line(f"step of {env_id}"):
                    obs, _, terminated, truncated, _ = recorder.step(action)
                if terminated or truncated:
                    break
    return recorder.dataset()


def _made(env_id: str) -> gymnasium.Env[Any, Any]:
    with failing_in_one_line(f"making {env_id}"):
        try:
            return gymnasium.make(env_id, disable_env_checker=True)
        except (gymnasium.error.Error, ImportError) as error:
            raise UserError(
                f"cannot make the environment '{env_id}' ({error}); one that another package brings is called "
                'MODULE:ID, and simulators come with pip install "mts3[sim]"'
            ) from error


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
