"""Decimal and thousands marks of numbers written as text: which sign is which, a column at a time, then in the file.

1.234.567,89 and 1,234.5 say it themselves, and so do 0,5 and 21,75: what groups thousands stands before exactly three
digits and never after a zero. 1,013 may be either, and is read as what the rest of its column says, or else the rest
of the file, or else not at all.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mts3.data.rows.codes import as_number
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

OTHER = {".": ",", ",": "."}
# What a user's sign for thousands stands for: a space also for the unbreakable, the thin and the narrow one.
SIGNS = {".": ".", ",": ",", " ": " \u00a0\u2009\u202f", "'": "'\u2019", "_": "_"}
PLURALS = {".": "points", ",": "commas", " ": "spaces", "'": "apostrophes", "_": "underscores"}
OPEN = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})+")


@dataclass(frozen=True)
class Writing:
    """How a table of text is written.

    Attributes:
        path: The file, for errors.
        rest: The columns besides some: they may tell decimal marks from others.
        points_usual: Whether a point is the decimal mark where nothing is said, as between commas.
        line: What to add to the error of a row, counted from 0: its line in the file.
    """

    path: Path
    rest: Callable[[Collection[str]], Iterable[Iterable[object]]] = lambda names: ()
    points_usual: bool = True
    line: Callable[[int], str] = lambda row: ""


@dataclass(frozen=True)
class Marks:
    """How the numbers of a column are written: their decimal mark, and all signs that may group thousands."""

    decimal: str
    thousands: str

    @classmethod
    def of(cls, decimal: str, thousands: str | None = None) -> Marks:
        """`thousands` None: whatever can group beside this decimal mark."""
        signs = SIGNS.values() if thousands is None else (SIGNS[thousands],)
        return cls(decimal, "".join(signs).replace(decimal, ""))

    def grouped(self, cell: str) -> tuple[float, str] | None:
        """The number in a cell that groups its thousands, and the sign it does so by; or None."""
        found = _pattern(self.decimal, self.thousands).fullmatch(cell)
        if found is None or not found["by"]:
            return None
        sign = next(sign for sign, same in SIGNS.items() if found["by"] in same)
        return float(cell.replace(found["by"], "").replace(self.decimal, ".")), sign


def stripped(cells: Iterable[object]) -> Iterator[str]:
    """Their text, without blanks around it."""
    return (str(cell).strip() for cell in cells)


def recognised(texts: Mapping[str, Iterable[object]], columns: Columns, writing: Writing) -> dict[str, Marks]:
    """How the numbers in each column are written.

    Args:
        texts: The cells of each column.
        columns: The user's mapping; its decimal and thousands are obeyed.
        writing: Of the file; the rest of it is looked at where `texts` do not settle it.

    Raises:
        UserError: for a column that can be read in two ways.
    """
    decimal = columns.decimal or OTHER.get(columns.thousands or "")
    if decimal is not None:
        return dict.fromkeys(texts, Marks.of(decimal, columns.thousands))
    found = {name: _Evidence.of(cells) for name, cells in texts.items()}
    said = {evidence.decimal for evidence in found.values()} - {None}
    if not said and any(evidence.unsettled(writing.points_usual) for evidence in found.values()):
        said = {_Evidence.of(cells).decimal for cells in writing.rest(texts.keys())} - {None}
    of_file = said.pop() if len(said) == 1 else None
    marks: dict[str, Marks] = {}
    for name, evidence in found.items():
        if of_file is None and evidence.unsettled(writing.points_usual):
            mark = "," if "," in evidence.open else "."
            cell, sign = evidence.open[mark], PLURALS[mark].removesuffix("s")
            raise UserError(
                f"column '{name}' of {writing.path} has '{cell}', which is {float(cell.replace(mark, '.')):.6g} with a "
                f"decimal {sign} and {float(cell.replace(mark, '')):.6g} with a {sign} for thousands, and nothing in "
                f'the file tells which: say decimal="{mark}" or thousands="{mark}" (mts3 train: '
                f'data.columns.decimal="{mark}")'
            )
        marks[name] = Marks.of(evidence.decimal or (of_file if evidence.open else None) or ".", columns.thousands)
    return marks


def is_written_number(cell: str) -> bool:
    """Whether a cell is a number in any way of writing it."""
    return as_number(cell) is not None or any(written.fullmatch(cell) for written in _NUMBERS.values())


@dataclass
class _Evidence:
    """What a column shows of its marks.

    Attributes:
        decimal: Its decimal mark, where a cell tells it; what contradicts that cell is found when it is read.
        open: By mark, the first cell that leaves it open.
        everywhere: Whether no number goes without a mark, as where all are written with three decimals.
    """

    decimal: str | None = None
    open: dict[str, str] = field(default_factory=dict)
    everywhere: bool = True

    @classmethod
    def of(cls, cells: Iterable[object]) -> _Evidence:
        """From its cells, up to the first one that tells."""
        evidence = cls()
        for cell in stripped(cells):
            if "." not in cell and "," not in cell:
                evidence.everywhere = evidence.everywhere and as_number(cell) is None
            elif found := OPEN.fullmatch(cell):
                evidence.open.setdefault(found[1], cell)
            else:
                evidence.decimal = _shown(cell)
                if evidence.decimal is not None:
                    break
        return evidence

    def unsettled(self, points_usual: bool) -> bool:
        """Whether the column alone may be read in two ways."""
        return self.decimal is None and (
            "," in self.open or ("." in self.open and not points_usual and not self.everywhere)
        )


def _shown(cell: str) -> str | None:
    """The decimal mark that a number shows; what groups cannot be one."""
    if found := GROUPED.fullmatch(cell):
        return OTHER[found[1]]
    for mark, written in _NUMBERS.items():
        if mark in cell and written.fullmatch(cell):
            return mark
    return None


@functools.cache
def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """A number: digits, in groups or not, and a decimal part."""
    mark = re.escape(decimal)
    groups = rf"[1-9]\d{{0,2}}(?P<by>[{re.escape(thousands)}])\d{{3}}(?:(?P=by)\d{{3}})*"
    return re.compile(rf"[+-]?(?:(?:\d+|{groups})(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?")


_NUMBERS = {mark: _pattern(mark, Marks.of(mark).thousands) for mark in OTHER}
