"""Named columns, as CSV and Parquet have them -> a data set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mts3.data.readers.result import ReadResult, note_of, roles
from mts3.data.readers.values.marks import Writing
from mts3.data.readers.values.numbers import numbers
from mts3.data.readers.values.times import seconds
from mts3.data.rows.assemble import assemble
from mts3.data.rows.clock import read_clock
from mts3.data.rows.codes import bare, cells
from mts3.data.rows.columns import Columns, require
from mts3.data.rows.raw import RawTrajectory, RefusedRows, Written
from mts3.errors import UserError

# As `_plain` has them. A column of robots or runs is called otherwise.
SENSORS = frozenset(
    {"sensor", "sensorid", "sensorname", "variable", "variablename", "tag", "tagid", "tagname", "signal", "signalname"}
    | {"channel", "channelname", "parameter", "metric", "measurement", "quantity", "pointname", "field", "name"}
)
VALUES = frozenset({"value", "val", "reading", "values", "numericvalue", "measurementvalue", "valuedouble"})
MOST_SENSORS, MOST_TRAJECTORIES = 1000, 10_000


@dataclass(frozen=True)
class Table:
    """A file of named columns.

    Attributes:
        writing: Its file, and how text is written there.
        names: All of them.
        load: Reads the named columns: (R,) arrays of numbers, dates or text.
        format: In words; after it comes how numbers are written, and then `more`.
        more: What follows it.
        units: The unit of each column, where the file says so.
        notes: What its reader left out.
    """

    writing: Writing
    names: Sequence[str]
    load: Callable[[list[str]], Mapping[str, np.ndarray]]
    format: str
    more: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_table(table: Table, columns: Columns) -> ReadResult:
    """The data set in a table.

    Args:
        table: The columns.
        columns: The user's mapping.

    Raises:
        UserError: for a column that is missing, not numeric or can be read in two ways, a table of one row a sensor,
            and for all that `assemble` refuses.
    """
    path = table.writing.path
    repeated = next((name for name, count in Counter(table.names).items() if count > 1), None)
    if repeated is not None:
        raise UserError(f"{path} has two columns '{repeated}'; name each column differently")
    obs_names, action_names = columns.channels(table.names, str(path))
    others = [name for name in (columns.reward, *columns.time, columns.trajectory) if name is not None]
    for name in others:
        require(name, table.names, str(path))
    _refuse_long_form(table, obs_names, columns)
    wanted = dict.fromkeys([*obs_names, *action_names, *others])
    data = table.load(list(wanted))
    channels = (*obs_names, *action_names, *(() if columns.reward is None else (columns.reward,)))
    found = numbers(data, tuple(dict.fromkeys(channels)), columns.time, columns, table.writing)
    none = np.empty((len(data[obs_names[0]]), 0))
    obs, actions = (
        np.column_stack([none, *(found.values[name] for name in names)]) for names in (obs_names, action_names)
    )
    unused = [name for name in table.names if name not in wanted]
    left_out = (*note_of("not used", unused), *table.notes, *found.notes)
    times, written = None, Written()
    if columns.time:
        times, written = seconds([found.times[name] for name in columns.time], columns, path, table.units)
    by = columns.trajectory
    ids = None if by is None else _ids(data[by], by, table.writing)
    reward = None if columns.reward is None else found.values[columns.reward]
    whole = RawTrajectory(path.stem, obs, actions, times, reward, written)
    try:
        dataset, notes = assemble(whole, obs_names, action_names, columns, path, ids)
    except RefusedRows as error:
        apart = None if times is None or by is not None else _trajectory_column(times, unused, table)
        hint = f"; or is it several trajectories? With trajectory={apart} the times of each are regular"
        raise RefusedRows(f"{error}{hint if apart else ''}", error.recording, (*left_out, *error.notes)) from error
    units = [tuple(table.units.get(name, "") for name in names) for names in (obs_names, action_names)]
    dataset = replace(dataset, obs_units=units[0], action_units=units[1])
    return ReadResult(
        dataset,
        table.format + found.format + table.more,
        roles(obs_names, action_names, columns.reward, columns.time, columns.trajectory),
        (*left_out, *notes),
    )


def _ids(values: np.ndarray, name: str, writing: Writing) -> np.ndarray:
    """(R,) text that tells trajectories apart.

    Raises:
        UserError: for a row without one.
    """
    ids = values.astype(np.str_) if values.dtype.kind in "fiub" else cells(values, "", name, writing.path)
    if (ids == "").any() or (values.dtype.kind == "f" and np.isnan(values).any()):
        row = int(np.argmax((ids == "") | (ids == "nan")))
        raise UserError(
            f"column '{name}' of {writing.path}{writing.line(row)} is empty in data row {row + 1}; expected what tells "
            "trajectories apart in every row"
        )
    return ids


def _refuse_long_form(table: Table, obs: Sequence[str], columns: Columns) -> None:
    """Refuses a table in which times come again and again, each time for another sensor."""
    sensors = [name for name in table.names if _plain(name) in SENSORS and name != columns.trajectory]
    if len(sensors) != 1 or len(columns.time) != 1 or len(obs) != 1 or _plain(obs[0]) not in VALUES:
        return
    sensor, time = sensors[0], columns.time[0]
    data = table.load([sensor, time])
    names, times = data[sensor].tolist(), data[time].tolist()
    kinds = list(dict.fromkeys(names))
    in_turn = len(set(times)) < len(times) == len(set(zip(times, names, strict=True)))
    if in_turn and 1 < len(kinds) <= MOST_SENSORS:
        shown = ", ".join(map(str, kinds[:3])) + (", .." if len(kinds) > 3 else "")
        raise UserError(
            f"{table.writing.path} has a row for each '{sensor}' at each time ({len(kinds)} of them: {shown}), all in "
            f"column '{obs[0]}'; expected a row a time and a column a channel: turn it around, with pandas "
            f'df.pivot(index="{time}", columns="{sensor}", values="{obs[0]}").to_csv("wide.csv")'
        )


def _plain(name: str) -> str:
    """Without case, blanks, "_", "-" and a unit in brackets."""
    return re.sub(r"[_-]|[\[(].*", "", bare(name))


def _trajectory_column(times: np.ndarray, unused: Sequence[str], table: Table) -> str | None:
    """The first unused column whose values part the rows, of `times` (R,), into trajectories of regular times."""
    for name in unused:
        _, which, counts = np.unique(table.load([name])[name].astype(np.str_), return_inverse=True, return_counts=True)
        if not 1 < len(counts) <= min(MOST_TRAJECTORIES, len(times) // 3) or counts.min() < 3:
            continue
        order = np.argsort(which, kind="stable")
        pieces = np.split(times[order], np.cumsum(counts)[:-1])
        if all((np.diff(own) > 0).all() and read_clock(own).regular for own in pieces):
            return name
    return None
