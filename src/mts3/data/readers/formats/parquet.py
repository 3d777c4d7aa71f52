"""Parquet, through pyarrow (extra `data`); a null is not observed.

Columns of lists of one length count as a channel a place, NAME_0, NAME_1, ..; of named fields, as NAME/FIELD.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.readers.formats import reads
from mts3.data.readers.result import ReadResult
from mts3.data.readers.tables.arrow import damaged, is_list, is_number, leaves, pyarrow, read_parquet
from mts3.data.readers.tables.table import Table, read_table
from mts3.data.readers.values.marks import Writing
from mts3.data.rows.codes import refuse_long
from mts3.data.rows.columns import ACTION_PREFIXES, OBS_PREFIXES, Columns
from mts3.errors import UserError


@reads(".parquet", starts=(b"PAR1",), place=3)
def read(path: Path, columns: Columns) -> ReadResult:
    """A data set from a Parquet file; only the columns that are needed are read.

    Raises:
        UserError: without pyarrow, for a damaged file, or if a needed column is missing or not numeric.
    """
    pa = pyarrow(path)
    try:
        schema = pa.parquet.read_schema(path)
        nested = _nested(
            path, [field.name for field in schema if _holds_numbers(field.type, pa) and _asked(field.name, columns)]
        )
        places = {name: list(parts) for name, parts in nested.items()}
        channels = {name: values for parts in nested.values() for name, values in parts.items()}
        plain = [name for name in schema.names if name not in nested]

        def load(names: list[str]) -> dict[str, np.ndarray]:
            wanted = [name for name in names if name not in channels]
            table = read_parquet(path, wanted) if wanted else None
            return {name: channels[name] if table is None or name in channels else _values(table[name], name, path, pa)
                    for name in names}  # fmt: skip

        names = [name for field in schema.names for name in places.get(field, [field])]
        return read_table(Table(Writing(path), names, load, "Parquet"), _by_place(columns, places, plain))
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise damaged(path, error) from error


def _holds_numbers(kind: Any, pa: Any) -> bool:
    """Whether a type is of lists or fields, of numbers in the end."""
    inner = (
        [field.type for field in kind] if pa.types.is_struct(kind) else [kind.value_type] if is_list(kind, pa) else []
    )
    return any(is_number(part, pa) or _holds_numbers(part, pa) for part in inner)


def _asked(name: str, columns: Columns) -> bool:
    """Whether the user may mean a column of lists, or a channel in it."""
    if not columns.obs and name.lower().startswith((*OBS_PREFIXES, *ACTION_PREFIXES)):
        return True
    starts = [wanted.partition("*")[0] for wanted in (*columns.obs, *columns.actions)]
    return any(start.startswith(name) or name.startswith(start) for start in starts)


def _nested(path: Path, names: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """(R,) arrays by channel, of each column whose lists have one length."""
    if not names:
        return {}
    table = read_parquet(path, names)
    found: dict[str, dict[str, np.ndarray]] = {}
    for name in names:
        parts: dict[str, np.ndarray] = {}
        for below, matrix in leaves(table[name], name).items():
            whole = name if below == name else f"{name}/{below}"
            if matrix is not None and matrix.shape[1]:
                single = matrix.shape[1] == 1 and whole != name
                parts |= {whole if single else f"{whole}_{i}": matrix[:, i] for i in range(matrix.shape[1])}
        if parts:
            found[name] = parts
    return found


def _by_place(columns: Columns, places: dict[str, list[str]], plain: list[str]) -> Columns:
    """The mapping with the channels of a column of lists in its place."""

    obs, actions = (
        tuple(part for name in names for part in ([name] if name in plain else places.get(name, [name])))
        for names in (columns.obs, columns.actions)
    )
    return replace(columns, obs=obs, actions=actions)


def _values(column: Any, name: str, path: Path, pa: Any) -> np.ndarray:
    """(R,) of a column of one value a row."""
    types, kind = pa.types, column.type
    if types.is_nested(kind):
        raise UserError(
            f"column '{name}' of {path} is of type {kind}; expected a number, date or name a row, or lists of numbers "
            "that have one length and are never null"
        )
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        raise UserError(f"column '{name}' of {path} is of type {kind}; expected a number, date or name a row")
    if types.is_dictionary(kind):
        for chunk in column.chunks:
            words = chunk.dictionary
            if len(words) and (types.is_string(words.type) or types.is_large_string(words.type)):
                lengths = pa.compute.utf8_length(words).fill_null(0).to_numpy(zero_copy_only=False)
                refuse_long(str(words[int(np.argmax(lengths))]), name, path)
        # Chunk by chunk: together pyarrow reads a null as the last word (26.0.1).
        chunks = [chunk.to_numpy(zero_copy_only=False) for chunk in column.chunks]
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=object)
    if types.is_boolean(kind):  # with nulls it would be objects
        column = column.cast(pa.int8())
    if types.is_decimal(kind):
        column = column.cast(pa.float64())
    return column.to_numpy()
