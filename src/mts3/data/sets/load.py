"""A data set by name or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mts3.data.core.trajectory import Dataset
from mts3.data.quality.repair import MASKS, mask_with_notes
from mts3.data.readers import read_with_notes
from mts3.data.readers.formats.minari import PREFIX as MINARI_PREFIX
from mts3.data.rows.columns import KEYS, Columns
from mts3.data.sets.cache import cached
from mts3.data.sets.generators import GENERATED
from mts3.data.sets.pam import load_pam
from mts3.data.sets.published import how_to_get
from mts3.data.sets.shipped import SHIPPED, load_shipped
from mts3.errors import UserError, unknown_name

FILE = "file"
DATASETS = (*sorted((*SHIPPED, *GENERATED, "pam")),)


def load_dataset(
    name: str | None,
    path: str | Path | None = None,
    columns: Mapping[str, Any] | Columns | None = None,
    size: str | None = None,
    seed: int | None = None,
) -> Dataset:
    """The data set `name`, or the one in a file; see `load_with_notes`."""
    return load_with_notes(name, path, columns, size, seed)[0]


def load_with_notes(
    name: str | None,
    path: str | Path | None = None,
    columns: Mapping[str, Any] | Columns | None = None,
    size: str | None = None,
    seed: int | None = None,
) -> tuple[Dataset, tuple[str, ...]]:
    """The data set `name`, or the one in a file, and what its reader left out, converted or took for granted.

    A generated set is made at the first call, which says so on stderr, and read from the user's cache afterwards (see
    `mts3.data.sets.cache`); those that take seconds as well as those that take minutes.

    Args:
        name: One of DATASETS; "file" or None reads `path`.
        path: A file or folder in a format that `mts3.data.readers` knows, or minari:ID; for pam its file or folder.
            None where the name says it all.
        columns: For a file: a dict with some of the keys obs, actions, time, trajectory, sample_time
            and those in `Columns.parse`. None guesses by name.
        size: Of a generated set, as in "small"; None is its usual one.
        seed: Of a generated set; None is 0.

    Raises:
        UserError: for an unknown name, a path, size or seed that is missing or not wanted, a file that cannot be used,
            or a generated set that cannot be kept or whose simulator is not installed.
    """
    if name not in (None, FILE, *DATASETS):
        raise UserError(f"{unknown_name('data set', str(name), (*DATASETS, FILE))} {how_to_get(str(name))}")
    if name not in GENERATED and (size is not None or seed is not None):
        raise UserError(
            f"{'a file' if name in (None, FILE) else f'data set {name!r}'} has no size and no seed to choose; sets "
            f"that are generated have: {', '.join(GENERATED)}"
        )
    if name in (None, FILE):
        if path is None or path == "":
            raise UserError(f"which data? Name a set (data={', data='.join(DATASETS)}) or give a file (data.path=FILE)")
        result = read_with_notes(path, Columns.parse(columns))
        return result.dataset, result.notes
    mapping = Columns.parse(columns)
    if any(getattr(mapping, key) for key in KEYS if key not in MASKS):
        raise UserError(f"data set '{name}' has its own columns; a column mapping goes with data=file data.path=FILE")
    if name == "pam":
        return mask_with_notes(load_pam(path), mapping)
    if path is not None:
        origin = "is generated" if name in GENERATED else "ships in the package"
        raise UserError(
            f"data set '{name}' {origin} and takes no path; for your own file use data=file data.path={path}"
        )
    if name in SHIPPED:
        return mask_with_notes(load_shipped(name), mapping)
    wanted = cached(name, size, seed)
    return mask_with_notes(wanted.load() or wanted.make(), mapping)


def names_a_set(text: str) -> bool:
    """Whether a user who writes this means a set by name, known or misspelt; if not, a file, a folder or minari:ID."""
    path = Path(text)
    return text in DATASETS or not (path.suffix or path.exists() or text.startswith(MINARI_PREFIX))
