"""What a reader hands back: the data set, and how it understood the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mts3.data.columns import Columns
from mts3.data.matching import with_channels
from mts3.data.trajectory import Dataset
from mts3.errors import UserError

SHOWN = 6
LONGEST_REASON = 160


@dataclass(frozen=True)
class Reading:
    """A data set and how its file was understood.

    Attributes:
        dataset: What the file holds.
        format: As in "CSV with semicolons".
        roles: What was taken as what, as in "observations x, y; actions u; time stamp".
        notes: What else the user should know, one line each: what was left out, and why.
    """

    dataset: Dataset
    format: str
    roles: str
    notes: tuple[str, ...] = ()


def roles(
    obs: Sequence[str],
    actions: Sequence[str],
    reward: str | None = None,
    time: Sequence[str] = (),
    trajectory: str | None = None,
) -> str:
    """One line that says which parts of a file were taken as what."""
    parts = [f"observations {listed(obs)}", f"actions {listed(actions)}" if actions else "no actions"]
    for what, name in (("reward", reward), ("time", " and ".join(time)), ("trajectories by", trajectory)):
        if name:
            parts.append(f"{what} {name}")
    return "; ".join(parts)


def listed(names: Sequence[str]) -> str:
    """Some names in full; of many, the first ones, the last one and how many there are."""
    if len(names) <= SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: SHOWN - 2])}, .. {names[-1]} ({len(names)})"


def choose(dataset: Dataset, columns: Columns, where: str) -> Dataset:
    """The channels of a self-describing file that the user wants, all of them where none is named.

    Raises:
        UserError: for a channel that is not there, or a mapping of what such a file says itself.
    """
    for key in ("reward", "time", "trajectory"):
        if getattr(columns, key):
            raise UserError(f"{where} says itself what its {key} is; it takes obs, actions and sample_time alone")
    dataset = replace(dataset, sample_time=columns.sample_time or dataset.sample_time)
    if not columns.obs and not columns.actions:
        return dataset
    available = (*dataset.obs_names, *dataset.action_names)
    obs, actions = replace(columns, obs=columns.obs or dataset.obs_names).channels(available, where)
    return with_channels(dataset, obs, actions)


def reason(error: Exception) -> str:
    """The first line of an error's text, shortened, or the error's name where it has no text."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}.."
