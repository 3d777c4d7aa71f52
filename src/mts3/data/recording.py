"""What a recorder holds in memory, and how it gets to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mts3.data.native import save_dataset
from mts3.data.spaces import Actions, Observations
from mts3.data.trajectory import Dataset, Trajectory
from mts3.errors import UserError

MOST_REWARD = float(np.finfo(np.float32).max)


class Facts(NamedTuple):
    """What is known before the first step; `sample_time` in seconds."""

    observations: Observations
    actions: Actions
    sample_time: float
    attribution: str


class Episode:
    """Rows of one episode. A step is appended in one piece: an interrupt leaves it whole or out."""

    def __init__(self, first: np.ndarray):
        self.first = first
        self.steps: list[tuple[np.ndarray, float, np.ndarray]] = []
        self.over = False


class Recording:
    """Episodes in memory, and where they go.

    Args:
        facts: Of the environment.
        path: A file that ends in .npz gets all episodes; a folder gets a file an episode, each when it is over, and
            forgets it here; None keeps them in memory.
        name: Of the data set where there is no file to name it.
    """

    def __init__(self, facts: Facts, path: Path | None, name: str):
        self.facts = facts
        self.path = path
        self.folder = path is not None and path.suffix != ".npz"
        self.name = path.stem if path is not None else name
        self.episodes: list[Episode] = []
        self.saved_steps = 0

    def begin(self, obs: Any) -> None:
        """An episode begins; one that runs is over."""
        if self.folder:
            self.save()
        kept = [episode for episode in self.episodes if episode.steps]
        self.episodes = [*kept, Episode(self.facts.observations.row(obs))]

    def action(self, action: Any) -> np.ndarray:
        """(A,) the row of an action about to be taken. Until `add` the episode counts as over: it has no holes.

        Raises:
            UserError: where no episode runs, or for an action that does not fit.
        """
        if not self.episodes or self.episodes[-1].over:
            raise UserError(
                "step was called where no episode runs; call reset first (an Autoreset wrapper goes around)"
            )
        row = self.facts.actions.row(action)
        self.episodes[-1].over = True
        return row

    def add(self, action: np.ndarray, reward: float, obs: Any, over: bool) -> None:
        """A step was taken.

        Raises:
            UserError: for an observation or a reward that cannot be kept; the steps before it are.
        """
        if abs(reward) > MOST_REWARD:
            raise UserError(f"the environment gave the reward {reward}; expected at most {MOST_REWARD:.2g}")
        episode = self.episodes[-1]
        episode.steps.append((action, reward, self.facts.observations.row(obs)))
        episode.over = over
        if self.folder and over:
            self.save()

    def save(self) -> None:
        """Write what is new, if there is something."""
        steps = sum(len(episode.steps) for episode in self.episodes)
        if self.path is None or steps == self.saved_steps:
            return
        if not self.folder:
            save_dataset(self.dataset(), self.path)
            self.saved_steps = steps
            return
        for episode in [episode for episode in self.episodes if episode.steps]:
            name = _free_name(self.path)
            save_dataset(self._dataset(name, [episode], [name]), self.path / f"{name}.npz")
            self.episodes.remove(episode)

    def dataset(self) -> Dataset:
        """Every episode with a step.

        Raises:
            UserError: if there is none, or if they are in a folder.
        """
        if self.folder:
            raise UserError(
                f"the episodes are in {self.path}; mts3 data import {self.path}/*.npz makes one file of them"
            )
        kept = [episode for episode in self.episodes if episode.steps]
        if not kept:
            raise UserError("no step was recorded; reset and step the environment first")
        return self._dataset(self.name, kept, [f"episode_{number:03d}" for number in range(len(kept))])

    def _dataset(self, name: str, episodes: list[Episode], names: list[str]) -> Dataset:
        observations, actions = self.facts.observations, self.facts.actions
        trajectories = []
        for episode, own in zip(episodes, names, strict=True):
            acted, rewards, observed = zip(*episode.steps, strict=True)
            obs = observations.stacked([episode.first, *observed])
            trajectories.append(Trajectory(obs, np.stack(acted), own, np.array(rewards)))
        image = observations.image_shape is not None
        return Dataset(
            name=name,
            trajectories=tuple(trajectories),
            obs_names=() if image else tuple(f"obs_{i}" for i in range(observations.channels)),
            action_names=tuple(f"action_{i}" for i in range(actions.channels)),
            sample_time=self.facts.sample_time,
            attribution=self.facts.attribution,
            image_shape=observations.image_shape,
        )


def _free_name(folder: Path) -> str:
    """The first episode_NNN that is not there, after all that are: a folder can be filled in several runs."""
    numbers = [int(path.stem[8:]) for path in folder.glob("episode_*.npz") if path.stem[8:].isdecimal()]
    return f"episode_{max(numbers, default=-1) + 1:03d}"
