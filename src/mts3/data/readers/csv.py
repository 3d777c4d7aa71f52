"""CSV: one header line, one row a step; commas, semicolons or tabs; an empty cell is not observed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mts3.data.columns import Columns
from mts3.data.readers.table import table_dataset
from mts3.data.trajectory import Dataset
from mts3.errors import UserError

DELIMITERS = ",;\t"


def read(path: Path, columns: Columns) -> Dataset:
    """A data set from a CSV file.

    Raises:
        UserError: if it is no table of text, rows have different lengths, or a needed column is missing or not numeric.
    """
    try:
        # utf-8-sig: spreadsheet programs put a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = max(DELIMITERS, key=first.count)
            header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} is no readable CSV file ({error}); expected UTF-8 text with one header line"
        ) from error
    if not header:
        raise UserError(f"{path} starts with an empty line; expected one header line with the names of the columns")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise UserError(f"{path} has {len(row)} cells in data row {number}; its header has {len(header)} columns")

    def load(names: list[str]) -> dict[str, np.ndarray]:
        places = {name: header.index(name) for name in names}
        return {name: np.array([row[place] for row in rows], dtype=np.str_) for name, place in places.items()}

    return table_dataset(path, header, load, columns)
