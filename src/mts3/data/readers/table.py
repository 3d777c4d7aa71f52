"""Named columns, as CSV and Parquet have them -> a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mts3.data.assemble import assemble
from mts3.data.columns import Columns, require
from mts3.data.readers.cells import cells, numbers
from mts3.data.readers.reading import Reading, listed, roles
from mts3.data.readers.times import seconds
from mts3.errors import UserError


def table_reading(
    path: Path,
    available: Sequence[str],
    load: Callable[[list[str]], Mapping[str, np.ndarray]],
    columns: Columns,
    kind: str,
    units: Mapping[str, str] | None = None,
) -> Reading:
    """The data set in a table.

    Args:
        path: For names and errors.
        available: All columns of the file.
        load: Reads the named columns: (R,) arrays of numbers, dates or text.
        columns: The user's mapping.
        kind: The format, in words.
        units: The unit of each column, where the file says so.

    Raises:
        UserError: for a column that is missing or not numeric, and for all that `assemble` refuses.
    """
    repeated = [name for name in available if list(available).count(name) > 1]
    if repeated:
        raise UserError(f"{path} has two columns '{repeated[0]}'; name each column differently")
    obs_names, action_names = columns.channels(available, str(path))
    others = [name for name in (columns.reward, *columns.time, columns.trajectory) if name is not None]
    for name in others:
        require(name, available, str(path))
    wanted = list(dict.fromkeys([*obs_names, *action_names, *others]))
    data = load(wanted)
    rows = len(data[obs_names[0]])

    def block(names: tuple[str, ...]) -> np.ndarray:
        out = np.empty((rows, len(names)), dtype=np.float64)
        for i, name in enumerate(names):
            out[:, i] = numbers(data[name], name, path)
        return out

    dataset, notes = assemble(
        path,
        block(obs_names),
        block(action_names),
        obs_names,
        action_names,
        columns,
        ids=None if columns.trajectory is None else _ids(data[columns.trajectory], columns.trajectory, path),
        times=seconds([data[name] for name in columns.time], columns, path, units) if columns.time else None,
        reward=None if columns.reward is None else numbers(data[columns.reward], columns.reward, path),
    )
    if units:
        dataset = replace(
            dataset,
            obs_units=tuple(units.get(name, "") for name in obs_names),
            action_units=tuple(units.get(name, "") for name in action_names),
        )
    unused = [name for name in available if name not in wanted]
    return Reading(
        dataset,
        kind,
        roles(obs_names, action_names, columns.reward, columns.time, columns.trajectory),
        (*((f"not used: {listed(unused)}",) if unused else ()), *notes),
    )


def _ids(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    """(R,) text that tells trajectories apart.

    Raises:
        UserError: for a row without one.
    """
    ids = values.astype(np.str_) if values.dtype.kind in "fiub" else cells(values, "", name, path)
    if (ids == "").any() or (values.dtype.kind == "f" and np.isnan(values).any()):
        raise UserError(
            f"column '{name}' of {path} is empty in data row {int(np.argmax((ids == '') | (ids == 'nan'))) + 1}; "
            "expected what tells trajectories apart in every row"
        )
    return ids
