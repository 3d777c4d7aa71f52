"""What a generated set will hold, known before it is generated, and how it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

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
        return self.collect(episodes(range(len(obs)), obs, actions))

    def collect(self, trajectories: Iterable[Trajectory]) -> Dataset:
        """The set, or a part of it, that holds these trajectories."""
        facts = {key: value for key, value in vars(self).items() if key not in ("episodes", "rows")}
        return Dataset(trajectories=tuple(trajectories), **facts)


def episode_name(number: int) -> str:
    """What the episode of this number is called."""
    return f"episode_{number:03d}"


def episodes(numbers: range, obs: Iterable[np.ndarray], actions: Iterable[np.ndarray]) -> list[Trajectory]:
    """The episodes of these numbers, from obs (T, O) and actions (T, A) or (T - 1, A) of each."""
    return [Trajectory(o, a, episode_name(number)) for number, o, a in zip(numbers, obs, actions, strict=True)]


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


def generates(
    name: str, recipes: Mapping[str, Recipe], piece: int, version: int = 1
) -> Callable[[MakeEpisodes], MakeEpisodes]:
    """A decorator of what makes the episodes of a set; see `Generated`."""

    def add(make_episodes: MakeEpisodes) -> MakeEpisodes:
        GENERATED.register(name)(Generated(recipes, make_episodes, piece, version))
        return make_episodes

    return add


def generate_at_once(recipe: Recipe, generate: Callable[[int, int, int], Dataset]) -> None:
    """A set of one size, from a function (episodes, rows, seed) that makes all of it."""

    def make_episodes(recipe: Recipe, numbers: range, seed: int) -> list[Trajectory]:
        made = generate(recipe.episodes, recipe.rows, seed)
        return list(made.trajectories[numbers.start : numbers.stop])

    GENERATED.register(recipe.name)(Generated({"small": recipe}, make_episodes, piece=None))
