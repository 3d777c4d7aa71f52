"""Look for flaws in a file, also in one that is refused for its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mts3.data.quality.check import WINDOW_LEN, Checked, check_dataset, find_flaws, in_order
from mts3.data.quality.findings import Finding
from mts3.data.readers import read_with_notes
from mts3.data.readers.values.time_numbers import UNLIKELY
from mts3.data.rows.columns import Columns
from mts3.data.rows.raw import RefusedRows


def check_file(
    path: str | Path, columns: Mapping[str, Any] | Columns | None = None, window_len: int = WINDOW_LEN
) -> Checked:
    """The flaws of a file, also of one that is refused for its rows.

    Args:
        path, columns: As in `load_dataset`; with repairs, what they leave is looked at.
        window_len: Steps per window the model will have; shorter trajectories than two and one row are found.

    Raises:
        UserError: if the file cannot be read.
    """
    try:
        result = read_with_notes(path, Columns.parse(columns))
    except RefusedRows as error:
        if error.recording is None:
            raise
        return Checked(error.recording, find_flaws(error.recording, window_len), str(error), error.notes)
    checked = check_dataset(result.dataset, window_len)
    unlikely = next((note for note in result.notes if UNLIKELY in note), None)
    if unlikely is not None:
        found = Finding("time_unit", "", "", (), unlikely)
        checked = replace(checked, findings=in_order([found, *checked.findings]))
    return replace(checked, notes=result.notes)
