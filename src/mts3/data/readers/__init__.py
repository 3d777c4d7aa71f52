"""One reader a file format, each with the same function: read(path, columns) -> ReadResult.

Contents tell the format; the ending is asked where they do not, as in a damaged file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mts3.data.core.trajectory import Dataset
from mts3.data.quality.repair import mask_with_notes, without_codes
from mts3.data.readers.formats import csv, hdf5, lerobot, minari, npz, parquet, pickled
from mts3.data.readers.other_formats import (
    MISTAKEN,
    conversion,
    refuse_archive,
    refuse_folder,
    refuse_json,
    refuse_sign,
)
from mts3.data.readers.result import ReadResult
from mts3.data.rows.codes import Codes, notes
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

Reader = Callable[[Path, Columns], ReadResult]
READERS: dict[str, Reader] = {
    ".npz": npz.read,
    ".csv": csv.read,
    ".parquet": parquet.read,
    ".hdf5": hdf5.read,
    ".h5": hdf5.read,
    ".pkl": pickled.read,
    ".pickle": pickled.read,
    ".pt": pickled.read_torch,
    ".tsv": csv.read,
    ".txt": csv.read,
}
# What files of a format start with.
STARTS: dict[bytes, Reader] = {
    b"PAR1": parquet.read,
    b"\x89HDF\r\n\x1a\n": hdf5.read,
    b"MATLAB 7.3 MAT-file": hdf5.read,
    b"\x80\x02": pickled.read,
    b"\x80\x03": pickled.read,
    b"\x80\x04": pickled.read,
    b"\x80\x05": pickled.read,
}
ZIP = b"PK\x03\x04"
PICKLES = (".pt", ".pkl", ".pickle")
FOLDERS = "a LeRobot data set has meta/info.json, a Minari data set data/metadata.json"


def read_file(path: str | Path, columns: Columns) -> Dataset:
    """A data set from a file or folder; its contents tell the format.

    Raises:
        UserError: as for `read_with_notes`.
    """
    return read_with_notes(path, columns).dataset


def read_with_notes(path: str | Path, columns: Columns) -> ReadResult:
    """The same, with how it was understood.

    Args:
        path: A file, a folder of LeRobot or Minari, or minari:ID, which is downloaded where it is not at hand.
        columns: The user's mapping.

    Raises:
        UserError: if there is no such file, it is empty, its format is unknown, or its reader refuses it.
    """
    result = _read(path, columns)
    dataset, counts = without_codes(result.dataset, Codes.of(columns.missing))
    dataset, masked = mask_with_notes(dataset, columns)
    return replace(result, dataset=dataset, notes=(*result.notes, *notes(counts), *masked))


def _read(path: str | Path, columns: Columns) -> ReadResult:
    if str(path).startswith(minari.PREFIX):
        return minari.read_id(str(path).removeprefix(minari.PREFIX), columns)
    path = Path(path)
    try:
        return _reader(path)(path, columns)
    except UserError as error:
        error.args = (" ".join(str(error).split()),)  # names in a file may hold line breaks
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check the file and its permissions") from error
    except MemoryError as error:
        raise UserError(
            f"{path} takes more memory than there is; take fewer trajectories or channels, or check that it is sound"
        ) from error


def _reader(path: Path) -> Reader:
    kinds = ", ".join(READERS)
    if path.is_dir():
        for folder_format in (lerobot, minari):
            if folder_format.is_one(path):
                return folder_format.read
        refuse_folder(path)
        raise UserError(
            f"{path} is a folder; expected a {kinds} file, or a known folder ({FOLDERS}): join several files with "
            "`mts3 data import FILES output=ONE.npz`"
        )
    if not path.exists():
        hint = minari.hint(str(path))
        raise UserError(f"there is no file {path}; check the path (relative to {Path.cwd()}){hint}")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes); expected a file with data")
    with path.open("rb") as file:
        start = file.read(4096)
    refuse_sign(path, start)
    known = not conversion(path, MISTAKEN)
    reader = (_by_contents(path, start) or READERS.get(path.suffix.lower())) if known else None
    if reader is None:
        raise UserError(f"{path} ends in '{path.suffix}'; expected one of {kinds}{conversion(path)}")
    return reader


def _by_contents(path: Path, start: bytes) -> Reader | None:
    if start.startswith(ZIP):
        if path.suffix.lower() in PICKLES or _is_torch(path):
            return pickled.read_torch
        refuse_archive(path)
        return npz.read
    refuse_json(path, start)
    for sign, reader in STARTS.items():
        if start.startswith(sign):
            return reader
    return csv.read if csv.is_table(start) and path.suffix.lower() not in READERS else None


def _is_torch(path: Path) -> bool:
    """Whether torch.save wrote an archive: it holds one pickle, in a folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False  # the reader of npz says what is wrong
