"""Actions that stand in other rows than the one they act from, as some libraries log them, put where they belong."""

from __future__ import annotations

from dataclasses import replace

from mts3.data.core.stored import Rows
from mts3.data.core.trajectory import Dataset
from mts3.errors import UserError


def aligned(obs: Rows, actions: Rows, reward: Rows | None, shift: int, name: str) -> tuple[Rows, Rows, Rows | None]:
    """The rows that have their action, (n, O), and these actions, (n - 1, A) or (n, A): the last one acts on nothing.

    A reward stays in its row.

    Args:
        obs: (T, O) of one trajectory.
        actions: (T - 1, A), (T, A) or (T + 1, A); the action between rows t and t+1 stands in row t + `shift`.
        reward: (T,) or (T - 1,), or None.
        shift: In rows; 0 changes nothing.
        name: Of the trajectory.

    Raises:
        UserError: if fewer than 2 rows would be left.
    """
    if shift == 0:
        return obs, actions, reward
    first = max(0, -shift)
    steps = min(len(actions) - max(0, shift), len(obs) - 1 - first)
    if steps < 1:
        raise UserError(
            f"action_shift={shift} leaves nothing of trajectory '{name}', which has {len(obs)} rows; expected the "
            "number of rows by which its actions come late"
        )
    # Actions that come early reach to the last row, too, where they act on nothing.
    moved = actions[max(0, shift) : max(0, shift) + steps + (shift < 0)]
    rows = slice(first, first + steps + 1)
    return obs[rows], moved, None if reward is None else reward[rows]


def align(dataset: Dataset, shift: int) -> Dataset:
    """The same for every trajectory of a data set.

    Raises:
        UserError: if nothing would be left of one of them.
    """
    if shift == 0:
        return dataset
    moved = []
    for t in dataset.trajectories:
        obs, actions, reward = aligned(t.obs, t.actions, t.reward, shift, t.name)
        moved.append(replace(t, obs=obs, actions=actions, reward=reward))
    return replace(dataset, trajectories=tuple(moved))
