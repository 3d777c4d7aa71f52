"""Parquet, through pyarrow (extra `data`); a null is not observed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mts3.data.columns import Columns
from mts3.data.readers.table import table_dataset
from mts3.data.trajectory import Dataset
from mts3.errors import UserError


def read(path: Path, columns: Columns) -> Dataset:
    """A data set from a Parquet file; only the columns that are needed are read.

    Raises:
        UserError: without pyarrow, for a damaged file, or if a needed column is missing or not numeric.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UserError(f'reading {path} needs pyarrow; install it with pip install "mts3[data]"') from error

    def load(names: list[str]) -> dict[str, np.ndarray]:
        table = pq.read_table(path, columns=names)
        return {name: table[name].to_numpy() for name in names}

    try:
        return table_dataset(path, pq.read_schema(path).names, load, columns)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is no readable Parquet file ({error}); it may be truncated: get it again") from error
