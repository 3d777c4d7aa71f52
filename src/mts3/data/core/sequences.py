"""Whole trajectories in, training sequences out, cut when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mts3.data.core.trajectory import Trajectory
from mts3.errors import UserError
from mts3.normalizer import Normalizer
from mts3.types import Float, Tensor


class SequenceDataset(torch.utils.data.Dataset[dict[str, Tensor]]):
    """Sequences of one length out of trajectories of any length, normalized.

    Sequence starts lie `stride` rows apart; the last sequence of a trajectory ends at its last row, overlapping its
    predecessor where it must, so that every row is used (for strides up to `sequence_len`). A trajectory of
    `sequence_len` rows or fewer is one sequence, padded at the end with NaN observations and zero actions.

    Args:
        trajectories: Kept as they are; rows are copied only for the sequence that is asked for.
        normalizer: Applied to each sequence.
        sequence_len: Steps T of a sequence: T + 1 observations and the T actions between them.
        stride: Rows between the starts of neighbours.

    Item i is {"obs": (T + 1, O) float32 normalized, NaN where not observed, "actions": (T, A) float32 normalized}, and
    where the data have one "reward": (T, 1) float32 normalized, NaN where not known.
    """

    def __init__(self, trajectories: Sequence[Trajectory], normalizer: Normalizer, sequence_len: int, stride: int):
        if not trajectories:
            raise UserError("cannot cut sequences: no trajectory was given; expected at least one")
        for name, value in (("sequence_len", sequence_len), ("stride", stride)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise UserError(f"{name} is {value!r}; expected a whole number of rows")
        if sequence_len < 1 or stride < 1:
            raise UserError(f"sequence_len is {sequence_len} and stride is {stride}; expected at least 1 each")
        self.trajectories = tuple(trajectories)
        self.normalizer = normalizer
        self.sequence_len = sequence_len
        self.stride = stride
        # Sequences up to and including each trajectory: a recording of 20 GB has too many to list them.
        self._ends = np.cumsum([1 + -(-self._last_start(t) // stride) for t in self.trajectories])

    @property
    def obs_dim(self) -> int:
        """Number of observed channels O."""
        return self.trajectories[0].obs.shape[1]

    @property
    def action_dim(self) -> int:
        """Number of action channels A."""
        return self.trajectories[0].actions.shape[1]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        trajectory, start = self.locate(index)
        stop = start + self.sequence_len
        # The trajectory's last action acts on nothing: it is never handed out.
        actions = np.asarray(trajectory.actions[start : min(stop, len(trajectory) - 1)])
        obs = self.normalizer.normalize_obs(np.asarray(trajectory.obs[start : stop + 1]))
        actions = self.normalizer.normalize_actions(actions)
        # Only now: a large mean has been subtracted in the resolution of the recording.
        obs, actions = obs.astype(np.float32, copy=False), actions.astype(np.float32, copy=False)
        item = {
            "obs": torch.from_numpy(_pad(obs, self.sequence_len + 1, np.nan)),
            "actions": torch.from_numpy(_pad(actions, self.sequence_len, 0.0)),
        }
        if trajectory.reward is not None:
            reward = np.asarray(trajectory.reward[start : min(stop, len(trajectory) - 1)])
            reward = self.normalizer.normalize_reward(reward[:, None])
            item["reward"] = torch.from_numpy(_pad(reward, self.sequence_len, np.nan))
        return item

    def locate(self, index: int) -> tuple[Trajectory, int]:
        """Where sequence `index` comes from: its trajectory and its first row there."""
        if not 0 <= index < len(self):
            raise IndexError(f"sequence {index} of {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        before = int(self._ends[number - 1]) if number else 0
        trajectory = self.trajectories[number]
        return trajectory, min((index - before) * self.stride, self._last_start(trajectory))

    @property
    def longest(self) -> Trajectory:
        """The trajectory with the most rows."""
        return max(self.trajectories, key=len)

    def any_observed(self, first_row: int) -> bool:
        """Whether any sequence has an observed value in its row `first_row` or later; looks no further than that."""
        return any(not self[index]["obs"][first_row:].isnan().all() for index in range(len(self)))

    def _last_start(self, trajectory: Trajectory) -> int:
        """The first row of the last sequence of a trajectory."""
        return max(len(trajectory) - (self.sequence_len + 1), 0)


def batches(
    sequences: SequenceDataset, indices: Sequence[int], batch_size: int
) -> Iterator[tuple[Float[Tensor, "B T+1 O"], Float[Tensor, "B T A"]]]:
    """Yield (obs, actions) of `indices`, the last batch as short as it is."""
    for start in range(0, len(indices), batch_size):
        items = [sequences[index] for index in indices[start : start + batch_size]]
        yield torch.stack([item["obs"] for item in items]), torch.stack([item["actions"] for item in items])


def _pad(array: np.ndarray, length: int, value: float) -> np.ndarray:
    """`array` with rows of `value` at its end, up to `length` rows."""
    if len(array) == length:
        return array
    return np.concatenate([array, np.full((length - len(array), array.shape[1]), value, dtype=array.dtype)])
