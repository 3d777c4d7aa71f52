"""A data set by name or from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mts3.data.columns import Columns
from mts3.data.generators import GENERATED
from mts3.data.pam import load_pam
from mts3.data.readers import read_file
from mts3.data.recorded import load_plaza1, load_soil, load_tiago
from mts3.data.trajectory import Dataset
from mts3.errors import UserError, unknown_name

SHIPPED: dict[str, Callable[[], Dataset]] = {"plaza1": load_plaza1, "soil": load_soil, "tiago": load_tiago}
FILE = "file"
DATASETS = (*sorted((*SHIPPED, *GENERATED, "pam")),)


def load_dataset(
    name: str | None, path: str | Path | None = None, columns: Mapping[str, Any] | Columns | None = None
) -> Dataset:
    """The data set `name`, or the one in a file.

    Args:
        name: One of DATASETS; "file" or None reads `path`.
        path: npz, CSV or Parquet; for pam its file or folder. None where the name says it all.
        columns: For a file: a dict with some of the keys obs, actions, time, trajectory, sample_time
            (see `Columns.parse`). None guesses by name.

    Raises:
        UserError: for an unknown name, a path that is missing or not wanted, or a file that cannot be used.
    """
    if name in (None, FILE):
        if path is None:
            raise UserError(f"which data? Name a set (data={', data='.join(DATASETS)}) or give a file (data.path=FILE)")
        return read_file(path, Columns.parse(columns))
    if name not in DATASETS:
        raise unknown_name("data set", str(name), (*DATASETS, FILE))
    if Columns.parse(columns) != Columns():
        raise UserError(f"data set '{name}' has its own columns; a column mapping goes with data=file data.path=FILE")
    if name == "pam":
        return load_pam(path)
    if path is not None:
        origin = "is generated" if name in GENERATED else "ships in the package"
        raise UserError(
            f"data set '{name}' {origin} and takes no path; for your own file use data=file data.path={path}"
        )
    return GENERATED[name].generate() if name in GENERATED else SHIPPED[name]()
