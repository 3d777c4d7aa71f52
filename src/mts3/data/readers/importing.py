"""A user's files -> one data set in our format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mts3.data.core.matching import join
from mts3.data.core.native import save_dataset
from mts3.data.core.trajectory import Dataset
from mts3.data.readers import read_with_notes
from mts3.data.rows.columns import Columns
from mts3.errors import UserError


def import_files(
    files: Sequence[str | Path], output: str | Path, columns: Mapping[str, Any] | Columns | None = None
) -> Dataset:
    """Read files with the same channels, write one npz, and return what it holds; see `import_with_notes`."""
    return import_with_notes(files, output, columns)[0]


def import_with_notes(
    files: Sequence[str | Path], output: str | Path, columns: Mapping[str, Any] | Columns | None = None
) -> tuple[Dataset, list[str]]:
    """Read files with the same channels, write one npz, and return what it holds and how the files were understood.

    Args:
        files: In any format that `mts3.data.readers` knows, mixed as you like; each is one trajectory or more.
        output: The npz to write, read later with data.path=OUTPUT; its stem becomes the name of the set.
        columns: Mapping for every file, as in `load_dataset`.

    Returns: The data set, and lines such as "log.csv: CSV with commas; observations x, y; no actions". Files that were
        understood alike share a line.

    Raises:
        UserError: for no file, a file that cannot be used, files that do not fit together, or a full disk.
    """
    if not files:
        raise UserError("no file to import; expected mts3 data import FILE.. output=NAME.npz")
    if isinstance(files, (str, Path)):
        raise UserError(f"files is {str(files)!r}; expected a list of files, as in [{str(files)!r}]")
    mapping = Columns.parse(columns)
    datasets: list[Dataset] = []
    said: dict[str, list[str]] = {}
    for file in files:
        result = read_with_notes(file, mapping)
        datasets.append(result.dataset)
        said.setdefault("; ".join((result.format, result.roles, *result.notes)), []).append(str(file))
    dataset = join(datasets, name=Path(output).stem)
    save_dataset(dataset, output)
    return dataset, [f"{_together(names)}: {line}" for line, names in said.items()]


def _together(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
