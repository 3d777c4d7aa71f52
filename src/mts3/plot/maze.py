"""A maze from above, and the ways through it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Circle, Rectangle

from mts3.errors import UserError
from mts3.plot import style

PANELS_IN_A_ROW = 3
WALL = "#d3d7dd"
EARLY_TO_LATE = LinearSegmentedColormap.from_list("early to late", ("#f0b429", "#d55e00", "#7a1f5c", "#14213d"))


def plot_maze(
    walls: np.ndarray, trajectories: Sequence[np.ndarray], path: str | Path, sample_time: float, ball_radius: float
) -> Path:
    """Draw one maze a trajectory, up to three beside each other, from the start (ring) to the end (disc).

    Args:
        walls: (R, C) bool, True where a square of side 1 is wall. The first row is the top; the middle of the maze is
            the origin, x points to the right and y up.
        trajectories: One or more, each (T, 2) positions x, y; NaN leaves a gap.
        path: The picture; its ending chooses the format.
        sample_time: Seconds from row to row.
        ball_radius: Of what moves, in sides of a square: the size of ring and disc.

    Raises:
        UserError: for no trajectory, shapes that do not fit, or a picture that cannot be written.
    """
    paths = [np.asarray(trajectory, np.float64) for trajectory in trajectories]
    shapes = [positions.shape for positions in paths]
    if walls.ndim != 2 or not paths or any(len(shape) != 2 or shape[0] < 2 or shape[1] != 2 for shape in shapes):
        raise UserError(
            f"walls are {walls.shape} and trajectories {shapes}; expected (rows, columns) and one or more of (T, 2), "
            "x and y of at least two steps"
        )
    columns = min(len(paths), PANELS_IN_A_ROW)
    rows = -(-len(paths) // columns)
    figure = style.new_figure(3.1 * columns, 3.1 * rows * walls.shape[0] / walls.shape[1] + 0.6)
    panels = figure.subplots(rows, columns, squeeze=False)
    seconds = sample_time * (max(map(len, paths)) - 1)
    scale, unit = style.time_unit(seconds)
    lines = []
    for axes, positions in zip(panels.flat, paths, strict=False):
        _draw_walls(axes, walls)
        lines.append(_draw_way(axes, positions, sample_time / scale, seconds / scale, ball_radius))
    for axes in panels.flat[len(paths) :]:
        axes.set_visible(False)
    bar = figure.colorbar(lines[0], ax=panels, location="bottom", aspect=40, shrink=0.5, pad=0.02)
    bar.set_label(f"time ({unit})", fontsize=style.SMALL, color=style.INK)
    bar.ax.tick_params(width=0.6, length=2.5, color=style.MUTED, labelsize=style.SMALL, labelcolor=style.INK)
    bar.outline.set_visible(False)
    return style.save(figure, path)


def _draw_walls(axes: Axes, walls: np.ndarray) -> None:
    """Fill the frame with walls and axes without ticks; edges of squares do not show."""
    height, width = walls.shape
    for row, column in np.argwhere(walls):
        corner = (column - width / 2, height / 2 - row - 1)
        axes.add_patch(Rectangle(corner, 1.0, 1.0, facecolor=WALL, edgecolor=WALL, linewidth=0.5))
    axes.set_xlim(-width / 2, width / 2)
    axes.set_ylim(-height / 2, height / 2)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _draw_way(axes: Axes, positions: np.ndarray, step: float, end: float, ball_radius: float) -> LineCollection:
    """A line whose colour is the time, from 0 to `end` for all panels alike."""
    segments = np.stack([positions[:-1], positions[1:]], 1)
    times = step * np.arange(len(segments))
    lines = LineCollection(list(segments), cmap=EARLY_TO_LATE, linewidths=1.3, capstyle="round")
    lines.set_array(times)
    lines.set_clim(0.0, end)
    axes.add_collection(lines)
    first, last = positions[np.isfinite(positions).all(1)][[0, -1]]
    early, late = EARLY_TO_LATE(0.0), lines.to_rgba(times[-1:])[0]
    for centre, face, edge in ((first, "white", early), (last, late, late)):
        axes.add_patch(
            Circle((centre[0], centre[1]), ball_radius, facecolor=face, edgecolor=edge, linewidth=1.3, zorder=3)
        )
    return lines
