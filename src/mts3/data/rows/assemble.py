"""Rows of a file with ids and times -> trajectories of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mts3.data.core.resolution import as_floats
from mts3.data.core.trajectory import BadValue, Dataset
from mts3.data.rows.clock import TIME_TOLERANCE
from mts3.data.rows.codes import Codes
from mts3.data.rows.codes import notes as code_notes
from mts3.data.rows.columns import Columns
from mts3.data.rows.raw import RawDataset, RawTrajectory, RefusedRows
from mts3.data.rows.resample import Account, measured_step
from mts3.data.rows.resample import resample as resampled
from mts3.data.rows.sampling import Cause, agreed_step, cause, common_step, set_forward
from mts3.errors import UserError

# More rows than this, and than this share of all, are not left out without the user's word.
MOST_LOST, LOST_SHARE = 3, 0.05


def assemble(
    rows: RawTrajectory,
    obs_names: tuple[str, ...],
    action_names: tuple[str, ...],
    columns: Columns,
    path: Path,
    ids: np.ndarray | None = None,
) -> tuple[Dataset, tuple[str, ...]]:
    """One data set out of the rows of a file, and what to say about it, a line each.

    Args:
        rows: All of the file, of R rows.
        obs_names, action_names: One a column.
        columns: The user's mapping; its missing, sample_time, max_gap, resample and action_shift count.
        path: Gives the name.
        ids: (R,) what tells trajectories apart, in any order of rows; None: one recording.

    Raises:
        RefusedRows: a UserError that carries the rows, for times that do not increase regularly (with `resample`: that
            decrease or are missing), and for all that Trajectory and Dataset refuse.
    """
    if len(rows) == 0:
        raise UserError(f"{path} has a header and no rows; expected at least 2 rows of data")
    rows, counts = rows.without_codes(Codes.of(columns.missing), obs_names, action_names)
    # Before the split into trajectories: a float32 array is then kept as it is, its pieces are views.
    obs, actions = as_floats(rows.obs, f"observations in {path}"), as_floats(rows.actions, f"actions in {path}")
    rows = replace(rows, obs=obs, actions=actions)
    raw = tuple(rows.part(own, name) for name, own in _groups(ids, path.stem))
    whole = tuple(trajectory for trajectory in raw if len(trajectory) > 1) or raw
    notes = code_notes(counts)
    notes = (*notes, one_row_note(len(raw) - len(whole))) if len(whole) < len(raw) else notes
    raw = tuple(trajectory.with_actions_moved(columns.action_shift) for trajectory in whole)
    recording = RawDataset(path.stem, raw, obs_names, action_names, columns.sample_time)
    try:
        pieces, step, said = _regular(raw, columns, path)
        trajectories = replace(recording, trajectories=tuple(pieces)).sound_trajectories()
        dataset = Dataset(path.stem, trajectories, obs_names, action_names, step)
    except UserError as error:
        where = "" if str(path) in str(error) else f"{path}: "
        # Those of actions are no longer rows of the file.
        moved = isinstance(error, BadValue) and error.what.startswith("actions") and columns.action_shift
        counted = f"; actions are counted after action_shift={columns.action_shift}" if moved else ""
        notes = (*notes, rows.written.words) if rows.written.words else notes
        raise RefusedRows(f"{where}{error}{counted}", recording, notes) from error
    return dataset, (*notes, *said)


def _regular(
    raw: tuple[RawTrajectory, ...], columns: Columns, path: Path
) -> tuple[Sequence[RawTrajectory], float, tuple[str, ...]]:
    """Trajectories with one step from row to row, that step in seconds, and what to say about it."""
    time_words, given = raw[0].written.words, columns.sample_time
    if not columns.resample and raw[0].times is None:
        return raw, given or 1.0, ()
    if not columns.resample:
        measured = common_step(raw, path)
        said = agreed_step(given, measured, path) if given else ()
        return raw, given or measured, (f"{time_words}, every {measured:g} s", *said) if time_words else said
    measured = measured_step(raw)
    pieces, step, account = resampled(raw, given or measured, columns.max_gap)
    # Why rows were merged, or else why steps were filled.
    why = next(filter(None, map(cause, raw)), None)
    _refuse_losses(account, why, measured, columns)
    because = f"; {why}" if why is not None else next(filter(None, map(set_forward, raw)), "")
    counted = f"resampled, a row every {step:g} s: {account.words()}{because}"
    return pieces, step, (f"{time_words}, every {measured:g} s", counted) if time_words else (counted,)


def _refuse_losses(account: Account, why: Cause | None, measured: float, columns: Columns) -> None:
    """Refuses a grid that loses more than a few per cent of the rows, which are `measured` seconds apart.

    Not where the user asked for a coarser grid, or for gaps; `why` tells why several rows lie in one step.
    """
    most, given = max(MOST_LOST, LOST_SHARE * account.rows), columns.sample_time
    if account.dropped > most and (given is None or given <= (1 + TIME_TOLERANCE) * measured):
        advice = why or (
            "expected to lose at most a few per cent: give a finer sample_time=SECONDS, or a coarser one than "
            f"{measured:g} if that is what you want"
        )
        raise UserError(
            f"resample=true would leave out {account.dropped} of {account.rows} rows, which lie in one step of "
            f"{given or measured:g} s with others; {advice}"
        )
    if account.alone > most and columns.max_gap is None:
        raise UserError(
            f"resample=true would leave out {account.alone} of {account.rows} rows, which stand alone between "
            "silences of more than ten steps; give max_gap=SECONDS, the longest silence within a trajectory, or "
            "another sample_time"
        )


def one_row_note(count: int) -> str:
    """What is said of trajectories of one row, which hold no step."""
    return f"left out {count} trajector{'y' if count == 1 else 'ies'} of one row: no step to learn from"


def _groups(ids: np.ndarray | None, stem: str) -> list[tuple[str, slice | np.ndarray]]:
    """(name, rows) of each trajectory, in order of first appearance; rows keep the order of the file."""
    if ids is None:
        return [(stem, slice(None))]
    values, first, which = np.unique(ids, return_index=True, return_inverse=True)
    groups: list[tuple[str, slice | np.ndarray]] = []
    for group in np.argsort(first):
        rows = np.flatnonzero(which == group)
        together = len(rows) == rows[-1] - rows[0] + 1
        groups.append((str(values[group]), slice(int(rows[0]), int(rows[-1]) + 1) if together else rows))
    return groups
