"""The text of a CSV file -> its columns; what is neither header nor a row of data is left out, and said."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.readers.tables.table import Table
from mts3.data.readers.values.marks import Writing
from mts3.data.rows.codes import MISSING, Codes, as_number
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
COMMENT = "#"
# What Excel writes, and reads, above the header.
SEPARATOR = re.compile(r"sep=([,;\t])\s*", re.IGNORECASE)
# A date has digits; so has a unit such as m/s2, but never two in a row.
DATE = re.compile(r"\d\d")
LONGEST_UNIT = 24
# A number or a date: no name of a column starts so.
VALUE = re.compile(r"[+-]?[.,]?\d[-\d.,:/ TZ+eE]*")


def csv_table(text: str, encoding: str, path: Path, columns: Columns) -> Table:
    """The named columns of a CSV file.

    Left out are lines of comment, and lines with nothing between their separators at the end of the file, or where a
    step would have a time or an action.

    Args:
        text: The file.
        encoding: In words, to end the format in words.
        path: For errors.
        columns: The user's mapping; its time, actions and missing count.

    Raises:
        UserError: without a header, and for rows of another length.
    """
    lines = io.StringIO(text, newline="")
    first, skipped, delimiter, comment = _first_line(lines, path)
    records = _records(itertools.chain([first], lines), delimiter, path)
    # Some programs end every line with a delimiter.
    header = [name.strip() for name in records.pop(0)]
    width = len(header)
    while header and not header[-1]:
        header.pop()
    _refuse_repeated(header, path)
    _refuse_numbers(header, comment, columns, path)
    cells = {name: cell for cell, name in enumerate(header) if name}
    # A step that has more than observations, which may all be missing, is never blank.
    has_more = columns.time or columns.channels(list(cells), str(path))[1]
    left_out, notes, ragged = _no_steps(records, width, bool(has_more))
    places = [place for place in range(len(records)) if place not in left_out] if left_out else range(len(records))
    rows = [records[place] for place in places] if left_out else records
    has_units = _has_units(rows, Codes.of(columns.missing))
    units = dict(zip(header, (cell.strip() for cell in rows[0]), strict=False)) if has_units else {}
    rows, places = rows[has_units:], places[has_units:]

    def line(row: int) -> str:
        return _line(text, skipped, delimiter, places[row])

    def load(names: list[str]) -> dict[str, np.ndarray]:
        # As objects: an array of text would be as wide as its longest cell.
        return {name: np.array([row[cells[name]] for row in rows], dtype=object) for name in names}

    def rest(names: Collection[str]) -> Iterator[Iterator[str]]:
        return ((row[cell] for row in rows) for name, cell in cells.items() if name not in names)

    if ragged:
        _refuse_ragged(rows, len(header), delimiter, line, path)
    more = (" and a line of units" if has_units else "") + encoding
    writing = Writing(path, rest, delimiter == ",", line)
    return Table(
        writing, list(cells), load, f"CSV with {DELIMITERS[delimiter]}", more, units, (*notes, *_nameless(header))
    )


def _line(text: str, skipped: int, delimiter: str, place: int) -> str:
    """Where a record under the header, counted from 0, stands in a text, below what is skipped; by reading it again."""
    lines = io.StringIO(text, newline="")
    for _ in range(skipped):
        lines.readline()
    reader = _reader(lines, delimiter)
    for _ in range(place + 2):
        next(reader)
    return f", line {skipped + reader.line_num},"


def _records(lines: Iterable[str], delimiter: str, path: Path) -> list[list[str]]:
    try:
        return list(_reader(lines, delimiter))
    except csv.Error as error:
        raise UserError(
            f"{path} is no readable CSV file ({error}); expected UTF-8 text with one header line"
        ) from error


def _reader(lines: Iterable[str], delimiter: str) -> Any:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _first_line(lines: io.StringIO, path: Path) -> tuple[str, int, str, str]:
    """The header, the lines above it, what separates its cells, and the last line of comment above it."""
    line, skipped, comment, delimiter = lines.readline(), 0, "", ""
    while line.startswith(COMMENT) or SEPARATOR.fullmatch(line):
        if found := SEPARATOR.fullmatch(line):
            delimiter = found[1]
        else:
            comment = line
        line, skipped = lines.readline(), skipped + 1
    if not line.strip("".join(DELIMITERS) + " \r\n"):
        raise UserError(f"{path} starts with an empty line; expected one header line with the names of the columns")
    return line, skipped, delimiter or max(DELIMITERS, key=line.count), comment


def _refuse_repeated(header: list[str], path: Path) -> None:
    repeated = next((name for name, count in Counter(header).items() if name and count > 1), None)
    if repeated is not None:
        places = [str(place) for place, name in enumerate(header, start=1) if name == repeated]
        raise UserError(
            f"{path} has two columns '{repeated}', number {' and '.join(places[:2])}; name each column differently"
        )


def _refuse_numbers(header: list[str], comment: str, columns: Columns, path: Path) -> None:
    """Nothing for a header with a word in it, or one the user names a column of."""
    names = [name for name in header if name]
    if not all(VALUE.fullmatch(name) for name in names) or set(names) & {*columns.obs, *columns.actions, *columns.time}:
        return
    shown = f"{', '.join(names[:3])}{', ..' if len(names) > 3 else ''}"
    instead = f"; take the {COMMENT} away from the line '{comment.strip()[:60]}' above it" if comment else ""
    raise UserError(
        f"{path} has no header: its first line holds numbers alone, {shown}; expected the names of the columns there"
        f'{instead} (columns that are called by numbers: name them, as in obs=["{names[0]}"])'
    )


def _no_steps(records: list[list[str]], width: int, has_more: bool) -> tuple[set[int], list[str], bool]:
    """The places of records that are left out, a line about each kind, and whether others have another width."""
    # Most rows are as they should be: one look at each.
    odd = {
        place: record
        for place, record in enumerate(records)
        if len(record) != width or not record[0].strip() or record[0][0] == COMMENT
    }
    blank, comments = _blank(odd, len(records), has_more), _comments(odd, len(records), width)
    kinds = ((blank, "with nothing but separators"), (comments, f"of comment, which start with {COMMENT}"))
    notes = [f"left out {len(found)} line{'s' * (len(found) > 1)} {what}" for found, what in kinds if found]
    left_out = {*comments, *blank, *(place for place, record in odd.items() if not record)}
    return left_out, notes, any(len(record) != width for place, record in odd.items() if place not in left_out)


def _comments(odd: Mapping[int, list[str]], count: int, width: int) -> set[int]:
    """Lines of comment; where most lines start with the sign it belongs to the data, and so it does in #N/A,1,2."""
    found = {place for place, record in odd.items() if record and record[0].startswith(COMMENT)}
    if 2 * len(found) > count:
        return set()
    return {place for place in found if len(odd[place]) != width or not _has_value_after_word(odd[place])}


