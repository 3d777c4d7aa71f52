"""Error over the horizon: every method, a panel a data set."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mts3.errors import UserError
from mts3.plot import style
from mts3.run_layout import HORIZON

# A curve that rises beyond so many times the median one leaves the panel: it must not flatten the rest.
DIVERGED = 2.0
LABEL = 0.054  # height of a label in panels


@dataclass(frozen=True)
class Curve:
    """One method on one data set, over the hidden steps.

    Attributes:
        seconds: Since the last observation of the context. (horizon,)
        mean: NRMSE, mean over seeds; NaN where nothing was observed. (horizon,)
        std: Over seeds; NaN for a single one. (horizon,)
    """

    seconds: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @property
    def end(self) -> float:
        """The last error there is."""
        return float(self.mean[~np.isnan(self.mean)][-1])


def plot_benchmark(folder: str | Path, path: str | Path) -> Path:
    """Draw the mean error of every method over the horizon, in a band of ± one standard deviation over seeds.

    Names stand beside the ends of the curves, in their order.

    Args:
        folder: Of a benchmark, with its horizon.csv.
        path: The picture; its ending chooses the format.
    Raises:
        UserError: if the file is missing, unreadable or has no curve, or the picture cannot be written.
    """
    panels = read_curves(Path(folder) / HORIZON)
    looks = style.method_styles(name for curves in panels.values() for name in curves)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = style.new_figure(4.2 * columns + 0.2, 2.7 * rows)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (data, curves) in zip(grid, panels.items(), strict=False):
        _panel(axes, data, curves, looks)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    style.head(figure, "sliding-window error, mean over seeds ± standard deviation", style.SMALL, style.MUTED)
    return style.save(figure, path)


def read_curves(path: Path) -> dict[str, dict[str, Curve]]:
    """The curves of each data set by method, without those that have no value at all.

    Raises:
        UserError: if the file is missing, unreadable or has no curve.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist: run mts3 benchmark output={path.parent} first")
    found: dict[tuple[str, str], list[list[float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                cells = [float(row[key] or "nan") for key in ("seconds", "nrmse", "nrmse_std")]
                found.setdefault((row["data"], row["model"]), []).append(cells)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {path}: it is not what mts3 benchmark writes") from error
    curves: dict[str, dict[str, Curve]] = {}
    for (data, name), rows in found.items():
        curve = Curve(*np.array(rows).T)
        if not np.isnan(curve.mean).all():
            curves.setdefault(data, {})[name] = curve
    if not curves:
        raise UserError(f"{path} holds no curve: no run of the benchmark has finished")
    return curves


def _panel(axes: Axes, data: str, curves: dict[str, Curve], looks: dict[str, dict[str, Any]]) -> None:
    style.clean(axes)
    last = max(float(curve.seconds[-1]) for curve in curves.values())
    scale, unit = style.time_unit(last)
    top = _top([float(np.nanmax(curve.mean)) for curve in curves.values()])
    # The first method lies on top of the others.
    for order, (name, curve) in enumerate(curves.items()):
        time, look = curve.seconds / scale, looks[name]
        low, high = curve.mean - curve.std, curve.mean + curve.std
        axes.fill_between(time, low, high, color=look["color"], alpha=0.13, linewidth=0, zorder=2 - order / 100)
        marker = "o" if np.count_nonzero(~np.isnan(curve.mean)) == 1 else None  # a single point is no line
        axes.plot(time, curve.mean, **look, marker=marker, markersize=3, zorder=3 - order / 100)
    axes.set_xlim(0.0, last / scale)
    axes.set_ylim(0.0, top)
    _label_ends(axes, curves, looks, top)
    style.label(axes, f"time after the context ({unit})", "NRMSE")
    axes.set_title(data, fontsize=style.LARGE, color=style.INK, loc="left")


def _top(highest: list[float]) -> float:
    """The upper end of the axis, from the highest point of each curve."""
    return 1.05 * max([value for value in highest if value <= DIVERGED * float(np.median(highest))] + [1e-12])


def _label_ends(axes: Axes, curves: dict[str, Curve], looks: dict[str, dict[str, Any]], top: float) -> None:
    """Names in the order of the ends of the curves, moved apart, each with a piece of its line that leads there."""
    ends = sorted(((curve.end, name) for name, curve in curves.items()))
    heights = _apart([min(end / top, 1.0) for end, _ in ends])
    for (end, name), height in zip(ends, heights, strict=True):
        look: dict[str, Any] = looks[name] | {"linewidth": 1.2}
        above = end > top
        start = 1.0 if above else end / top
        line: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False, "solid_capstyle": "butt"}
        axes.plot([1.005, 1.04, 1.15], [start, height, height], **look, **line)
        text = f"{name}, up to {end:.3g}" if above else name
        look: dict[str, Any] = {"color": style.INK, "fontsize": style.SMALL, "va": "center", "annotation_clip": False}
        axes.annotate(text, (1.165, height), xycoords="axes fraction", **look)


def _apart(heights: list[float]) -> list[float]:
    """Heights in ascending order, moved as little as keeps neighbours `LABEL` apart: groups that touch are centred."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _lowest(groups[-1]) < _lowest(groups[-2]) + LABEL * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_lowest(group) + LABEL * place for group in groups for place in range(len(group))]


def _lowest(group: list[float]) -> float:
    """Where a group begins: centred on its heights, within the panel if it fits."""
    length = LABEL * (len(group) - 1)
    return max(min(float(np.mean(group)) - length / 2, 1.0 - length), 0.0)
