"""Parquet, through pyarrow (extra `data`); a null is not observed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.columns import Columns
from mts3.data.readers.arrow import damaged, pyarrow, read_parquet
from mts3.data.readers.cells import refuse_long
from mts3.data.readers.reading import Reading
from mts3.data.readers.table import table_reading
from mts3.errors import UserError


def read(path: Path, columns: Columns) -> Reading:
    """A data set from a Parquet file; only the columns that are needed are read.

    Raises:
        UserError: without pyarrow, for a damaged file, or if a needed column is missing or not numeric.
    """
    pa = pyarrow(path)

    def load(names: list[str]) -> dict[str, np.ndarray]:
        table = read_parquet(path, names)
        return {name: _values(table[name], name, path, pa) for name in names}

    try:
        return table_reading(path, pa.parquet.read_schema(path).names, load, columns, "Parquet")
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise damaged(path, error) from error


def _values(column: Any, name: str, path: Path, pa: Any) -> np.ndarray:
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        raise UserError(f"column '{name}' of {path} is of type {column.type}; expected a number, date or name a row")
    if pa.types.is_dictionary(column.type):
        words = [str(word) for chunk in column.chunks for word in chunk.dictionary.to_pylist()]
        refuse_long(max(words, key=len, default=""), name, path)
    return column.to_numpy()
