"""Error and coverage, further and further ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mts3.plot import style
from mts3.plot.read import METHODS, read_horizon, read_metrics


def plot_horizon(run_dir: str | Path, path: str | Path) -> Path:
    """NRMSE of the model and the baselines, and coverage of the model's intervals, over time after the context.

    Thick: over the last `metric_window` steps; faint: each step alone. Both end with the last step that was scored.

    Args:
        run_dir: A folder with metrics.json and horizon.csv.
        path: The picture; its ending chooses the format.
    Raises:
        UserError: if a file is missing or unreadable, or the picture cannot be written.
    """
    table, metrics = read_horizon(run_dir), read_metrics(run_dir)
    scale, unit = style.time_unit(float(table["seconds"][-1]))
    time = table["seconds"] / scale
    figure = style.new_figure(7.2, 2.7)
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1.0))
    for axes in (left, right):
        style.clean(axes)
        axes.set_xlim(0.0, time[-1])
    marker = "o" if len(time) == 1 else None  # a single point is no line
    look: dict[str, Any] = {"marker": marker, "markersize": 3}
    _errors(left, table, time, metrics, look)
    _coverage(right, table, time, look)
    ahead = f"time after the context ({unit})"
    window = min(metrics["metric_window"], len(time))
    note = f"error at each step (faint) and over the last {window} steps (thick)"
    ends, sequences = metrics.get("sequences_at_end"), metrics.get("sequences")  # not written by earlier versions
    if ends not in (None, sequences):
        note += f"\nthe last step was observed in {ends} of {sequences} sequences"
    style.label(left, ahead, "NRMSE", note)
    style.label(right, ahead, "observed inside", "coverage of the 50 % and 90 % intervals")
    return style.save(figure, path)


def _errors(
    axes: Axes, table: dict[str, np.ndarray], time: np.ndarray, metrics: dict[str, Any], look: dict[str, Any]
) -> None:
    ends = []
    for name, colour in (style.BASELINES | {"model": style.MODEL}).items():
        curve, width = table[f"{name}_nrmse_sliding"], 1.8 if name == "model" else 1.2
        axes.plot(time, table[f"{name}_nrmse"], color=colour, linewidth=0.6, alpha=0.35)
        axes.plot(time, curve, color=colour, linewidth=width, **look)
        known = curve[~np.isnan(curve)]
        label, overall = (metrics["model"], "nrmse") if name == "model" else (name, f"{name}_nrmse")
        ends.append((known[-1] if len(known) else 0.0, f"{label}  {metrics[overall]:.3f}", colour))
    # A baseline that diverges leaves the picture rather than flattening the rest.
    model, persistence, linear = (float(np.nanmax(table[f"{name}_nrmse"])) for name in METHODS)
    top = min(1.35 * max(model, persistence, 1e-12), 1.08 * max(model, persistence, linear))
    axes.set_ylim(0.0, top)
    _label_ends(axes, ends, top)


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]], top: float) -> None:
    """Names and overall scores beside the ends of the curves, moved apart where they would overlap."""
    heights: list[float] = []
    for value, _, _ in sorted(ends):
        height = min(value, top)
        heights.append(max(height, heights[-1] + 0.075 * top) if heights else height)
    shift = max(0.0, heights[-1] - top)
    for (_, text, colour), height in zip(sorted(ends), heights, strict=True):
        style.label_right(axes, text, (height - shift) / top, colour)


def _coverage(axes: Axes, table: dict[str, np.ndarray], time: np.ndarray, look: dict[str, Any]) -> None:
    for level, width in ((50, 1.2), (90, 1.8)):
        axes.axhline(level / 100, color=style.RULE, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
        axes.plot(time, table[f"coverage_{level}"], color=style.MODEL, linewidth=width, zorder=2, **look)
        style.label_right(axes, f"{level} %", level / 100, style.MUTED)
    axes.set_ylim(0.0, 1.0)
