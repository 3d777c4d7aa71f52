"""What a LeRobot set says twice: when its frames were taken, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mts3.data.readers.result import incomplete, listed
from mts3.data.rows.clock import TIME_TOLERANCE

# Seconds by which a timestamp may always differ: LeRobot itself allows 1e-4, and rounds to float32.
LEAST_TOLERANCE = 1e-3
INFO = "meta/info.json"


class FrameTimes(NamedTuple):
    """`seconds` (R,) of each frame; `note` where timestamps tell another time than frames, else ""."""

    seconds: np.ndarray
    note: str


def frame_times(episodes: np.ndarray, frames: np.ndarray, stamps: np.ndarray | None, fps: float) -> FrameTimes:
    """When frames were taken: by their number, or by their timestamps in episodes where the two differ.

    Both count from the first frame of the episode. They differ where one timestamp is off by more than a tenth of a
    frame, a millisecond, and what float32 cannot tell.

    Args:
        episodes: (R,) in order.
        frames: (R,) within an episode, in order.
        stamps: (R,) seconds in the type of the file, or None.
        fps: Frames a second.
    """
    counted = frames / fps
    if stamps is None or not len(frames):
        return FrameTimes(counted, "")
    _, first, which = np.unique(episodes, return_index=True, return_inverse=True)
    seconds = stamps.astype(np.float64)
    coarse = np.spacing(np.abs(stamps)).astype(np.float64) if stamps.dtype.kind == "f" else np.zeros(len(stamps))
    allowed = max(LEAST_TOLERANCE, TIME_TOLERANCE / fps) + coarse + coarse[first][which]
    off = (seconds - seconds[first][which]) - (counted - counted[first][which])
    differs = ~(np.abs(off) <= allowed)  # so that NaN differs
    if not differs.any():
        return FrameTimes(counted, "")
    differing = np.unique(which[differs])
    row = int(np.argmax(differs))
    by = "missing" if np.isnan(off[row]) else f"by {off[row]:.3g} s"
    note = (
        f"timestamp is not frame_index / fps in {len(differing)} of {len(first)} episodes, first at frame "
        f"{frames[row]:g} of episode_{episodes[row]} ({by}): the timestamps are the times there; if "
        f"they are wrong, take the feature timestamp out of {INFO}"
    )
    return FrameTimes(np.where(np.isin(which, differing), seconds, counted), note)


def missing_notes(info: Mapping[str, Any], episodes: np.ndarray, frames: np.ndarray) -> tuple[str, ...]:
    """A line each about what the set should have and has not: frames, episodes by number, first frames of episodes.

    Args:
        info: What meta/info.json says.
        episodes: (R,) in order.
        frames: (R,) in order.
    """
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
