"""A picture of what is wrong with a recording: its channels over time, flaws marked where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from mts3.data.quality.check import Checked
from mts3.data.quality.findings import KINDS, Finding
from mts3.data.rows.clock import GAP_STEPS, usual_step
from mts3.data.rows.raw import RawDataset, RawTrajectory
from mts3.plot import style
from mts3.plot.dataset import thin

SHOWN_TRAJECTORIES, SHOWN_CHANNELS = 3, 8
# A single recording of more rows than this has a second column: the first flaw of each strip, this many rows around it.
LONG, DETAIL = 1000, 40
# A mark is at least this share of the width of a strip, so that one row is visible.
LEAST_MARK = 0.004
OPACITY = 0.4
TINT: dict[str, Any] = {"alpha": OPACITY, "linewidth": 0}
# Tints behind a dark line, most of them Okabe and Ito's.
COLOURS = {
    "time_missing": "#1f2328",
    "time_back": "#1f2328",
    "time_repeated": "#7b3fa0",
    "time_rounded": "#7b3fa0",
    "clock_change": "#1f2328",
    "irregular": "#e69f00",
    "time_gap": "#8a8f98",
    "action_first": "#d55e00",
    "action_missing": "#d55e00",
    "infinite": "#1f2328",
    "code": "#d55e00",
    "reset": "#0072b2",
    "stuck": "#cc79a7",
    "outlier": "#d55e00",
    "held": "#56b4e9",
    "saturated": "#009e73",
    "wrapped": "#7b3fa0",
    "gap": "#f2c14e",
}
TIMES = "time step"


def plot_check(checked: Checked, path: str | Path) -> Path:
    """Draw the channels in which most was found, in up to three trajectories, one strip a channel.

    Where time stamps are flawed, the uppermost strip shows the step from each time stamp to the next one. Of a single
    long recording a second column shows the first flaw of each strip from near, over the numbers of its rows.

    Args:
        checked: What `mts3.data.quality.check` found; where it found nothing, the first channels are drawn.
        path: The picture; its ending chooses the format.

    Raises:
        UserError: if it cannot be written.
    """
    recording = checked.recording
    shown = _trajectories(checked)
    strips = _strips(checked, shown)
    marks = [{strip: _marks(checked, {trajectory.name}, strip) for strip in strips} for trajectory in shown]
    count = len(recording.trajectories)
    detail = count == 1 and len(shown[0]) > LONG and any(marks[0].values())
    columns = len(shown) + detail
    figure = style.new_figure(max(7.0, 4.2 * columns), 1.3 + 0.95 * max(len(strips), 2))
    axes = figure.subplots(len(strips), columns, squeeze=False)
    for column, trajectory, found in zip(axes.T, shown, marks, strict=False):
        seconds = _seconds(trajectory, recording)
        scale, unit = style.time_unit(float(np.ptp(seconds)))
        for place, strip in zip(column, strips, strict=True):
            _strip(place, strip, _values(trajectory, recording, strip), seconds / scale, found[strip])
            if place is not column[-1]:
                place.tick_params(labelbottom=False)
        column[-1].set_xlabel(f"time ({unit})", fontsize=style.SMALL, color=style.INK)
        if count > 1:
            column[0].set_title(f"{trajectory.name}\n{strips[0]}", loc="left", fontsize=style.SMALL, color=style.INK)
    if detail:
        for place, strip in zip(axes[:, -1], strips, strict=True):
            _detail(place, strip, _values(shown[0], recording, strip), marks[0][strip])
        axes[-1, -1].set_xlabel("data row", fontsize=style.SMALL, color=style.INK)
    which = f", {len(shown)} of {count:,} trajectories" if count > 1 else ""
    kinds = ", ".join(KINDS[kind].title.lower() for kind in dict.fromkeys(f.kind for f in checked.findings))
    style.head(figure, f"{recording.name}{which}: {'found' if kinds else 'nothing found'}\n{kinds}".rstrip())
    marked = dict.fromkeys(f.kind for found in marks for here in found.values() for f in here)
    handles = [Patch(color=COLOURS[kind], **TINT, label=KINDS[kind].title) for kind in marked]
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=4, **style.LEGEND)
    return style.save(figure, path)


def _trajectories(checked: Checked) -> list[RawTrajectory]:
    """Those with the most kinds of flaws, in the order of the recording."""
    trajectories = checked.recording.trajectories
    kinds: dict[str, set[tuple[str, str]]] = {}
    for finding in checked.findings:
        if finding.rows:
            kinds.setdefault(finding.trajectory, set()).add((finding.kind, finding.channel))
    flawed = [i for i, t in enumerate(trajectories) if t.name in kinds] or [0]
    best = sorted(flawed, key=lambda i: -len(kinds.get(trajectories[i].name, ())))[:SHOWN_TRAJECTORIES]
    return [trajectories[i] for i in sorted(best)]


def _strips(checked: Checked, shown: list[RawTrajectory]) -> list[str]:
    """Names of the channels to draw, those with most findings in the shown trajectories; the times first if flawed."""
    names = [*checked.recording.obs_names, *checked.recording.action_names]
    counts = {strip: len(_marks(checked, {t.name for t in shown}, strip)) for strip in [TIMES, *names]}
    flawed = [name for name in names if counts[name]] or names
    chosen = sorted(flawed, key=lambda name: -counts[name])[:SHOWN_CHANNELS]
    return [*([TIMES] if counts[TIMES] else []), *(name for name in names if name in chosen)]


def _marks(checked: Checked, trajectories: set[str], strip: str) -> list[Finding]:
    """What is to be marked in one strip of some trajectories."""
    found = []
    for finding in checked.findings:
        of_actions = finding.kind in ("action_first", "action_missing")
        strips = checked.recording.action_names if of_actions else (finding.channel or TIMES,)
        if finding.rows and finding.trajectory in {"", *trajectories} and strip in strips:
            found.append(finding)
    return found


def _seconds(trajectory: RawTrajectory, recording: RawDataset) -> np.ndarray:
    """(T,) time of each row since the first; rows without a time, or out of order, count on from the row before."""
    if trajectory.times is None:
        return np.arange(len(trajectory)) * (recording.sample_time or 1.0)
    steps = np.diff(trajectory.times)
    return np.r_[0.0, np.cumsum(np.where(steps >= 0, steps, usual_step(trajectory.times)))]


def _values(trajectory: RawTrajectory, recording: RawDataset, strip: str) -> np.ndarray:
    """(T,) what a strip shows, NaN where there is no finite number."""
    if strip == TIMES and trajectory.times is not None:
        return np.r_[np.nan, np.diff(trajectory.times)]
    if strip in recording.obs_names:
        values = trajectory.obs[:, recording.obs_names.index(strip)]
    else:
        values = trajectory.actions[:, recording.action_names.index(strip)]
    return np.where(np.isfinite(values), values, np.nan)


def _strip(axes: Axes, strip: str, values: np.ndarray, time: np.ndarray, found: list[Finding]) -> None:
    """One channel (T,) over `time` (T,), with tinted spans behind it."""
    if strip == TIMES:
        axes.plot(time, values, ".", color=style.INK, markersize=2)
        axes.set_ylabel("s", fontsize=style.SMALL, color=style.INK)
    else:
        _line(axes, values, time)
    step = usual_step(time)
    least = LEAST_MARK * float(np.ptp(time))
    for finding in found:
        for first, end in finding.rows:
            # Of missing rows nothing but the ends is in the file.
            edge = 0.0 if finding.kind == "time_gap" else step / 2
            left, right = time[first] - edge, time[end - 1] + edge
            middle, half = (left + right) / 2, max(right - left, least) / 2
            axes.axvspan(middle - half, middle + half, color=COLOURS[finding.kind], **TINT, zorder=0)
    axes.set_title(strip, loc="left", fontsize=style.SMALL, color=style.INK, pad=2)
    style.clean(axes)
    axes.locator_params(axis="y", nbins=3)
    axes.margins(x=0.01)


def _detail(axes: Axes, strip: str, values: np.ndarray, found: list[Finding]) -> None:
    """The first flaw of a strip from near, over the numbers of its rows, from 1 on."""
    if not found:
        axes.set_axis_off()
        return
    first, end = min(span for finding in found for span in finding.rows)
    low, high = max(0, first - DETAIL), min(end + DETAIL, first + 4 * DETAIL, len(values))
    near = []
    for finding in found:
        rows = [(max(a, low) - low, min(b, high) - low) for a, b in finding.rows if a < high and b > low]
        near.append(replace(finding, rows=tuple(rows)))
    _strip(axes, strip, values[low:high], np.arange(low + 1, high + 1), near)


def _line(axes: Axes, values: np.ndarray, time: np.ndarray) -> None:
    # The line breaks where rows are missing in time.
    jumps = np.flatnonzero(np.diff(time) > GAP_STEPS * usual_step(time)) + 1
    values, time = np.insert(values, jumps, np.nan), np.insert(time, jumps, time[jumps])
    rows, drawn = thin(values)
    style.draw_channel(axes, time[rows], drawn, style.INK, width=0.8, dot=2)
