"""Named columns, as CSV and Parquet have them -> a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mts3.data.assemble import assemble
from mts3.data.columns import Columns, require
from mts3.data.trajectory import Dataset
from mts3.errors import UserError

MISSING = ("", "nan", "na", "n/a", "null", "none")


def table_dataset(
    path: Path, available: Sequence[str], load: Callable[[list[str]], dict[str, np.ndarray]], columns: Columns
) -> Dataset:
    """The data set in a table.

    Args:
        path: For names and errors.
        available: All columns of the file.
        load: Reads the named columns: (R,) arrays of numbers, dates or text.
        columns: The user's mapping.

    Raises:
        UserError: for a column that is missing or not numeric, and for all that `assemble` refuses.
    """
    repeated = [name for name in available if list(available).count(name) > 1]
    if repeated:
        raise UserError(f"{path} has two columns '{repeated[0]}'; name each column differently")
    obs_names, action_names = columns.channels(available, str(path))
    for name in (columns.reward, columns.time, columns.trajectory):
        if name is not None:
            require(name, available, str(path))
    wanted = [*obs_names, *action_names, columns.reward, columns.time, columns.trajectory]
    data = load([name for name in dict.fromkeys(wanted) if name is not None])
    rows = len(data[obs_names[0]])

    def block(names: tuple[str, ...]) -> np.ndarray:
        out = np.empty((rows, len(names)), dtype=np.float64)
        for i, name in enumerate(names):
            out[:, i] = numbers(data[name], name, path)
        return out

    return assemble(
        path,
        block(obs_names),
        block(action_names),
        obs_names,
        action_names,
        ids=None if columns.trajectory is None else data[columns.trajectory].astype(str),
        times=None if columns.time is None else seconds(data[columns.time], columns.time, path),
        sample_time=columns.sample_time,
        reward=None if columns.reward is None else numbers(data[columns.reward], columns.reward, path),
    )


def numbers(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    """(R,) float64; empty cells, NaN, NA, N/A, null and None become NaN.

    Raises:
        UserError: naming the first cell that is no number.
    """
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    if values.dtype.kind not in "UTO":
        raise UserError(f"column '{name}' of {path} is of type {values.dtype}; expected numbers")
    text = _cells(values, missing="nan")
    try:
        return text.astype(np.float64)
    except ValueError:
        row = next(i for i, cell in enumerate(text) if not _is_number(cell))
        raise UserError(
            f"column '{name}' of {path} has '{text[row]}' in data row {row + 1}; expected a number, "
            "or an empty cell where nothing was observed"
        ) from None


def seconds(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    """(R,) float64 seconds from numbers, which are seconds already, or from dates such as 2024-05-01T12:00:00.

    Raises:
        UserError: for what is neither.
    """
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    try:
        if values.dtype.kind in "UTO":
            try:
                return _cells(values, missing="nan").astype(np.float64)
            except ValueError:
                values = _cells(values, missing="NaT").astype("datetime64[us]")
        nanoseconds = values.astype("datetime64[ns]")
    except (ValueError, TypeError):
        raise UserError(
            f"time column '{name}' of {path} starts with '{values[0]}'; "
            "expected seconds, or dates such as 2024-05-01T12:00:00"
        ) from None
    since_start = (nanoseconds - nanoseconds[0]) / np.timedelta64(1, "ns")
    return np.where(np.isnat(nanoseconds), np.nan, since_start * 1e-9)


def _cells(values: np.ndarray, missing: str) -> np.ndarray:
    """(R,) text without blanks around it, and `missing` for what stands for nothing."""
    text = np.char.strip(values.astype(str))
    return np.where(np.isin(np.char.lower(text), MISSING), missing, text)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
