"""A user's files -> data sets, or one file in our format, or what is wrong with them.

Contents tell the format; the ending is asked where they do not, as in a damaged file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mts3.data.core.matching import join
from mts3.data.core.native import save_dataset
from mts3.data.core.trajectory import Dataset
from mts3.data.quality.check import WINDOW_LEN, Checked, check_dataset, find_flaws, in_order
from mts3.data.quality.findings import Finding
from mts3.data.quality.repair import mask_with_notes, without_codes
from mts3.data.readers.formats import ENDINGS, FORMATS, Format, Reader, endings
from mts3.data.readers.other_formats import MISTAKEN, conversion, refuse_contents, refuse_folder, refuse_sign
from mts3.data.readers.result import ReadResult
from mts3.data.readers.values.time_numbers import UNLIKELY
from mts3.data.rows.codes import Codes, notes
from mts3.data.rows.columns import Columns
from mts3.data.rows.raw import RefusedRows
from mts3.errors import UserError


def read_with_notes(path: str | Path, columns: Columns) -> ReadResult:
    """A data set from a file or folder, and how it was understood.

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
    return dataset, [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {line}" for line, names in said.items()
    ]


def check_file(
    path: str | Path, columns: Mapping[str, Any] | Columns | None = None, window_len: int = WINDOW_LEN
) -> Checked:
    """The flaws of a file, also of one that is refused for its rows.

    Args:
        path, columns: As in `load_dataset`; with repairs, what they leave is looked at.
        window_len: Steps per window the model will have; shorter trajectories than two and one row are found.

    Raises:
        UserError: if the file cannot be read.
    """
    try:
        result = read_with_notes(path, Columns.parse(columns))
    except RefusedRows as error:
        if error.recording is None:
            raise
        return Checked(error.recording, find_flaws(error.recording, window_len), str(error), error.notes)
    checked = check_dataset(result.dataset, window_len)
    unlikely = next((note for note in result.notes if UNLIKELY in note), None)
    if unlikely is not None:
        found = Finding("time_unit", "", "", (), unlikely)
        checked = replace(checked, findings=in_order([found, *checked.findings]))
    return replace(checked, notes=result.notes)


def _read(path: str | Path, columns: Columns) -> ReadResult:
    for kind in FORMATS:
        if kind.prefix and str(path).startswith(kind.prefix):
            return kind.read(str(path).removeprefix(kind.prefix), columns)
    path = Path(path)
    try:
        reader = _of_folder(path) if path.is_dir() else _of_file(path)
        return reader(path, columns)
    except UserError as error:
        error.args = (" ".join(str(error).split()),)  # names in a file may hold line breaks
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check the file and its permissions") from error
    except MemoryError as error:
        raise UserError(
            f"{path} takes more memory than there is; take fewer trajectories or channels, or check that it is sound"
        ) from error


def _of_folder(path: Path) -> Reader:
    folders = [kind for kind in FORMATS if kind.folder]
    found = _first(folders, path, b"")
    if found is None:
        refuse_folder(path)
        raise UserError(
            f"{path} is a folder; expected a {endings()} file, or a known folder "
            f"({', '.join(kind.folder for kind in folders)}): join several files with "
            "`mts3 data import FILES output=ONE.npz`"
        )
    return found


def _of_file(path: Path) -> Reader:
    if not path.exists():
        hint = "".join(kind.hint(str(path)) for kind in FORMATS)
        raise UserError(f"there is no file {path}; check the path (relative to {Path.cwd()}){hint}")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes); expected a file with data")
    with path.open("rb") as file:
        start = file.read(4096)
    refuse_sign(path, start)
    reader = None
    if not conversion(path, MISTAKEN):
        reader = _by_contents(path, start) or ENDINGS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} ends in '{path.suffix}'; expected one of {endings()}{conversion(path)}")
    return reader


def _by_contents(path: Path, start: bytes) -> Reader | None:
    """By the start of a file and a closer look, by its start alone, or by a look where its ending says nothing."""
    begun = [kind for kind in FORMATS if start.startswith(kind.starts)]
    found = _first(begun, path, start)
    if found is not None:
        return found
    refuse_contents(path, start)
    known = next((kind.read for kind in begun if kind.holds is None), None)
    if known is not None or path.suffix.lower() in ENDINGS:
        return known
    return _first([kind for kind in FORMATS if not kind.starts and not kind.folder], path, start)


def _first(formats: list[Format], path: Path, start: bytes) -> Reader | None:
    """The reader of the first of some formats whose closer look finds it."""
    return next((kind.read for kind in formats if kind.holds is not None and kind.holds(path, start)), None)
