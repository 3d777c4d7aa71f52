"""CSV as spreadsheets, loggers and plants write it: one header line, one row a step; an empty cell is not observed.

Commas, semicolons or tabs; decimal commas where the comma does not separate; a line of units under the header; lines of
comment, with #, above it.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mts3.data.columns import Columns
from mts3.data.readers.cells import MISSING, is_number
from mts3.data.readers.reading import Reading
from mts3.data.readers.table import table_reading
from mts3.errors import UserError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
COMMENT = "#"
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
# A date has digits; so has a unit such as m/s2, but never two in a row.
DATE = re.compile(r"\d\d")
LONGEST_UNIT = 24


@dataclass(frozen=True)
class _Table:
    """Cells of text, with the format they came in."""

    header: list[str]
    rows: list[list[str]]
    units: dict[str, str]
    format: str


def read(path: Path, columns: Columns) -> Reading:
    """A data set from a CSV file.

    Raises:
        UserError: if it is no table of text, rows have different lengths, or a needed column is missing or not numeric.
    """
    text, encoding = _text(path)
    table = _table(text, path)

    def load(names: list[str]) -> dict[str, np.ndarray]:
        places = {name: table.header.index(name) for name in names}
        # As objects: an array of text would be as wide as its longest cell.
        return {name: np.array([row[place] for row in table.rows], dtype=object) for name, place in places.items()}

    return table_reading(path, table.header, load, columns, table.format + encoding, table.units)


def is_table(start: bytes) -> bool:
    """Whether a file that starts like this is a table of text: two lines with as many delimiters."""
    try:
        lines = start.decode("utf-8-sig", errors="strict" if len(start) < 4096 else "ignore").splitlines()
    except UnicodeDecodeError:
        return False
    lines = [line for line in lines if line and not line.startswith(COMMENT)][:2]
    return len(lines) == 2 and any(lines[0].count(sign) == lines[1].count(sign) > 0 for sign in DELIMITERS)


def _text(path: Path) -> tuple[str, str]:
    """The file's text, and its encoding in words where it is not UTF-8."""
    raw = path.read_bytes()
    if b"\0" in raw:
        raise UserError(
            f"{path} is no readable CSV file (it holds zero bytes); expected UTF-8 text with one header line"
        )
    try:
        # utf-8-sig: spreadsheet programs put a byte order mark before the first column's name.
        return raw.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        # What older spreadsheets write; of the names of columns it concerns signs such as the degree alone.
        return raw.decode("cp1252", errors="replace"), ", not UTF-8: read as Windows-1252"


def _table(text: str, path: Path) -> _Table:
    file = io.StringIO(text, newline="")
    first = file.readline()
    while first.startswith(COMMENT):
        first = file.readline()
    if not first.strip():
        raise UserError(f"{path} starts with an empty line; expected one header line with the names of the columns")
    delimiter = max(DELIMITERS, key=first.count)
    try:
        rows = [row for row in csv.reader(itertools.chain([first], file), delimiter=delimiter) if row]
    except csv.Error as error:
        raise UserError(
            f"{path} is no readable CSV file ({error}); expected UTF-8 text with one header line"
        ) from error
    # Some programs end every line with a delimiter.
    header = [name.strip() for name in rows[0]]
    while header and not header[-1]:
        header.pop()
    body = rows[1:]
    for number, row in enumerate(body, start=1):
        if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
            raise UserError(f"{path} has {len(row)} cells in data row {number}; its header has {len(header)} columns")
    units = dict(zip(header, (cell.strip() for cell in body[0]), strict=False)) if _has_units(body) else {}
    body = body[1:] if units else body
    comma = delimiter != "," and any("," in cell and DECIMAL_COMMA.fullmatch(cell) for row in body for cell in row)
    if comma:
        body = [[_with_point(cell) for cell in row] for row in body]
    words = f"CSV with {DELIMITERS[delimiter]}" + (" and decimal commas" if comma else "")
    return _Table(header, body, units, words + (" and a line of units" if units else ""))


def _has_units(body: list[list[str]]) -> bool:
    """Whether the first row under the header holds units: words alone, above a row with numbers."""
    if len(body) < 2:
        return False
    first = [cell.strip() for cell in body[0]]
    words = [cell for cell in first if cell.lower() not in MISSING]
    return (
        bool(words)
        and len(max(words, key=len)) <= LONGEST_UNIT
        and not any(_is_value(cell) or DATE.search(cell) for cell in words)
        and any(_is_value(cell) and not _is_value(above) for cell, above in zip(body[1], first, strict=False) if above)
    )


def _is_value(cell: str) -> bool:
    return is_number(cell) or DECIMAL_COMMA.fullmatch(cell) is not None


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if "," in cell and DECIMAL_COMMA.fullmatch(cell) else cell
