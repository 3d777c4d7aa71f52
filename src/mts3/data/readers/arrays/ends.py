"""Arrays beside observations that tell where one episode ends and the next begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mts3.data.core.stored import Rows

# D4RL's: 1 in the last row of an episode, in either of them.
ENDS = ("terminals", "timeouts")
# What others call them. Whether a 1 stands in the last row or in the first is not the same everywhere.
MARKS = ("done", "dones", "terminated", "truncated", "terminations", "truncations", "episode_ends", "episode_starts",
         "is_first", "is_last", "is_terminal")  # fmt: skip
NUMBERS = ("episode", "episodes", "episode_id", "episode_ids", "episode_index", "trajectory_id", "trajectory_index",
           "traj_id", "run_id")  # fmt: skip


def ends_beside(obs_key: str) -> tuple[str, ...]:
    """The names of D4RL's arrays, in the group where the observations lie."""
    group, slash, _ = obs_key.rpartition("/")
    return tuple(f"{group}{slash}{name}" for name in ENDS)


def episode_ids(arrays: Mapping[str, Rows], obs_key: str, rows: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """(R,) the name of each row's episode, by terminals and timeouts, and which of these tell it.

    Args:
        arrays: By name.
        obs_key: The observations that they lie beside.
        rows: R.

    Returns: None and () where there are none, or what they hold is not a 0 or a 1 a row; None where they mark no end.
    """
    given = tuple(name for name in ends_beside(obs_key) if name in arrays and _is_flags(arrays[name], rows))
    over = np.zeros(rows, dtype=bool)
    for name in given:
        over |= np.asarray(arrays[name]).reshape(-1) != 0
    if not over[:-1].any():
        return None, given
    number = np.concatenate([[0], np.cumsum(over[:-1])])
    return np.char.add("episode_", number.astype(np.str_)), given


def ends_note(ids: np.ndarray | None, given: Sequence[str]) -> tuple[str, ...]:
    """What was made of the ends; no line where there are none."""
    if not given:
        return ()
    which = " or ".join(given)
    return (f"one recording: {which} mark no end before the last row" if ids is None else
            f"{len(np.unique(ids))} episodes, which end at {which}",)  # fmt: skip


def marks_notes(unused: Mapping[str, tuple[int, ...]], rows: int) -> tuple[str, ...]:
    """What to say of arrays that nobody uses and that seem to tell episodes apart.

    Args:
        unused: Their shapes by name.
        rows: Of the observations; others cannot tell them apart.
    """
    notes: list[str] = []
    for name, shape in unused.items():
        last = name.rpartition("/")[2].lower()
        if shape not in ((rows,), (rows, 1)):
            continue
        if last in NUMBERS:
            notes.append(f"'{name}' may tell trajectories apart and is not used: if it does, say trajectory={name}")
        elif last in (*MARKS, *ENDS):
            notes.append(
                f"'{name}' may mark ends or starts of episodes and is not used: all rows are one recording; if they "
                "are several, save the number of each row's episode, too, and name it with trajectory=NAME"
            )
    return tuple(notes)


def _is_flags(array: Rows, rows: int) -> bool:
    if array.shape not in ((rows,), (rows, 1)) or array.dtype.kind not in "fiub":
        return False
    return bool(np.isin(np.asarray(array), (0, 1)).all())
