"""Cells of text, as tables have them: what is empty, what is a number, what is too long."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mts3.errors import UserError

# In any column; where numbers are expected `mts3.data.rows.codes` knows more.
MISSING = ("", "nan", "na", "n/a", "null", "none")
# Numbers, dates and ids are short.
LONGEST = 256


def cells(values: np.ndarray, missing: str, name: str, path: Path) -> np.ndarray:
    """(R,) text, as objects, without blanks around it, and `missing` for what stands for nothing.

    Raises:
        UserError: for a cell that is too long to be a number, a date or a name.
    """
    stripped = [str(value).strip() for value in values]
    refuse_long(max(stripped, key=len, default=""), name, path)
    # As objects: an array of text takes 4 bytes a letter of its longest cell, in every row.
    return np.array([missing if cell.lower() in MISSING else cell for cell in stripped], dtype=object)


def as_number(cell: object, decimal: str = ".") -> float | None:
    """What Python reads a cell as, with this decimal mark in place of its point; None where it is no number."""
    try:
        if decimal == ".":
            return float(cell)  # pyright: ignore[reportArgumentType] - whatever is none is refused
        return None if "." in cell else float(cell.replace(decimal, "."))  # pyright: ignore
    except (ValueError, TypeError, AttributeError):
        return None


def as_numbers(values: np.ndarray) -> np.ndarray | None:
    """(R,) float64 where every cell is a number; else None. Faster than looking at each cell."""
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError):
        return None


def bare(text: str) -> str:
    """Without case and blanks."""
    return "".join(text.lower().split())


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
