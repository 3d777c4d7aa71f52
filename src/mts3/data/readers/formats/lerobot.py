"""LeRobot folders, v2 (one Parquet file an episode) and v3 (many episodes a file), through pyarrow (extra `data`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.readers.formats import reads
from mts3.data.readers.result import ReadResult, incomplete, listed, note_of, refuse_self_described, roles
from mts3.data.readers.tables.arrow import damaged, leaves, pyarrow, read_parquet
from mts3.data.rows.assemble import assemble
from mts3.data.rows.clock import TIME_TOLERANCE
from mts3.data.rows.columns import Columns
from mts3.data.rows.raw import RawTrajectory, RefusedRows
from mts3.errors import UserError

EPISODE, FRAME, STAMP, REWARD = "episode_index", "frame_index", "timestamp", "next.reward"
STATE, OBSERVATION, ACTION = "observation.state", "observation.", "action"
PICTURES = ("image", "video")
# Seconds by which a timestamp may always differ: LeRobot itself allows 1e-4, and rounds to float32.
LEAST_TOLERANCE = 1e-3
INFO = "meta/info.json"


@reads(holds=lambda folder, _: (folder / INFO).is_file(), folder=f"a LeRobot data set has {INFO}")
def read(folder: Path, columns: Columns) -> ReadResult:
    """A data set from a LeRobot folder; images and videos are left out.

    Observations are observation.state, or all other observation.* of numbers where there is none, or the features that
    the mapping names; actions are action; rows count by episode_index and frame_index, fps gives the sampling time.
    Where timestamp tells another time than that, the timestamps are the times.

    Raises:
        UserError: without pyarrow, for a folder that is incomplete or damaged, or features that are missing.
    """
    info, fps = _info(folder)
    features = info["features"]
    obs_keys, action_keys = _wanted(features, columns, str(folder))
    reward = REWARD if REWARD in features else None
    wanted = [EPISODE, FRAME, *obs_keys, *action_keys, *([REWARD] if reward else [])]
    rows = _rows(folder, wanted, STAMP if STAMP in features else None)
    order = np.lexsort((rows[FRAME][:, 0], rows[EPISODE][:, 0]))
    episodes, frames = rows[EPISODE][order, 0].astype(np.int64), rows[FRAME][order, 0]
    stamps = rows[STAMP][order, 0] if STAMP in rows else None
    stamped, clock = (None, "") if stamps is None else _stamped(episodes, frames, stamps, fps)
    # Frames are counted, not timed: a step that the user gives stands above the file's.
    step = columns.sample_time if columns.sample_time and not columns.resample else 1.0 / fps
    whole = RawTrajectory(
        folder.stem,
        np.concatenate([rows[key][order] for key in obs_keys], axis=1),
        np.concatenate([rows[key][order] for key in action_keys] or [np.empty((len(order), 0))], axis=1),
        frames * step if stamped is None else stamped,
        rows[REWARD][order, 0] if reward else None,
    )
    names = [_channels(features, keys, rows) for keys in (obs_keys, action_keys)]
    ids = np.char.add("episode_", episodes.astype(np.str_))
    try:
        dataset, said = assemble(whole, names[0], names[1], columns, folder, ids)
    except RefusedRows as error:
        raise (RefusedRows(f"{error}; {clock}", error.recording, error.notes) if clock else error) from error
    if not clock:  # what fps says is exact
        dataset = replace(dataset, sample_time=columns.sample_time or 1.0 / fps)
    understood = roles(obs_keys, action_keys, reward, (f"{FRAME} at {fps:g} a second",), EPISODE)
    if STAMP in features and stamps is None:
        clock = "timestamp is not compared: not every file has it in seconds"
    notes = (*filter(None, [clock]), *_missing_notes(info, episodes, frames), *said)
    return ReadResult(dataset, "LeRobot", understood, (*notes, *_left_out(features, (*obs_keys, *action_keys))))


def _rows(folder: Path, names: list[str], stamp: str | None) -> dict[str, np.ndarray]:
    """(R, channels) of each column, of all files; `stamp` only where all have it as one number a row."""
    pa = pyarrow(folder)
    files = sorted((folder / "data").glob("**/*.parquet"))
    if not files:
        raise UserError(f"{folder} has no data/**/*.parquet; expected a whole LeRobot data set: download it again")
    parts: list[dict[str, np.ndarray]] = []
    for file in files:
        try:
            extra = [name for name in pa.parquet.read_schema(file).names if name == stamp and name not in names]
            table = read_parquet(file, [*names, *extra])
            found = {name: leaves(table[name], name).get(name) for name in table.column_names}
        except (pa.ArrowException, UnicodeDecodeError, KeyError, OSError) as error:
            raise damaged(file, error) from error
        part = {name: matrix for name, matrix in found.items() if matrix is not None}
        other = next((name for name in names if name not in part), None)
        if other is not None:
            raise UserError(
                f"column '{other}' of {file} is of type {table[other].type}; expected numbers, or lists of one length"
            )
        # Whole numbers would count something else than seconds.
        for name in part.keys() & extra:
            if part[name].shape[1] != 1 or part[name].dtype.kind != "f":
                part.pop(name)
        parts.append(part)
    everywhere = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: _joined([part[name] for part in parts], name, folder) for name in everywhere}


def _info(folder: Path) -> tuple[Mapping[str, Any], float]:
    """What the set says of itself, and frames per second."""
    path = folder / INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        features, fps = info["features"], float(info["fps"])
        if not isinstance(features, Mapping) or not all(isinstance(f, Mapping) for f in features.values()):
            raise TypeError("features is no dictionary")
        if not 0 < fps < np.inf:
            raise ValueError(f"fps is {fps}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is no description of a LeRobot data set ({error!r}); expected JSON with features and fps"
        ) from error
    missing = next((name for name in (EPISODE, FRAME) if name not in features), None)
    if missing is not None:
        raise UserError(f"{path} has no feature '{missing}'; expected LeRobot v2 or v3: convert it with lerobot")
    return info, fps


def _wanted(features: Mapping[str, Any], columns: Columns, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Features of observations and of actions."""
    refuse_self_described(columns, where, timed=True)
    numeric = [name for name, feature in features.items() if not _is_picture(feature)]
    obs = columns.obs or tuple(name for name in numeric if name == STATE)
    obs = obs or tuple(name for name in numeric if name.startswith(OBSERVATION))
    if not obs:
        raise UserError(
            f"{where} has no {STATE}; it has {', '.join(features)}: name features with data.columns.obs=[..]"
        )
    actions = columns.actions or (() if columns.obs or ACTION not in numeric else (ACTION,))
    return Columns(obs=obs, actions=actions).channels(numeric, where)


