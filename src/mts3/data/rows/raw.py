"""Rows as a file holds them: not yet regular in time, not yet known to be usable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from mts3.data.core.matching import aligned
from mts3.data.core.stored import Rows, hold_last
from mts3.data.core.trajectory import Trajectory, channels_called
from mts3.data.rows.codes import Codes, Counts, leave_out
from mts3.errors import UserError


class Written(NamedTuple):
    """How a file writes its times.

    Attributes:
        words: What they were read as, as in "time 'stamp': nanoseconds since 1970"; "" where nothing was converted.
        local: Dates without a zone, which jump where clocks are set forward or back.
        spacing: Seconds between neighbouring numbers of a type of few digits, such as float32; else 0.
        from_first: Whether the seconds are counted from the first row.
    """

    words: str = ""
    local: bool = False
    spacing: float = 0.0
    from_first: bool = False


class Times(NamedTuple):
    """The times of rows: `seconds` (R,) float64, NaN where one is missing, and how they are `written`."""

    seconds: np.ndarray
    written: Written = Written()


@dataclass(frozen=True)
class RawTrajectory:
    """The rows of one trajectory, or of a file that holds several, in the order of the file.

    Attributes:
        name: As in the file.
        obs: (T, O) float32 or float64, NaN = not observed.
        actions: (T, A) float32 or float64, NaN = not known.
        times: (T,) float64 seconds, in whatever order; None: every row is one step.
        reward: (T,) NaN = not known; None: no reward.
        written: How the file writes the times.
    """

    name: str
    obs: Rows
    actions: Rows
    times: np.ndarray | None = None
    reward: Rows | None = None
    written: Written = field(default_factory=Written)

    def __len__(self) -> int:
        return len(self.obs)

    def part(self, rows: slice | np.ndarray, name: str) -> RawTrajectory:
        """Some of the rows; a slice gives views."""
        times = None if self.times is None else self.times[rows]
        reward = None if self.reward is None else self.reward[rows]
        return RawTrajectory(name, self.obs[rows], self.actions[rows], times, reward, self.written)

    def without_codes(
        self, codes: Codes, obs_names: Sequence[str], action_names: Sequence[str]
    ) -> tuple[RawTrajectory, Counts]:
        """The same with NaN for the numbers that are codes for missing, and how many there were."""
        obs, counts = leave_out(codes, self.obs, obs_names)
        actions, of_actions = leave_out(codes, self.actions, action_names)
        if self.reward is None:
            return replace(self, obs=obs, actions=actions), counts + of_actions
        reward, of_reward = leave_out(codes, self.reward, ("reward",))
        return replace(self, obs=obs, actions=actions, reward=reward), counts + of_actions + of_reward

    def with_actions_moved(self, shift: int) -> RawTrajectory:
        """The same with the action between rows t and t+1, which stands in row t + `shift`, in row t.

        Rows at an end whose action is in no row are left out; rewards stay in their rows.

        Raises:
            UserError: if next to nothing would be left.
        """
        if shift == 0:
            return self
        obs, actions, reward = aligned(self.obs, self.actions, self.reward, shift, self.name)
        times = None if self.times is None else self.times[max(0, -shift) :][: len(obs)]
        actions = hold_last(actions) if len(actions) < len(obs) else actions
        return replace(self, obs=obs, actions=actions, times=times, reward=reward)


@dataclass(frozen=True)
class RawDataset:
    """All trajectories of a file or a data set.

    Attributes:
        name: Of the file or set.
        trajectories: At least one.
        obs_names, action_names: One a channel.
        sample_time: Seconds per step; None where only the times can tell.
    """

    name: str
    trajectories: tuple[RawTrajectory, ...]
    obs_names: tuple[str, ...]
    action_names: tuple[str, ...]
    sample_time: float | None = None

    def sound_trajectories(self) -> tuple[Trajectory, ...]:
        """What `Trajectory` makes of them.

        Raises:
            UserError: for what it refuses, with the channel's name.
        """
        with channels_called(self.obs_names, self.action_names):
            return tuple(Trajectory(t.obs, t.actions, t.name, t.reward) for t in self.trajectories)


class RefusedRows(UserError):
    """A file was read, but its rows make no data set. It carries them, so that they can be looked at, and the notes."""

    def __init__(self, message: str, recording: RawDataset | None = None, notes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.recording = recording
        self.notes = notes
