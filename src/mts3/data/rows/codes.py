"""Cells of text, as tables have them, and codes for missing: words and numbers that stand for "not observed" in a file.

Some words always do, wherever a number is expected; the numbers, as -9999, are the user's to name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mts3.data.core.stored import Rows, RowSource, StoredArray, row_chunks
from mts3.errors import UserError

# In any column; where numbers are expected `WORDS` are more.
MISSING = ("", "nan", "na", "n/a", "null", "none")
# Numbers, dates and ids are short.
LONGEST = 256
EMPTY = frozenset({"", "nan"})
# Without case and blanks. What no number can mean: words of spreadsheets, of R and pandas, of plants' historians.
# Words that may mean a number out of range, as inf, over or #DIV/0!, are not among them.
WORDS = EMPTY | {
    *("na", "n/a", "null", "none", "nil", "<na>", "nat", "#n/a", "#na", "#nv"),
    *("-", "--", "---", "?", "nodata", "no_data", "no-data", "missing", "unknown", "unavailable", "notavailable"),
    *("bad", "badinput", "i/otimeout", "timeout", "nosample", "commfail", "notconnect", "notconnected", "scanoff"),
    *("-nan(ind)", "nan(ind)", "1.#qnan", "1.#ind", "-1.#ind"),
}
Counts = Counter[tuple[str, str]]
"""How often a code stood in a channel: (code, channel) -> times."""


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


@dataclass(frozen=True)
class Codes:
    """What stands for "not observed": `words` without case and blanks, and `numbers`, by their value."""

    words: frozenset[str]
    numbers: tuple[float, ...]

    @classmethod
    def of(cls, missing: Sequence[str]) -> Codes:
        """The usual words, and what the user says besides, as in ("-200", "Bad")."""
        numbers = {text: value for text in missing if (value := as_number(text)) is not None and value == value}
        words = (bare(text) for text in missing if text not in numbers)
        return cls(WORDS | frozenset(words), tuple(dict.fromkeys(numbers.values())))

    def has_word(self, cell: str) -> bool:
        """Whether a cell that is no number stands for nothing."""
        return bare(cell) in self.words


def leave_out(codes: Codes, rows: Rows, names: Sequence[str]) -> tuple[Rows, Counts]:
    """`rows` with NaN for the numbers that are codes, and how many there were; the same object where there is none.

    A number is a code where it is the same in float32, which all data end up in. What stays in its file is looked
    through once, and changed when it is read.

    Args:
        codes: Their numbers count.
        rows: (R, channels) or (R,).
        names: Of the channels, for the counts.
    """
    counts: Counts = Counter()
    if not codes.numbers or rows.dtype.kind not in "fiub":
        return rows, counts
    for _, chunk in row_chunks(rows):
        for number in codes.numbers:
            hits = np.atleast_1d(_is(number, chunk).sum(0))
            counts.update({(written(number), names[i]): int(hits[i]) for i in np.flatnonzero(hits).tolist()})
    if not counts:
        return rows, counts
    if isinstance(rows, StoredArray):
        return rows.of(lambda source: _Decoded(source, codes)), counts
    return _decoded(rows, codes), counts


def notes(counts: Counts) -> tuple[str, ...]:
    """One line that says what was read as missing; none where nothing was."""
    said = []
    for code in dict.fromkeys(code for code, _ in counts):
        where = [name for other, name in counts if other == code]
        times = sum(count for (other, _), count in counts.items() if other == code)
        places = ", ".join(where[:3]) + (f" and {len(where) - 3} more columns" if len(where) > 3 else "")
        said.append(f"{code} ({times} time{'s' * (times > 1)} in {places})")
    return (f"taken as missing: {'; '.join(said)}",) if said else ()


def written(number: float) -> str:
    """A number as short as float32 tells it apart, as a user would write it."""
    with np.errstate(over="ignore"):
        single = np.float32(number)
    return (str(single) if np.isfinite(single) else repr(float(number))).removesuffix(".0")


class _Decoded:
    """Rows in a file, without codes once they are read."""

    def __init__(self, source: RowSource, codes: Codes) -> None:
        self.source, self.codes = source, codes
        self.shape, self.where = source.shape, source.where
        self.dtype = np.result_type(source.dtype, np.float32)

    def read(self, prefix: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        return _decoded(self.source.read(prefix, start, stop), self.codes)


def _decoded(rows: np.ndarray, codes: Codes) -> np.ndarray:
    out = rows.astype(np.result_type(rows.dtype, np.float32))
    for number in codes.numbers:
        out[_is(number, rows)] = np.nan
    return out


def _is(number: float, rows: np.ndarray) -> np.ndarray:
    """Where `rows` hold the number, as far as float32 tells."""
    with np.errstate(over="ignore"):
        single = np.float32(number)
        if np.isinf(single):  # beyond float32: the fill values of float64
            return rows == np.float64(number)
        return rows.astype(np.float32, copy=False) == single
