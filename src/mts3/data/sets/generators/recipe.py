"""What a generated set will hold, known before it is generated, and how it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.registry import Registry


@dataclass(frozen=True)
class Recipe:
    """The facts about a generated set, so that it can be listed in no time.

    Attributes:
        name: Of the set.
        episodes: Trajectories.
        rows: Of each.
        obs_names, obs_units, action_names, action_units: One a channel.
        sample_time: Seconds per step.
        attribution: What made it.
        image_shape: As in `Dataset`; obs_names and obs_units are then ().
    """

    name: str
    episodes: int
    rows: int
    obs_names: tuple[str, ...]
    obs_units: tuple[str, ...]
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    sample_time: float
    attribution: str
    image_shape: tuple[int, int, int] | None = None

    @property
    def obs_dim(self) -> int:
        """Observed channels."""
        return len(self.obs_names) if self.image_shape is None else math.prod(self.image_shape)

    def dataset(self, obs: np.ndarray, actions: np.ndarray) -> Dataset:
        """The set made of obs (E, T, O) and actions (E, T, A), one trajectory an episode."""
        return self.collect(_trajectories(range(len(obs)), (obs, actions)))

    def collect(self, trajectories: Iterable[Trajectory]) -> Dataset:
        """The set, or a part of it, that holds these trajectories."""
        facts = {key: value for key, value in vars(self).items() if key not in ("episodes", "rows")}
        return Dataset(trajectories=tuple(trajectories), **facts)


def episode_name(number: int) -> str:
    """What the episode of this number is called."""
    return f"episode_{number:03d}"


def recipes(
    name: str,
    obs: Mapping[str, str],
    actions: Mapping[str, str],
    sample_time: float,
    attribution: str,
    image_shape: tuple[int, int, int] | None = None,
    **sizes: tuple[int, int],
) -> dict[str, Recipe]:
    """By size, from the unit of each channel by its name; a size is given as in small=(episodes, rows)."""
    channels = (tuple(obs), tuple(obs.values()), tuple(actions), tuple(actions.values()))
    return {
        size: Recipe(name, episodes, rows, *channels, sample_time, attribution, image_shape)
        for size, (episodes, rows) in sizes.items()
    }


MakeEpisodes = Callable[[Recipe, range, int], list[Trajectory]]
"""(recipe, numbers, seed) -> the episodes of these numbers."""


class Generated(NamedTuple):
    """A set that can be made.

    Attributes:
        recipes: What it will hold, by size; the first is the usual one.
        make_episodes: Makes some of its episodes.
        piece: Episodes made at once, in the half minute or less that an interruption may cost; None makes all.
        version: Raised when the same recipe and seed would give other bytes.
    """

    recipes: Mapping[str, Recipe]
    make_episodes: MakeEpisodes
    piece: int | None
    version: int = 1


GENERATED: Registry[Generated] = Registry("generated data set")


Channels = Callable[[Any], tuple[Iterable[np.ndarray], Iterable[np.ndarray]]]
"""What was simulated -> of each episode obs (T, O), and actions (T, A) or (T - 1, A)."""


def generated(
    name: str, recipes: Mapping[str, Recipe], piece: int, simulate: Callable[[range, int, int], Any], channels: Channels
) -> MakeEpisodes:
    """A set that `simulate` (numbers, rows, seed) makes; each episode depends on its number and the seed alone."""

    def make_episodes(recipe: Recipe, numbers: range, seed: int) -> list[Trajectory]:
        return _trajectories(numbers, channels(simulate(numbers, recipe.rows, seed)))

    GENERATED.register(name)(Generated(recipes, make_episodes, piece))
    return make_episodes


def generate_at_once(recipe: Recipe, generate: Callable[[int, int, int], Dataset]) -> None:
    """A set of one size, from a function (episodes, rows, seed) that makes all of it."""

    def make_episodes(recipe: Recipe, numbers: range, seed: int) -> list[Trajectory]:
        made = generate(recipe.episodes, recipe.rows, seed)
        return list(made.trajectories[numbers.start : numbers.stop])

    GENERATED.register(recipe.name)(Generated({"small": recipe}, make_episodes, piece=None))


def _trajectories(numbers: range, made: tuple[Iterable[np.ndarray], Iterable[np.ndarray]]) -> list[Trajectory]:
    return [Trajectory(obs, actions, episode_name(number)) for number, obs, actions in zip(numbers, *made, strict=True)]
