"""One reader a file format, each with the same function: read(path, columns) -> Dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mts3.data.columns import Columns
from mts3.data.readers import csv, npz, parquet
from mts3.data.trajectory import Dataset
from mts3.errors import UserError

READERS: dict[str, Callable[[Path, Columns], Dataset]] = {
    ".npz": npz.read,
    ".csv": csv.read,
    ".parquet": parquet.read,
}


def read_file(path: str | Path, columns: Columns) -> Dataset:
    """A data set from a file; its ending tells the format.

    Raises:
        UserError: if there is no such file, it is empty, its ending is unknown, or its reader refuses it.
    """
    path = Path(path)
    kinds = ", ".join(READERS)
    if path.is_dir():
        raise UserError(
            f"{path} is a folder; expected a {kinds} file: join several with `mts3 data import FILES output=ONE.npz`"
        )
    if not path.exists():
        raise UserError(f"there is no file {path}; check the path (relative to {Path.cwd()})")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} ends in '{path.suffix}'; expected one of {kinds}")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes); expected a {path.suffix} file with data")
    try:
        return reader(path, columns)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check the file and its permissions") from error