def _is_picture(feature: Mapping[str, Any]) -> bool:
    return feature.get("dtype") in PICTURES


def _joined(blocks: list[np.ndarray], name: str, folder: Path) -> np.ndarray:
    widths = sorted({block.shape[1] for block in blocks if len(block)})
    if len(widths) != 1:
        raise UserError(
            f"'{name}' of {folder} has {widths or 'no'} channels; expected the same in every file, and rows"
        )
    return np.concatenate([block for block in blocks if len(block)])


def _channels(features: Mapping[str, Any], keys: Sequence[str], rows: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The names that the description gives, where there is one a channel; else KEY_0, KEY_1, .."""
    names: list[str] = []
    for key in keys:
        width = rows[key].shape[1]
        given = features[key].get("names")
        while isinstance(given, Mapping) and len(given) == 1:  # {"motors": [..]}
            given = next(iter(given.values()))
        good = isinstance(given, list) and len(given) == width and all(isinstance(name, str) for name in given)
        own = good and not set(given) & set(names) and len(set(given)) == width
        names += given if own else [f"{key}_{i}" for i in range(width)]
    return tuple(names)


def _left_out(features: Mapping[str, Any], used: Sequence[str]) -> tuple[str, ...]:
    pictures = [name for name, feature in features.items() if _is_picture(feature)]
    others = [name for name in features if name.startswith((OBSERVATION, ACTION)) and name not in (*used, *pictures)]
    return (*note_of("left out, images and videos", pictures), *note_of("not used", others))


def _stamped(episodes: np.ndarray, frames: np.ndarray, stamps: np.ndarray, fps: float) -> tuple[np.ndarray | None, str]:
    """(R,) seconds, by timestamps in episodes where they differ from frames, and a note; None and "" where none does.

    Both count from the first frame of the episode. They differ where one timestamp is off by more than a tenth of a
    frame, a millisecond, and what float32 cannot tell.
    """
    counted = frames / fps
    _, first, which = np.unique(episodes, return_index=True, return_inverse=True)
    seconds = stamps.astype(np.float64)
    coarse = np.spacing(np.abs(stamps)).astype(np.float64) if stamps.dtype.kind == "f" else np.zeros(len(stamps))
    allowed = max(LEAST_TOLERANCE, TIME_TOLERANCE / fps) + coarse + coarse[first][which]
    off = (seconds - seconds[first][which]) - (counted - counted[first][which])
    differs = ~(np.abs(off) <= allowed)  # so that NaN differs
    if not differs.any():
        return None, ""
    differing = np.unique(which[differs])
    row = int(np.argmax(differs))
    by = "missing" if np.isnan(off[row]) else f"by {off[row]:.3g} s"
    note = (
        f"timestamp is not frame_index / fps in {len(differing)} of {len(first)} episodes, first at frame "
        f"{frames[row]:g} of episode_{episodes[row]} ({by}): the timestamps are the times there; if "
        f"they are wrong, take the feature timestamp out of {INFO}"
    )
    return np.where(np.isin(which, differing), seconds, counted), note


def _missing_notes(info: Mapping[str, Any], episodes: np.ndarray, frames: np.ndarray) -> tuple[str, ...]:
    """A line each about what the set should have and has not: frames, episodes by number, first frames of episodes."""
    there, first = np.unique(episodes, return_index=True)
    notes = incomplete(
        INFO, ("episodes", len(there), info.get("total_episodes")), ("frames", len(frames), info.get("total_frames"))
    )
    # Not the numbers themselves: one may be as large as a file wants.
    before = np.flatnonzero(np.diff(there, prepend=-1) > 1)
    if len(before):
        gaps = [f"episode_{there[i]}" for i in before]
        notes = (*notes, f"episode_index leaves out episodes before {listed(gaps)}")
    late = [f"episode_{number}" for number, frame in zip(there, frames[first], strict=True) if frame > 0]
    if late:
        notes = (*notes, f"first frames are missing of {listed(late)}: frame_index does not start at 0")
    return notes
