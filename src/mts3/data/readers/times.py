"""Times as files write them -> seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mts3.data.columns import Columns
from mts3.data.readers.cells import as_numbers, cells
from mts3.errors import UserError

# Beside ISO 8601. Points mean the day comes first; slashes are read either way, where only one way fits the column.
DAY_FIRST, MONTH_FIRST = ("%d.%m.%Y", "%d/%m/%Y"), ("%m/%d/%Y",)
CLOCKS = ("%H:%M:%S.%f", "%H:%M:%S", "%H:%M", "")


def seconds(arrays: Sequence[np.ndarray], columns: Columns, path: Path) -> np.ndarray:
    """(R,) float64 seconds from numbers, which are seconds already, or since the first row from dates.

    Dates are ISO 8601 (2024-05-01T12:00:00, with or without a zone), 01.05.2024 12:00:00, or with slashes, where a
    day above 12 tells days from months. A missing time is NaN.

    Raises:
        UserError: for what is neither, or could be read in two ways.
    """
    (values,), name = arrays, " and ".join(columns.time)
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    if values.dtype.kind == "M":
        nanoseconds = values.astype("datetime64[ns]")
        since_start = (nanoseconds - nanoseconds[0]) / np.timedelta64(1, "ns") if len(values) else np.empty(0)
        return np.where(np.isnat(nanoseconds), np.nan, since_start * 1e-9)
    if values.dtype.kind in "UTO":
        text = cells(values, "nan", name, path)
        plain = as_numbers(text)
        return _dates(text, name, path) if plain is None else plain
    raise UserError(
        f"time column '{name}' of {path} is of type {values.dtype}; expected seconds, or dates such as "
        "2024-05-01T12:00:00"
    )


def _dates(text: np.ndarray, name: str, path: Path) -> np.ndarray:
    stamps = _iso(text)
    if stamps is None:
        ways = [found for days in (DAY_FIRST, MONTH_FIRST) if (found := _parsed(text, days)) is not None]
        if len(ways) == 2:
            raise UserError(
                f"time column '{name}' of {path} starts with '{text[0]}', which could be day/month or month/day; "
                "expected dates such as 2024-05-01T12:00:00"
            )
        stamps = ways[0] if ways else None
    if stamps is None or len({stamp.tzinfo is None for stamp in stamps if stamp is not None}) > 1:
        raise UserError(
            f"time column '{name}' of {path} starts with '{text[0]}'; "
            "expected seconds, or dates such as 2024-05-01T12:00:00, all alike"
        )
    start = next(stamp for stamp in stamps if stamp is not None)
    return np.array([np.nan if stamp is None else (stamp - start).total_seconds() for stamp in stamps])


def _iso(text: np.ndarray) -> list[datetime | None] | None:
    try:
        stamps = [None if cell == "nan" else datetime.fromisoformat(cell) for cell in text.tolist()]
    except ValueError:
        return None
    # To one zone: clocks go forward and back in the others.
    return [stamp if stamp is None or stamp.tzinfo is None else stamp.astimezone(UTC) for stamp in stamps]


def _parsed(text: np.ndarray, days: tuple[str, ...]) -> list[datetime | None] | None:
    """All cells by the one format that fits the first of them, or None."""
    rows = text.tolist()
    first = next(cell for cell in rows if cell != "nan")
    for day in days:
        for clock in CLOCKS:
            way = f"{day} {clock}".strip()
            try:
                datetime.strptime(first, way)
                return [None if cell == "nan" else datetime.strptime(cell, way) for cell in rows]
            except ValueError:
                continue
    return None
