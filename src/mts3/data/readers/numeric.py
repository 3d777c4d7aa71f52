"""Columns of a table -> numbers: marks, words for missing, and pairs of words such as ON and OFF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mts3.data.codes import EMPTY, Codes, Counts, bare, notes
from mts3.data.columns import Columns
from mts3.data.readers.cells import as_numbers, is_number, refuse_long
from mts3.data.readers.marks import Marks, is_written_number, recognised, words
from mts3.errors import UserError

# True and false in text; read as in Parquet, 1 and 0.
PAIRS = ({"true": 1.0, "false": 0.0}, {"on": 1.0, "off": 0.0}, {"yes": 1.0, "no": 0.0}, {"open": 1.0, "closed": 0.0})


@dataclass(frozen=True)
class Writing:
    """How a table of text is written.

    Attributes:
        rest: The columns besides some: they may tell decimal marks from others.
        points_usual: Whether a point is the decimal mark where nothing is said, as between commas.
        line: What to add to the error of a row, counted from 0: its line in the file.
    """

    rest: Callable[[Collection[str]], Iterable[Iterable[str]]] = lambda names: ()
    points_usual: bool = True
    line: Callable[[int], str] = lambda row: ""


@dataclass
class Numbers:
    """Columns of numbers, and what was met on the way.

    Attributes:
        values: (R,) float64 by name; NaN for empty cells and words for missing.
        times: (R,) by name; text with numbers as Python writes them, and dates as they are.
        decimals, thousands: The signs that were met as such.
        counts: Words taken as missing.
        pairs: A line for each column of two words.
    """

    values: dict[str, np.ndarray] = field(default_factory=dict)
    times: dict[str, np.ndarray] = field(default_factory=dict)
    decimals: set[str] = field(default_factory=set)
    thousands: set[str] = field(default_factory=set)
    counts: Counts = field(default_factory=Counter)
    pairs: list[str] = field(default_factory=list)

    @property
    def format(self) -> str:
        """The signs in words, to follow those of the format."""
        return words(self.decimals, self.thousands)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else to say, a line each."""
        return (*self.pairs, *notes(self.counts))


def numbers(
    data: Mapping[str, np.ndarray],
    names: Sequence[str],
    times: Sequence[str],
    columns: Columns,
    path: Path,
    writing: Writing,
) -> Numbers:
    """The named columns as numbers.

    Args:
        data: (R,) arrays of numbers or text by name.
        names: Those of numbers.
        times: Those of times, which may be dates.
        columns: The user's mapping; missing, decimal and thousands count.
        path: For errors.
        writing: What the file says besides.

    Raises:
        UserError: naming the first cell that is no number, or a column that can be read in two ways.
    """
    out = Numbers(times={name: data[name] for name in times})
    for name in names:
        if data[name].dtype.kind not in "fiubUTO":
            raise UserError(f"column '{name}' of {path} is of type {data[name].dtype}; expected numbers")
    plain = {name: as_numbers(data[name]) for name in names}
    marks = _marks(data, plain, times, columns, path, writing)
    codes = Codes.of(columns.missing)
    for name in names:
        array = plain[name]
        if array is None or name in marks:
            column = _Column(name, data[name].tolist(), marks.get(name, Marks.of(".")), path, writing)
            array = column.numbers(codes, out)
        out.values[name] = array
    for name in times:
        if name in marks:
            out.times[name] = _Column(name, data[name].tolist(), marks[name], path, writing).plainly(out)
    return out


def _marks(
    data: Mapping[str, np.ndarray],
    plain: Mapping[str, np.ndarray | None],
    times: Sequence[str],
    columns: Columns,
    path: Path,
    writing: Writing,
) -> dict[str, Marks]:
    """The marks of the columns that are not read as Python reads numbers."""
    given = columns.decimal is not None or columns.thousands is not None
    texts = {name: data[name] for name in (*plain, *times) if data[name].dtype.kind in "UTO"}
    for name in times:
        first = next((cell for cell in _stripped(texts.get(name, ())) if cell), "")
        if columns.time_format is not None or not is_written_number(first):
            texts.pop(name, None)  # dates
    unread = [cells for name, cells in texts.items() if plain.get(name) is None]
    if not given and writing.points_usual and not any(_has(",", cells) for cells in unread):
        return {}
    found = recognised(
        {name: _stripped(cells) for name, cells in texts.items()},
        lambda: map(_stripped, writing.rest(texts.keys())),
        columns,
        path,
        writing.points_usual,
    )
    return {name: m for name, m in found.items() if given or m.decimal == "," or plain.get(name) is None}


