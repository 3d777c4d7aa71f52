"""Cells of text, as tables have them -> numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mts3.errors import UserError

MISSING = ("", "nan", "na", "n/a", "null", "none")
# Numbers, dates and ids are short.
LONGEST = 256


def numbers(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    """(R,) float64; empty cells, NaN, NA, N/A, null and None become NaN.

    Raises:
        UserError: naming the first cell that is no number.
    """
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    if values.dtype.kind not in "UTO":
        raise UserError(f"column '{name}' of {path} is of type {values.dtype}; expected numbers")
    plain = as_numbers(values)
    if plain is not None:
        return plain
    text = cells(values, "nan", name, path)
    try:
        return text.astype(np.float64)
    except ValueError:
        row = next(i for i, cell in enumerate(text) if not is_number(cell))
        raise UserError(
            f"column '{name}' of {path} has '{text[row]}' in data row {row + 1}; expected a number, "
            "or an empty cell where nothing was observed"
        ) from None


def cells(values: np.ndarray, missing: str, name: str, path: Path) -> np.ndarray:
    """(R,) text, as objects, without blanks around it, and `missing` for what stands for nothing.

    Raises:
        UserError: for a cell that is too long to be a number, a date or a name.
    """
    stripped = [str(value).strip() for value in values]
    refuse_long(max(stripped, key=len, default=""), name, path)
    # As objects: an array of text takes 4 bytes a letter of its longest cell, in every row.
    return np.array([missing if cell.lower() in MISSING else cell for cell in stripped], dtype=object)


def as_numbers(values: np.ndarray) -> np.ndarray | None:
    """(R,) float64 where every cell is a number; else None. Faster than looking at each cell."""
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError):
        return None


def refuse_long(cell: str, name: str, path: Path) -> None:
    """Nothing for a cell as short as a number, a date or a name.

    Raises:
        UserError: for a longer one.
    """
    if len(cell) > LONGEST:
        raise UserError(
            f"column '{name}' of {path} has a cell of {len(cell)} letters, '{cell[:20]}..'; expected numbers, dates or "
            f"names of at most {LONGEST}"
        )


def is_number(cell: str) -> bool:
    """Whether Python reads the cell as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
