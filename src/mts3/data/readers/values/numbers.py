"""Columns of a table -> numbers: marks, words for missing, and pairs of words such as ON and OFF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mts3.data.readers.values.marks import PLURALS, SIGNS, Marks, Writing, is_written_number, recognised, stripped
from mts3.data.rows.codes import EMPTY, Codes, Counts, as_number, as_numbers, bare, notes, refuse_long
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

# True and false in text; read as in Parquet, 1 and 0.
PAIRS = ({"true": 1.0, "false": 0.0}, {"on": 1.0, "off": 0.0}, {"yes": 1.0, "no": 0.0}, {"open": 1.0, "closed": 0.0})


@dataclass
class Numbers:
    """Columns of numbers, and what was met on the way.

    Attributes:
        values: (R,) float64 by name; NaN for empty cells and words for missing.
        times: (R,) by name; text with numbers as Python writes them, and dates as they are.
        decimals, thousands: The signs that were met as such.
        counts: Words for missing, how often each.
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
        """The signs in words, to follow the format's, as in " and decimal commas and points for thousands"."""
        commas = " and decimal commas" if "," in self.decimals else ""
        return commas + "".join(f" and {PLURALS[sign]} for thousands" for sign in SIGNS if sign in self.thousands)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else to say, a line each."""
        return (*self.pairs, *notes(self.counts))


def numbers(
    data: Mapping[str, np.ndarray], names: Sequence[str], times: Sequence[str], columns: Columns, writing: Writing
) -> Numbers:
    """The named columns as numbers.

    Args:
        data: (R,) arrays of numbers or text by name.
        names: Those of numbers.
        times: Those of times, which may be dates.
        columns: The user's mapping; missing, decimal and thousands count.
        writing: What the file says besides.

    Raises:
        UserError: naming the first cell that is no number, or a column that can be read in two ways.
    """
    out = Numbers(times={name: data[name] for name in times})
    for name in names:
        if data[name].dtype.kind not in "fiubUTO":
            raise UserError(f"column '{name}' of {writing.path} is of type {data[name].dtype}; expected numbers")
    plain = {name: as_numbers(data[name]) for name in names}
    marks = _marks(data, plain, times, columns, writing)
    codes = Codes.of(columns.missing)
    for name in names:
        array = plain[name]
        if array is None or name in marks:
            array = _Column(name, data[name].tolist(), marks.get(name, Marks.of(".")), writing).numbers(codes, out)
        out.values[name] = array
    for name in times:
        if name in marks:
            out.times[name] = _Column(name, data[name].tolist(), marks[name], writing).plainly(out)
    return out


def _marks(
    data: Mapping[str, np.ndarray],
    plain: Mapping[str, np.ndarray | None],
    times: Sequence[str],
    columns: Columns,
    writing: Writing,
) -> dict[str, Marks]:
    """The marks of the columns that are not read as Python reads numbers."""
    given = columns.decimal is not None or columns.thousands is not None
    texts = {name: data[name] for name in (*plain, *times) if data[name].dtype.kind in "UTO"}
    for name in times:
        first = next((cell for cell in stripped(texts.get(name, ())) if cell), "")
        if columns.time_format is not None or not is_written_number(first):
            texts.pop(name, None)  # dates
    commas = {name for name, cells in texts.items() if plain.get(name) is None and _has(",", cells)}
    if not given and writing.points_usual and not commas:
        return {}
    found = recognised(texts, columns, writing)
    # As for the others: what Python reads needs nothing more, and times are read elsewhere.
    unread = {name for name in plain if plain[name] is None} | commas
    return {name: m for name, m in found.items() if given or m.decimal == "," or name in unread}


def _has(sign: str, cells: Iterable[object]) -> bool:
    """Whether a sign is in one of the cells; sooner than a look at each."""
    return sign in "".join(map(str, cells))


@dataclass(frozen=True)
class _Column:
    """The cells of a column of text, and how it is written."""

    name: str
    cells: list[object]
    marks: Marks
    writing: Writing

    def numbers(self, codes: Codes, out: Numbers) -> np.ndarray:
        """(R,) float64; cells that Python reads are most, and of the others each different one is looked at once."""
        values = [as_number(cell, self.marks.decimal) for cell in self.cells]
        odd = [row for row, value in enumerate(values) if value is None]
        numbers = np.array(values, np.float64)  # None is NaN
        if self.marks.decimal == "," and _has(",", self.cells):
            out.decimals.add(",")
        if odd:
            read = self._odd([self.cells[row] for row in odd], not np.isnan(numbers).all(), codes, out)
            numbers[odd] = [read[self.cells[row]] for row in odd]
        return numbers

    def _odd(self, cells: list[object], beside_numbers: bool, codes: Codes, out: Numbers) -> dict[object, float]:
        """The numbers of cells that Python does not read, NaN for what stands for missing."""
        read: dict[object, float] = {}
        words: dict[object, str] = {}
        times = Counter(cells)
        for cell, text in self._texts(times).items():
            if (found := self.marks.grouped(text)) is not None:
                read[cell] = found[0]
                out.thousands.add(found[1])
            elif codes.has_word(text):
                read[cell] = np.nan
                if bare(text) not in EMPTY:
                    out.counts[f"'{text}'", self.name] += times[cell]
            else:
                words[cell] = text
        if words:
            read |= self._pair(words, beside_numbers or not np.isnan(list(read.values())).all(), out)
        return read

    def plainly(self, out: Numbers) -> np.ndarray:
        """(R,) text, as objects: numbers as Python writes them, all else as it is."""
        plain: dict[object, object] = {}
        for cell, text in self._texts(self.cells).items():
            plain[cell] = cell
            if (found := self.marks.grouped(text)) is not None:
                plain[cell] = repr(found[0])
                out.thousands.add(found[1])
            elif self.marks.decimal == "," and "," in text and as_number(text, ",") is not None:
                plain[cell] = text.replace(",", ".")
                out.decimals.add(",")
            elif self.marks.decimal == "," and "." in text and as_number(text) is not None:
                raise self._no_number(text, self.cells.index(cell))
        return np.array([plain[cell] for cell in self.cells], dtype=object)

    def _texts(self, cells: Iterable[object]) -> dict[object, str]:
        """The text of each different cell, without blanks around it."""
        found = {cell: "" if cell is None else str(cell).strip() for cell in dict.fromkeys(cells)}
        refuse_long(max(found.values(), key=len, default=""), self.name, self.writing.path)
        return found

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
        where = (
            f"column '{self.name}' of {self.writing.path}{self.writing.line(row)} has '{text}' in data row {row + 1}"
        )
        if is_written_number(text):
            return UserError(
                f"{where}; expected numbers with the decimal mark '{self.marks.decimal}', as other cells have it "
                "or decimal= and thousands= say: write all of a column alike"
            )
        if not any(map(is_written_number, stripped(self.cells))):
            return UserError(
                f"{where}; expected a number, and no row has one: leave the column out, or write its words as "
                "numbers, such as 1 and 0"
            )
        line = "; if the line is no step, delete it" if row == 0 else ""
        return UserError(
            f"{where}; expected a number, or an empty cell where nothing was observed: if it stands for that, say "
            f'missing=["{text}"] (mts3 train: data.columns.missing=["{text}"])'
            f"{line}"
        )