def _has(sign: str, cells: Iterable[object]) -> bool:
    return sign in "".join(map(str, cells))


def _stripped(cells: Iterable[object]) -> Iterator[str]:
    return (str(cell).strip() for cell in cells)


@dataclass(frozen=True)
class _Column:
    """The cells of a column of text, and how it is written."""

    name: str
    cells: list[object]
    marks: Marks
    path: Path
    writing: Writing

    def numbers(self, codes: Codes, out: Numbers) -> np.ndarray:
        """(R,) float64; every different cell is looked at once, where more than empty ones has to be understood."""
        simple = self._simple()
        if simple is not None:
            out.decimals |= {","} if self.marks.decimal == "," and _has(",", self.cells) else set()
            return simple
        read: dict[object, float] = {}
        others: dict[object, str] = {}
        for cell, text in self._different().items():
            number = self.marks.ungrouped(text)
            if number is None and (found := self.marks.grouped(text)) is not None:
                number, sign = found
                out.thousands.add(sign)
            if number is None:
                others[cell] = text
            else:
                read[cell] = number
                if "," in text and self.marks.decimal == ",":
                    out.decimals.add(",")
        missing = {cell: text for cell, text in others.items() if codes.has_word(text)}
        words = {cell: text for cell, text in others.items() if cell not in missing}
        if words:
            read |= self._pair(words, any(not np.isnan(number) for number in read.values()), out)
        self._count({cell: text for cell, text in missing.items() if bare(text) not in EMPTY}, out)
        read |= dict.fromkeys(missing, np.nan)
        return np.array([read[cell] for cell in self.cells], dtype=np.float64)

    def _simple(self) -> np.ndarray | None:
        """(R,) float64 of numbers without groups and empty cells alone; else None."""
        if self.marks.decimal == ".":
            return as_numbers(np.array(["nan" if cell in (None, "") else cell for cell in self.cells], dtype=object))
        if _has(".", self.cells):
            return None
        texts = ["nan" if cell in (None, "") else str(cell).replace(",", ".") for cell in self.cells]
        return as_numbers(np.array(texts, dtype=object))

    def plainly(self, out: Numbers) -> np.ndarray:
        """(R,) text, as objects: numbers as Python writes them, all else as it is."""
        plain: dict[object, object] = {}
        for cell, text in self._different().items():
            plain[cell] = cell
            if (found := self.marks.grouped(text)) is not None:
                plain[cell] = repr(found[0])
                out.thousands.add(found[1])
            elif "," in text and self.marks.ungrouped(text) is not None:
                plain[cell] = text.replace(",", ".")
                out.decimals.add(",")
            elif self.marks.decimal == "," and "." in text and is_number(text):
                raise self._no_number(text, self.cells.index(cell))
        return np.array([plain[cell] for cell in self.cells], dtype=object)

    def _different(self) -> dict[object, str]:
        """The different cells, each with its text without blanks around it."""
        found = {cell: "" if cell is None else str(cell).strip() for cell in dict.fromkeys(self.cells)}
        refuse_long(max(found.values(), key=len, default=""), self.name, self.path)
        return found

    def _count(self, missing: Mapping[object, str], out: Numbers) -> None:
        if missing:
            times = Counter(cell for cell in self.cells if cell in missing)
            for cell, text in missing.items():
                out.counts[f"'{text}'", self.name] += times[cell]

    def _pair(self, words: Mapping[object, str], beside_numbers: bool, out: Numbers) -> dict[object, float]:
        """The numbers of the words in a column that has none but one pair of words."""
        met = {bare(text) for text in words.values()}
        pair = next((pair for pair in PAIRS if met <= pair.keys()), None)
        if pair is None or beside_numbers:
            row = next(row for row, cell in enumerate(self.cells) if cell in words)
            raise self._no_number(words[self.cells[row]], row)
        true, false = pair
        out.pairs.append(f"{self.name}: {true} is 1, {false} is 0")
        return {cell: pair[bare(text)] for cell, text in words.items()}

    def _no_number(self, text: str, row: int) -> UserError:
        where = f"column '{self.name}' of {self.path}{self.writing.line(row)} has '{text}' in data row {row + 1}"
        if is_written_number(text):
            return UserError(
                f"{where}; expected numbers with the decimal mark '{self.marks.decimal}', as others have or decimal= "
                "says: write all of a column alike"
            )
        return UserError(
            f"{where}; expected a number, or an empty cell where nothing was observed: if it stands for that, say "
            f'missing=["{text}"] (mts3 train: data.columns.missing=["{text}"])'
        )
