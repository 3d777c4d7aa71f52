"""Named columns, as CSV and Parquet have them -> a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mts3.data.readers.result import ReadResult, note_of, roles
from mts3.data.readers.tables.other_shapes import refuse_long_form, trajectory_column
from mts3.data.readers.values.marks import Writing
from mts3.data.readers.values.numbers import numbers
from mts3.data.readers.values.times import seconds
from mts3.data.rows.assemble import assemble
from mts3.data.rows.cells import cells
from mts3.data.rows.columns import Columns, require
from mts3.data.rows.raw import RawTrajectory, RefusedRows, Written
from mts3.errors import UserError


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
    refuse_long_form(path, table.names, table.load, obs_names, columns)
    wanted = dict.fromkeys([*obs_names, *action_names, *others])
    data = table.load(list(wanted))
    channels = (*obs_names, *action_names, *(() if columns.reward is None else (columns.reward,)))
    found = numbers(data, tuple(dict.fromkeys(channels)), columns.time, columns, table.writing)
    rows = len(data[obs_names[0]])

    def block(names: tuple[str, ...]) -> np.ndarray:
        out = np.empty((rows, len(names)), dtype=np.float64)
        for i, name in enumerate(names):
            out[:, i] = found.values[name]
        return out

    unused = [name for name in table.names if name not in wanted]
    left_out = (*note_of("not used", unused), *table.notes, *found.notes)
    times, written = None, Written()
    if columns.time:
        times, written = seconds([found.times[name] for name in columns.time], columns, path, table.units)
    by = columns.trajectory
    ids = None if by is None else _ids(data[by], by, table.writing)
    reward = None if columns.reward is None else found.values[columns.reward]
    whole = RawTrajectory(path.stem, block(obs_names), block(action_names), times, reward, written)
    try:
        dataset, notes = assemble(whole, obs_names, action_names, columns, path, ids)
    except RefusedRows as error:
        apart = None if times is None or by is not None else trajectory_column(times, unused, table.load)
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
