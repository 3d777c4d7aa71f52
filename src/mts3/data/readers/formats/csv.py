"""CSV as spreadsheets, loggers and plants write it: one header line, one row a step; an empty cell is not observed.

Commas, semicolons or tabs; decimal points or commas, and signs for thousands; a line of units under the header; lines
of comment, with #.
"""

from __future__ import annotations

from pathlib import Path

from mts3.data.readers.formats import reads
from mts3.data.readers.result import ReadResult
from mts3.data.readers.tables.csv_rows import COMMENT, DELIMITERS, csv_table
from mts3.data.readers.tables.table import read_table
from mts3.data.rows.columns import Columns
from mts3.errors import UserError


def _is_table(path: Path, start: bytes) -> bool:
    """Whether a file that starts like this is a table of text: two lines with as many delimiters."""
    try:
        lines = start.decode("utf-8-sig", errors="strict" if len(start) < 4096 else "ignore").splitlines()
    except UnicodeDecodeError:
        return False
    lines = [line for line in lines if line and not line.startswith(COMMENT)][:2]
    return len(lines) == 2 and any(lines[0].count(sign) == lines[1].count(sign) > 0 for sign in DELIMITERS)


@reads(".csv", holds=_is_table, place=2)
@reads(".tsv", ".txt")
def read(path: Path, columns: Columns) -> ReadResult:
    """A data set from a CSV file.

    Raises:
        UserError: if it is no table of text, has no header, rows have different lengths, or a needed column is missing,
            not numeric, or can be read in two ways.
    """
    text, encoding = _text(path)
    return read_table(csv_table(text, encoding, path, columns), columns)


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
