"""Look for flaws in a recording: in its times, its actions, its lengths and each of its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mts3.data.core.resolution import FEW, FLICKER
from mts3.data.core.trajectory import Dataset
from mts3.data.quality.action_flaws import action_flaws
from mts3.data.quality.channel_flaws import channel_flaws, gaps, spans_of
from mts3.data.quality.few_rows import codes_of
from mts3.data.quality.findings import KINDS, Finding
from mts3.data.rows.clock import TIME_TOLERANCE, read_clock, tick, usual_step
from mts3.data.rows.codes import written
from mts3.data.rows.raw import RawDataset, RawTrajectory
from mts3.data.rows.sampling import cause, set_forward

# Of data=file, where the user says nothing else.
WINDOW_LEN = 20
# Of a channel's standard deviation: float32 that tells values apart by more than this hides motion.
COARSE = 0.01
DAY = 86400.0
# Nothing that is recorded as one system takes so long from row to row, or from the first row to the last.
LONGEST_STEP, LONGEST_SPAN = 32 * DAY, 50 * 365 * DAY
WORDS = {
    "stuck": "reads one value",
    "outlier": "jumps away and back",
    "held": "repeats its last sample",
    "saturated": "at its largest or smallest value",
    "reset": "jumps at the end",
    "wrapped": "jumps by a whole turn",
}


@dataclass(frozen=True)
class Checked:
    """What was looked at and what was found.

    Attributes:
        recording: The rows, images as their mean brightness.
        findings: In the order of KINDS, then of the channels and of the trajectories.
        refused: Why the rows make no data set as they are; "" if they do.
        notes: What the reader of the file left out or took for granted.
    """

    recording: RawDataset
    findings: tuple[Finding, ...]
    refused: str = ""
    notes: tuple[str, ...] = ()


def check_dataset(dataset: Dataset, window_len: int = WINDOW_LEN) -> Checked:
    """The flaws of a data set; of images those of their mean brightness, such as a video that stands still."""
    images = dataset.image_shape is not None
    raw = tuple(
        RawTrajectory(t.name, np.asarray(t.obs).mean(1, keepdims=True) if images else t.obs, t.actions)
        for t in dataset.trajectories
    )
    names = ("brightness",) if images else dataset.obs_names
    recording = RawDataset(dataset.name, raw, names, dataset.action_names, dataset.sample_time)
    return Checked(recording, find_flaws(recording, window_len))


def find_flaws(recording: RawDataset, window_len: int = WINDOW_LEN) -> tuple[Finding, ...]:
    """Everything found in a recording, in the order of KINDS."""
    raw = recording.trajectories
    shown = tick(raw)
    findings = [finding for trajectory in raw for finding in _time_flaws(trajectory, shown)]
    findings += _span_flaws(recording)
    least = 2 * window_len + 1
    findings += [
        Finding("short", t.name, "", (), f"{len(t)} rows, expected at least {least}") for t in raw if len(t) < least
    ]
    obs = [[t.obs[:, channel] for t in raw] for channel in range(len(recording.obs_names))]
    actions = [[t.actions[:, channel] for t in raw] for channel in range(len(recording.action_names))]
    names = (*recording.obs_names, *recording.action_names)
    channels = [*obs, *actions]
    every = codes_of(channels)
    findings += action_flaws(recording, every)
    for number, (name, values, codes) in enumerate(zip(names, channels, every, strict=True)):
        findings += _any_channel(raw, name, values)
        findings += _codes(raw, name, values, codes)
        if number < len(obs):
            findings += _obs_channel(raw, name, values, codes, shown)
    return in_order(findings)


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """In the order of KINDS."""
    return tuple(sorted(findings, key=lambda finding: [*KINDS].index(finding.kind)))


def _time_flaws(trajectory: RawTrajectory, shown: float) -> list[Finding]:
    """What is wrong with the times of one trajectory, of a clock that shows such steps; nothing where it has none."""
    times = trajectory.times
    if times is None:
        return []
    found: list[Finding] = []

    def add(kind: str, rows: np.ndarray, before: int, words: str) -> None:
        found.extend(Finding.at(kind, trajectory.name, "", rows, words, before))

    missing = np.flatnonzero(~np.isfinite(times))
    add("time_missing", missing, 0, f"{len(missing)} of {len(times)} rows")
    steps = np.diff(times)
    back, same = np.flatnonzero(steps < 0) + 1, np.flatnonzero(steps == 0) + 1
    why = None if len(missing) else cause(trajectory)
    for kind, rows in (("time_back", back), ("time_repeated", same)):
        words = f"{len(rows)} of {len(steps)} steps"
        add(why.kind if why else kind, rows, 1, f"{words}; {why}" if why else words)
    clock = read_clock(times, shown)
    usual = usual_step(times)
    odd, wide = np.flatnonzero(clock.uneven) + 1, np.flatnonzero(clock.wide) + 1
    off = f"differ by more than {TIME_TOLERANCE:.0%} from the median of {usual:g} s"
    add("irregular", odd, 1, f"{len(odd)} of {len(steps)} steps {off}")
    if len(wide):
        lost = int(np.round(steps[clock.wide] / clock.step - 1).sum())
        longest = f"the longest takes {steps.max():g} s{set_forward(trajectory)}"
        add("time_gap", wide, 1, f"{len(wide)} gap{'s' * (len(wide) > 1)}, about {lost} rows; {longest}")
    return found


def _span_flaws(recording: RawDataset) -> list[Finding]:
    """A recording that would take longer than one can: its times seem to count in something else."""
    longest = max(recording.trajectories, key=len)
    step = recording.sample_time or (1.0 if longest.times is None else usual_step(longest.times))
    span = step * len(longest)
    if step <= LONGEST_STEP and span <= LONGEST_SPAN:
        return []
    return [Finding("time_unit", "", "", (), f"a step of {step:g} s is {step / DAY:.3g} days, {span / DAY:.3g} in all")]


def _any_channel(raw: Sequence[RawTrajectory], name: str, values: list[np.ndarray]) -> list[Finding]:
    found = []
    for trajectory, array in zip(raw, values, strict=True):
        rows = np.flatnonzero(np.isinf(array))
        found += Finding.at("infinite", trajectory.name, name, rows, f"{len(rows)} rows")
    observed = np.concatenate([array[np.isfinite(array)] for array in values]).astype(np.float64)
    flickers = len(observed) > 1 and observed.std() <= FLICKER * np.abs(observed).max()
    if flickers and len(np.unique(observed)) <= FEW:
        found.append(Finding("constant", "", name, (), f"{observed[0]:g} throughout"))
    elif len(observed) > 1 and values[0].dtype == np.float32:
        step = float(np.spacing(np.abs(observed).max().astype(np.float32)))
        if step > COARSE * observed.std():
            words = (
                f"float32 tells values near {observed[0]:g} apart by {step:g}, and the channel moves by "
                f"{observed.std():.2g}"
            )
            found.append(Finding("coarse", "", name, (), words))
    return found


def _codes(raw: Sequence[RawTrajectory], name: str, values: list[np.ndarray], codes: Sequence[float]) -> list[Finding]:
    found = []
    for code in codes:
        for trajectory, array in zip(raw, values, strict=True):
            rows = np.flatnonzero(array == code)
            if len(rows):
                number = written(code)
                words = f"{number} in {len(rows)} of {len(array)} rows, far from all else: say missing=[{number}]"
                found.append(Finding("code", trajectory.name, name, tuple(spans_of(rows)), words))
    return found


def _obs_channel(
    raw: Sequence[RawTrajectory], name: str, values: list[np.ndarray], codes: Sequence[float], shown: float
) -> list[Finding]:
    if all(np.isnan(array).all() for array in values):
        return [Finding("never_observed", "", name, (), "NaN in every row")]
    found = []
    for trajectory, array in zip(raw, values, strict=True):
        spans = gaps(array)
        if spans:
            longest = max(b - a for a, b in spans)
            words = f"{np.isnan(array).sum()} of {len(array)} rows missing, up to {longest} in a row"
            found.append(Finding("gap", trajectory.name, name, tuple(spans), words))
    # What is no value is no outlier and no limit either.
    values = [np.where(np.isin(array, codes), np.nan, array) for array in values] if codes else values
    places = [_places(trajectory, shown) for trajectory in raw]
    for kind, every in channel_flaws([_put(a, p) for a, p in zip(values, places, strict=True)]).items():
        for trajectory, place, spans in zip(raw, places, every, strict=True):
            rows = tuple((int(np.searchsorted(place, a)), int(np.searchsorted(place, b))) for a, b in spans)
            if rows:
                total = sum(b - a for a, b in rows)
                count = f"{len(rows)} times, " if len(rows) > 1 else ""
                words = f"{WORDS[kind]}: {count}{total} row{'s' if total > 1 else ''} in all"
                found.append(Finding(kind, trajectory.name, name, rows, words))
    return found


def _places(trajectory: RawTrajectory, shown: float) -> np.ndarray:
    """(T,) a place for each row, with one left free where rows are missing in time."""
    places = np.arange(len(trajectory))
    if trajectory.times is None or len(trajectory) < 2:
        return places
    unknown = np.isnan(np.diff(trajectory.times))
    return places + np.r_[0, np.cumsum(read_clock(trajectory.times, shown).wide | unknown)]


def _put(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    out = np.full(places[-1] + 1, np.nan)
    out[places] = values
    return out
