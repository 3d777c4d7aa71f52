"""What a reader hands back: the data set, and how it understood the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral

from mts3.data.core.matching import with_channels
from mts3.data.core.trajectory import Dataset
from mts3.data.rows.columns import MARKS, Columns
from mts3.errors import UserError

SHOWN = 6
LONGEST_REASON = 160


@dataclass(frozen=True)
class ReadResult:
    """A data set and how its file was understood.

    Attributes:
        dataset: What the file holds.
        format: As in "CSV with semicolons".
        roles: Which parts were read as what, as in "observations x, y; actions u; time stamp".
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
    """One line that says which parts of a file were read as what."""
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


def note_of(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """A line such as "not used: x, y"; none where there are no names."""
    return (f"{what}: {listed(found)}",) if (found := list(names)) else ()


def incomplete(where: str, *counts: tuple[str, int, object]) -> tuple[str, ...]:
    """What to say of a set that counts itself, a line or none.

    Args:
        where: Who counts, as in "meta/info.json".
        counts: What, how many there are, and how many the set says there are; what is no number says nothing.
    """
    off = [
        f"{counted} {what} ({there} are there)"
        for what, there, counted in counts
        if isinstance(counted, Integral) and not isinstance(counted, bool) and int(counted) != there
    ]
    return (f"{where} counts {' and '.join(off)}: if that is not meant, get the set again",) if off else ()


def choose(dataset: Dataset, columns: Columns, where: str) -> Dataset:
    """The channels of a self-describing file that the user wants, all of them where none is named.

    Raises:
        UserError: for a channel that is not there, or a mapping of what such a file says itself.
    """
    refuse_self_described(columns, where)
    dataset = replace(dataset, sample_time=columns.sample_time or dataset.sample_time)
    if not columns.obs and not columns.actions:
        return dataset
    available = (*dataset.obs_names, *dataset.action_names)
    obs, actions = replace(columns, obs=columns.obs or dataset.obs_names).channels(available, where)
    return with_channels(dataset, obs, actions)


def refuse_self_described(columns: Columns, where: str, timed: bool = False) -> None:
    """Refuses a mapping of what a self-describing file says itself.

    Raises:
        UserError: for its reward, times or trajectories, how its numbers are written, or, unless it is `timed`, to
            resample it.
    """
    for key in ("reward", "time", "trajectory", "time_unit", "time_format"):
        if getattr(columns, key):
            raise UserError(
                f"{where} says itself what its {key} is; it takes obs, actions, sample_time and action_shift alone"
            )
    refuse_marks(columns, where)
    if not timed:
        refuse_resampling(columns, where)


def refuse_marks(columns: Columns, where: str) -> None:
    """Refuses decimal and thousands for a file of plain numbers.

    Raises:
        UserError: if the mapping has one of them.
    """
    for key in MARKS:
        if getattr(columns, key) is not None:
            raise UserError(f"{where} holds numbers, not text; {key} is for numbers written as text: leave it out")


def refuse_resampling(columns: Columns, where: str) -> None:
    """Refuses resample for a file without times.

    Raises:
        UserError: if the mapping asks for it.
    """
    if columns.resample:
        raise UserError(
            f"{where} has no times, its rows are the steps; resample=true goes with times: leave it out, or say the "
            "seconds per step with sample_time=SECONDS"
        )


def reason(error: Exception) -> str:
    """The first line of an error's text, shortened, or the error's name where it has no text."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}.."


@contextmanager
def readable(where: str) -> Iterator[None]:
    """What a file does wrong while it is read, in one line."""
    try:
        yield
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(f"cannot read {where} any more ({error}); is the file still there, and whole?") from error
