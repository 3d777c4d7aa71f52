"""A user's files -> one data set in our format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mts3.data.assemble import join
from mts3.data.columns import Columns
from mts3.data.native import save_dataset
from mts3.data.readers import read_file
from mts3.data.trajectory import Dataset
from mts3.errors import UserError


def import_files(
    files: Sequence[str | Path], output: str | Path, columns: Mapping[str, Any] | Columns | None = None
) -> Dataset:
    """Read files with the same channels, write one npz, and return what it holds.

    Args:
        files: npz, CSV or Parquet, mixed as you like; each is one trajectory or more.
        output: The npz to write, read later with data.path=OUTPUT; its stem becomes the name of the set.
        columns: Mapping for every file, as in `load_dataset`.

    Raises:
        UserError: for no file, a file that cannot be used, files that do not fit together, or a full disk.
    """
    if not files:
        raise UserError("no file to import; expected mts3 data import FILE.. output=NAME.npz")
    mapping = Columns.parse(columns)
    dataset = join([read_file(file, mapping) for file in files], name=Path(output).stem)
    save_dataset(dataset, output)
    return dataset
