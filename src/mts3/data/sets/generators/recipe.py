"""What a generated set will hold, known before it is generated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mts3.data.core.trajectory import Dataset, Trajectory


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
        return self.collect(
            Trajectory(o, a, episode_name(number)) for number, (o, a) in enumerate(zip(obs, actions, strict=True))
        )

    def collect(self, trajectories: Iterable[Trajectory]) -> Dataset:
        """The set, or a part of it, that holds these trajectories."""
        return Dataset(
            name=self.name,
            trajectories=tuple(trajectories),
            obs_names=self.obs_names,
            action_names=self.action_names,
            sample_time=self.sample_time,
            attribution=self.attribution,
            obs_units=self.obs_units,
            action_units=self.action_units,
            image_shape=self.image_shape,
        )


def episode_name(number: int) -> str:
    """What the episode of this number is called."""
    return f"episode_{number:03d}"
