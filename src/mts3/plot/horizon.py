"""Error and coverage, further and further ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mts3.plot import style
from mts3.plot.read import read_horizon, read_metrics


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
    _errors(left, table, time, metrics)
    _coverage(right, table, time)
    for axes in (left, right):
        axes.set_xlim(0.0, time[-1])
        axes.set_xlabel(f"time after the context ({unit})", fontsize=style.NORMAL, color=style.INK)
    return style.save(figure, path)


def _errors(axes: Axes, table: dict[str, np.ndarray], time: np.ndarray, metrics: dict[str, Any]) -> None:
    style.clean(axes)
    methods = (
        ("persistence", style.PERSISTENCE, "persistence", metrics["persistence_nrmse"]),
        ("linear", style.LINEAR, "linear", metrics["linear_nrmse"]),
        ("model", style.MODEL, str(metrics["model"]), metrics["nrmse"]),
    )
    ends = []
    marker = "o" if len(time) == 1 else None  # a single point is no line
    for name, colour, label, overall in methods:
        axes.plot(time, table[f"{name}_nrmse"], color=colour, linewidth=0.6, alpha=0.35)
        curve = table[f"{name}_nrmse_sliding"]
        width = 1.8 if name == "model" else 1.2
        axes.plot(time, curve, color=colour, linewidth=width, marker=marker, markersize=3)
        known = curve[~np.isnan(curve)]
        ends.append((known[-1] if len(known) else 0.0, f"{label}  {overall:.3f}", colour))
    # A baseline that diverges leaves the picture rather than flattening the rest.
    curves = np.stack([table[f"{name}_nrmse"] for name in ("model", "persistence")])
    top = 1.35 * max(float(np.nanmax(curves)), 1e-12)
    highest = float(np.nanmax([np.nanmax(curves), np.nanmax(table["linear_nrmse"])]))
    top = min(top, 1.08 * highest)
    axes.set_ylim(0.0, top)
    _label_ends(axes, ends, top)
    axes.set_ylabel("NRMSE", fontsize=style.NORMAL, color=style.INK)
    window = min(metrics["metric_window"], len(time))
    axes.set_title(
        f"error at each step (faint) and over the last {window} steps (thick){_fewer(metrics)}",
        fontsize=style.SMALL,
        color=style.MUTED,
        loc="left",
    )


def _fewer(metrics: dict[str, Any]) -> str:
    """A line that says in how many sequences the end was observed, where that is not all of them."""
    ends, sequences = metrics.get("sequences_at_end"), metrics.get("sequences")  # not told by earlier versions
    return (
        "" if ends is None or ends == sequences else f"\nthe last step was observed in {ends} of {sequences} sequences"
    )


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]], top: float) -> None:
    """Names and overall scores beside the ends of the curves, moved apart where they would overlap."""
    gap = 0.075 * top
    placed: list[float] = []
    for value, _, _ in sorted(ends):
        height = min(value, top)
        if placed:
            height = max(height, placed[-1] + gap)
        placed.append(height)
    shift = max(0.0, placed[-1] - top)
    for (_, text, colour), height in zip(sorted(ends), placed, strict=True):
        axes.annotate(
            text,
            xy=(1.0, (height - shift) / top),
            xycoords="axes fraction",
            xytext=(4, 0),
            textcoords="offset points",
            color=colour,
            fontsize=style.SMALL,
            va="center",
            annotation_clip=False,
        )


def _coverage(axes: Axes, table: dict[str, np.ndarray], time: np.ndarray) -> None:
    style.clean(axes)
    for level, width in ((50, 1.2), (90, 1.8)):
        axes.axhline(level / 100, color=style.RULE, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
        curve, marker = table[f"coverage_{level}"], "o" if len(time) == 1 else None
        axes.plot(time, curve, color=style.MODEL, linewidth=width, marker=marker, markersize=3, zorder=2)
        axes.annotate(
            f"{level} %",
            xy=(1.0, level / 100),
            xycoords="axes fraction",
            xytext=(4, 0),
            textcoords="offset points",
            color=style.MUTED,
            fontsize=style.SMALL,
            va="center",
            annotation_clip=False,
        )
    axes.set_ylim(0.0, 1.0)
    axes.set_ylabel("observed inside", fontsize=style.NORMAL, color=style.INK)
    axes.set_title("coverage of the 50 % and 90 % intervals", fontsize=style.SMALL, color=style.MUTED, loc="left")
