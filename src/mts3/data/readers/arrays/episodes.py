"""Episodes of named arrays, as Minari and D4RL have them -> a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mts3.data.core.matching import align
from mts3.data.core.stored import Rows, flat
from mts3.data.core.trajectory import Dataset, Trajectory, channels_called
from mts3.data.readers.result import ReadResult, choose, incomplete, listed, note_of, roles
from mts3.data.rows.assemble import one_row_note
from mts3.data.rows.columns import Columns
from mts3.errors import UserError


@dataclass(frozen=True)
class Episode:
    """One episode.

    Attributes:
        name: Unique in its file.
        obs: Arrays (T, ..) by name; their channels are put side by side in this order.
        actions: Arrays (T, ..) or (T-1, ..) by name.
        reward: (T,) or (T-1,), or None.
    """

    name: str
    obs: Mapping[str, Rows]
    actions: Mapping[str, Rows]
    reward: Rows | None


def read_episodes(
    path: Path,
    episodes: Iterable[Episode],
    columns: Columns,
    kind: str,
    notes: tuple[str, ...] = (),
    counts: tuple[object, object] = (None, None),
) -> ReadResult:
    """The data set of some episodes; those of one observation hold no step and are left out.

    Args:
        path: For names and errors.
        episodes: With the same names of arrays.
        columns: The channels the user wants; () takes all.
        kind: The format, in words.
        notes: What the reader has to say.
        counts: How many episodes and steps there should be, as the set itself says; what is no number says nothing.

    Raises:
        UserError: for arrays of other names, lengths that do not fit, or no episode of two observations or more.
    """
    trajectories: list[Trajectory] = []
    keys: tuple[list[str], list[str]] | None = None
    names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    short = steps = 0
    for episode in episodes:
        where = f"episode '{episode.name}' of {path}"
        found = list(episode.obs), list(episode.actions)
        if keys is not None and found != keys:
            own, first = (", ".join((*obs, *actions)) for obs, actions in (found, keys))
            raise UserError(f"{where} has the arrays {own}; the first has {first}: give all the same")
        keys = found
        obs, obs_names = _side_by_side(episode.obs, where)
        actions, action_names = _side_by_side(episode.actions, where)
        steps += len(actions) if action_names else len(obs) - 1
        if len(obs) < 2:
            short += 1
            continue
        names = names if trajectories else (obs_names, action_names)
        reward = None if episode.reward is None else flat(episode.reward)
        actions = actions if action_names else np.empty((len(obs), 0), np.float32)
        with channels_called(*names):
            trajectories.append(Trajectory(obs, actions, episode.name, reward))
    if not trajectories:
        raise UserError(f"{path} holds no episode of two observations or more; expected at least one")
    dataset = Dataset(path.stem, tuple(trajectories), names[0], names[1], sample_time=1.0)
    dataset = align(choose(dataset, columns, str(path)), columns.action_shift)
    found = short + len(trajectories)
    notes = (*notes, *incomplete("the set itself", ("episodes", found, counts[0]), ("steps", steps, counts[1])))
    if short:
        notes = (*notes, one_row_note(short))
    understood = roles(dataset.obs_names, dataset.action_names, "rewards" if dataset.has_reward else None)
    return ReadResult(dataset, kind, understood, notes)


def left_out_notes(
    where: Path, episodes: Iterable[Mapping[str, object]], pictures: Iterable[str], unused: Iterable[str]
) -> tuple[str, ...]:
    """What to say of parts that are no numbers, or no part of an episode.

    Args:
        where: For errors.
        episodes: The observations of each.
        pictures, unused: Their names.

    Raises:
        UserError: for an episode without observations.
    """
    pictures = list(pictures)
    if not all(episodes):
        raise UserError(f"{where} has no observations but {listed(pictures)}; expected numbers, not images or text")
    return (*note_of("left out, images or text", pictures), *note_of("not used", unused))


def _side_by_side(arrays: Mapping[str, Rows], where: str) -> tuple[Rows, tuple[str, ...]]:
    """(T, channels) and a name a channel: NAME_0, NAME_1, .."""
    blocks: list[Rows] = []
    names: list[str] = []
    for name, array in arrays.items():
        if array.ndim == 0 or (blocks and len(array) != len(blocks[0])):
            raise UserError(
                f"{where} has '{name}' of shape {array.shape}; expected a row a step, as many as the others"
            )
        block = (
            array if array.ndim == 2 and len(array) else np.asarray(array).reshape(len(array), -1 if len(array) else 1)
        )
        blocks.append(block)
        names += [f"{name}_{i}" for i in range(block.shape[1])]
    if len(blocks) == 1:
        return blocks[0], tuple(names)
    return (np.concatenate(blocks, axis=1) if blocks else np.empty((0, 0), np.float32)), tuple(names)
