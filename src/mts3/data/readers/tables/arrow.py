"""What the readers of Parquet, LeRobot and Minari share: pyarrow (extra `data`), and its columns as arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.readers.limits import refuse_oversized
from mts3.data.readers.result import reason
from mts3.errors import UserError

# Bytes of a value once it is read.
VALUE_BYTES = 8


def pyarrow(path: Path) -> Any:
    """The module, with its submodules compute, ipc and parquet.

    Raises:
        UserError: where it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f'reading {path} needs pyarrow; install it with pip install "mts3[data]"') from error
    return pa


def read_parquet(path: Path, names: list[str]) -> Any:
    """A pyarrow table of the named columns in that order, after a look at the sizes that the file's footer declares.

    Raises:
        UserError: if they are beyond `mts3.data.readers.limits`.
    """
    pa = pyarrow(path)
    # Text stays a list of words and their places: spelled out, one long word can fill the memory.
    schema = pa.parquet.read_schema(path)
    text = [name for name in names if pa.types.is_string(schema.field(name).type)]
    with pa.parquet.ParquetFile(path, read_dictionary=text) as file:
        footer = file.metadata
        wanted, declared = set(names), 0
        for group in range(footer.num_row_groups):
            groups = footer.row_group(group)
            for place in range(footer.num_columns):
                chunk = groups.column(place)
                parts = chunk.path_in_schema.split(".")  # names may hold points, too
                if any(".".join(parts[:end]) in wanted for end in range(1, len(parts) + 1)):
                    declared += max(chunk.num_values * VALUE_BYTES, chunk.total_uncompressed_size)
        refuse_oversized(path, declared)
        return file.read(columns=names).select(names)


def damaged(path: Path, error: Exception) -> UserError:
    """The error for a file that pyarrow cannot read."""
    return UserError(
        f"{path} is no readable Parquet or Arrow file ({reason(error)}); it may be truncated: get it again"
    )


def leaves(column: Any, name: str) -> dict[str, np.ndarray | None]:
    """Arrays (T, channels) by name, from a column of numbers, of lists of one length, or of named fields of these.

    What holds no numbers is None.
    """
    pa = pyarrow(Path(name))
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_struct(array.type):
        return {name: _matrix(array, pa)}
    found: dict[str, np.ndarray | None] = {}
    for place, part in enumerate(array.flatten()):
        field = array.type.field(place).name
        for below, values in leaves(part, field).items():
            found[field if below == field else f"{field}/{below}"] = values
    return found


def is_number(kind: Any, pa: Any) -> bool:
    """Whether a type is of numbers, or true and false."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def is_list(kind: Any, pa: Any) -> bool:
    """Whether a type is of lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _matrix(array: Any, pa: Any) -> np.ndarray | None:
    size = 1
    rows = len(array)
    while is_list(array.type, pa):
        inner = array.flatten()
        if array.null_count or (len(array) and len(inner) % len(array)):
            return None
        size = len(inner) // rows if rows else 0
        lengths = array.value_lengths().to_numpy() if not pa.types.is_fixed_size_list(array.type) else np.empty(0)
        if len(lengths) and (lengths != lengths[0]).any():
            return None
        array = inner
    if not is_number(array.type, pa):
        return None
    return array.to_numpy(zero_copy_only=False).reshape(rows, size)