def _has_value_after_word(record: list[str]) -> bool:
    """Whether a row that starts with the sign goes on with a word right after it, and with numbers in other cells."""
    first = record[0].removeprefix(COMMENT)
    return bool(first.strip() == first and first and not VALUE.fullmatch(first) and any(map(_is_value, record[1:])))


def _blank(odd: Mapping[int, list[str]], count: int, anywhere: bool) -> set[int]:
    """Lines with nothing between their separators; those in the middle where no step can look like that."""
    found = {place for place, record in odd.items() if len(record) > 1 and not any(cell.strip() for cell in record)}
    last = 0 if anywhere else count
    while last and (last - 1 in found or not odd.get(last - 1, [""])):
        last -= 1
    return {place for place in found if place >= last}


def _nameless(header: list[str]) -> tuple[str, ...]:
    numbers = [str(number) for number, name in enumerate(header, start=1) if not name]
    if not numbers:
        return ()
    shown = ", ".join(numbers[:5]) + (", .." if len(numbers) > 5 else "")
    return (f"not used: column{'s' * (len(numbers) > 1)} number {shown}, without a name",)


def _refuse_ragged(rows: list[list[str]], width: int, delimiter: str, line: Callable[[int], str], path: Path) -> None:
    for number, row in enumerate(rows):
        if len(row) != width and (len(row) < width or any(cell.strip() for cell in row[width:])):
            above = number == 0 and len(row) > width
            advice = f"delete lines above the names, or put cells that hold {DELIMITERS[delimiter]} in quotes"
            raise UserError(
                f"{path}{line(number)} has {len(row)} cells in data row {number + 1}; its header has {width} "
                f"columns: {advice if above else 'mend the line'}"
            )


def _has_units(records: list[list[str]], codes: Codes) -> bool:
    """Whether the first row under the header holds units: words alone, above a row with numbers."""
    if len(records) < 2:
        return False
    first = [cell.strip() for cell in records[0]]
    words = {cell for cell in first if cell.lower() not in MISSING and (cell == "-" or not codes.has_word(cell))}
    return (
        bool(words)
        and len(max(words, key=len)) <= LONGEST_UNIT
        and not any(_is_value(cell) or DATE.search(cell) for cell in words)
        and any(_is_value(cell) and above in words for cell, above in zip(records[1], first, strict=False))
    )


def _is_value(cell: str) -> bool:
    return as_number(cell) is not None or as_number(cell, ",") is not None
