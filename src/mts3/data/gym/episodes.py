"""What a recorder holds in memory, and how it gets to the disk."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.core.native import save_dataset
from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.data.gym.spaces import Actions, Observations, as_array
from mts3.data.gym.step_time import StepTime
from mts3.errors import UserError

MOST_REWARD = float(np.finfo(np.float32).max)


class Episode:
    """Rows of one episode. A step is appended in one piece: an interrupt leaves it whole or out."""

    def __init__(self, first: np.ndarray):
        self.first = first
        self.steps: list[tuple[np.ndarray, float, np.ndarray]] = []
        self.over = False


@dataclass
class EpisodeStore:
    """Episodes in memory, and where they go.

    Attributes:
        observations, actions: How they become rows.
        attribution: Of the data set.
        step_time: Counts the steps that are added.
        path: A file that ends in .npz gets all episodes; a folder gets a file an episode, each when it is over, and
            forgets it here; None keeps them in memory.
        name: Of the data set where there is no file to name it.
    """

    observations: Observations
    actions: Actions
    attribution: str
    step_time: StepTime
    path: Path | None
    name: str

    def __post_init__(self) -> None:
        self.folder = self.path is not None and self.path.suffix != ".npz"
        self.episodes: list[Episode] = []
        self.saved_steps = self.steps = self.outside = self.unrewarded = 0
        self._said: set[str] = set()

    def begin(self, obs: Any) -> None:
        """An episode begins; one that runs is over."""
        if self.folder:
            self.save()
        self.episodes = [*self._begun, Episode(self.observations.row(obs))]

    def action(self, action: Any) -> np.ndarray:
        """(A,) the row of the action of the next step. Until `add` the episode counts as over: it has no holes.

        Raises:
            UserError: where no episode runs, or for an action that does not fit.
        """
        if not self.episodes or self.episodes[-1].over:
            raise UserError(
                "step was called where no episode runs; call reset first (an Autoreset wrapper goes around)"
            )
        row = self.actions.row(action)
        self.episodes[-1].over = True
        return row

    def add(self, action: np.ndarray, reward: Any, obs: Any, over: bool, took: float) -> None:
        """A step was made; how much time it `took` is for `StepTime.count`.

        Raises:
            UserError: for an observation or a reward that cannot be kept; the steps before it are.
        """
        earned = _number(reward)
        episode = self.episodes[-1]
        episode.steps.append((action, earned, self.observations.row(obs)))
        episode.over = over
        self.step_time.count(took, over)
        self.steps += 1
        self.outside += not self.actions.allowed(action)
        self.unrewarded += math.isnan(earned)
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
        for episode in self._begun:
            # After all that are there: a folder can be filled in several runs.
            numbers = [int(p.stem[8:]) for p in self.path.glob("episode_*.npz") if p.stem[8:].isdecimal()]
            name = f"episode_{max(numbers, default=-1) + 1:03d}"
            save_dataset(self._dataset(name, [episode], [name]), self.path / f"{name}.npz")
            self.episodes.remove(episode)

    def close(self) -> None:
        """Write what is new, and say what should be known about it."""
        self.save()
        if self.path is not None:
            self.say_notes()

    def say_notes(self) -> None:
        """Print what should be known about the steps so far, on stderr, a line each and each once."""
        lines = self.step_time.notes() if self.steps else []
        if self.outside:
            lines.append(
                f"{self.outside} of {self.steps} actions were outside of {self.actions.space}: recorded as they "
                "were given, though many environments cut such actions; a policy that cuts them says what was done"
            )
        if self.unrewarded:
            lines.append(f"in {self.unrewarded} of {self.steps} steps the reward was NaN: recorded as not known")
        for line in lines:
            if line not in self._said:
                print(line, file=sys.stderr)
                self._said.add(line)

    def dataset(self) -> Dataset:
        """Every episode with a step.

        Raises:
            UserError: if there is none, or if they are in a folder.
        """
        if self.folder:
            raise UserError(
                f"the episodes are in {self.path}; mts3 data import {self.path}/*.npz makes one file of them"
            )
        if not self._begun:
            raise UserError("no step was recorded; reset and step the environment first")
        name = self.name if self.path is None else self.path.stem
        return self._dataset(name, self._begun, [f"episode_{number:03d}" for number in range(len(self._begun))])

    @property
    def _begun(self) -> list[Episode]:
        return [episode for episode in self.episodes if episode.steps]

    def _dataset(self, name: str, episodes: list[Episode], names: list[str]) -> Dataset:
        trajectories = []
        for episode, own in zip(episodes, names, strict=True):
            actions, rewards, observed = zip(*episode.steps, strict=True)
            obs = self.observations.stacked([episode.first, *observed])
            trajectories.append(Trajectory(obs, np.stack(actions), own, np.array(rewards)))
        return Dataset(
            name=name,
            trajectories=tuple(trajectories),
            obs_names=self.observations.names,
            action_names=self.actions.names,
            sample_time=self.step_time.seconds,
            attribution=self.attribution,
            image_shape=self.observations.image_shape,
        )


def _number(reward: Any) -> float:
    array = as_array(reward)
    if array.size != 1 or array.dtype.kind not in "fiub":
        raise UserError(f"the environment gave the reward {reward!r}; expected one number")
    if abs(float(array.item())) > MOST_REWARD:
        raise UserError(f"the environment gave the reward {reward}; expected at most {MOST_REWARD:.2g}")
    return float(array.item())
