"""What the pictures of data sets are made of: lines over time, ways over ground, mazes, machines from the side.

Each function draws into axes at hand; what is drawn, and what it shows, whoever calls decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Circle, Rectangle

from mts3.errors import UserError
from mts3.plot import style

PANELS_IN_A_ROW = 3
WALL = "#d3d7dd"
EARLY_TO_LATE = LinearSegmentedColormap.from_list("early to late", ("#f0b429", "#d55e00", "#7a1f5c", "#14213d"))
LEVELS = 14  # of heights, as shades
LOW_TO_HIGH = np.array([[178, 190, 181], [250, 247, 239]]) / 255  # of the ground: pale, so that ways stand out
ROUND = np.linspace(-np.pi / 2, np.pi / 2, 9)  # points of half a circle


def draw_lines(
    axes: Axes,
    times: np.ndarray,
    values: np.ndarray,
    labels: Sequence[str] = (),
    colours: Sequence[str] = style.COLOURS,
    width: float = 1.2,
) -> None:
    """A line for each column of `values` (T, K) over `times` (T,), NaN a gap, in the order of the colours.

    Labels, one a column, stand in a row above the upper right corner.
    """
    style.clean(axes)
    for place, column in enumerate(values.T):
        label = labels[place] if labels else None
        axes.plot(times, column, color=colours[place % len(colours)], linewidth=width, label=label)
    axes.set_xlim(times[0], times[-1])
    if labels:
        add_legend(axes)


def add_legend(axes: Axes) -> None:
    """All that has a label, side by side above the upper right corner."""
    spaces = {"handlelength": 1.2, "handletextpad": 0.5, "columnspacing": 1.2, "borderaxespad": 0.2, "borderpad": 0.1}
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=8, **spaces, **style.LEGEND)


def add_labels(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """A title at the left and names of both axes, in the figures' sizes."""
    axes.set_title(title, loc="left", fontsize=style.NORMAL, color=style.INK, pad=5)
    axes.set_xlabel(x, fontsize=style.SMALL, color=style.INK)
    axes.set_ylabel(y, fontsize=style.SMALL, color=style.INK)


def draw_way(axes: Axes, positions: np.ndarray, half_side: float) -> LineCollection:
    """Positions (T, 2) seen from above, coloured from early to late, from the start (ring) to the end (disc).

    The axes become a square without ticks around the middle of the way, `half_side` to each side of it.

    Returns: The line; its colours run from 0 at the start to 1 at the end.
    """
    lines = LineCollection(
        list(np.stack([positions[:-1], positions[1:]], 1)), cmap=EARLY_TO_LATE, linewidths=1.7, capstyle="round"
    )
    lines.set_array(np.linspace(0.0, 1.0, len(positions) - 1))
    axes.add_collection(lines)
    early, late = EARLY_TO_LATE(0.0), EARLY_TO_LATE(1.0)
    (x, y), (end_x, end_y) = positions[0], positions[-1]
    axes.plot(x, y, "o", markersize=6, markerfacecolor="white", markeredgecolor=early, markeredgewidth=1.5)
    axes.plot(end_x, end_y, "o", markersize=6, color=late)
    middle = (positions.min(0) + positions.max(0)) / 2
    axes.set_xlim(middle[0] - half_side, middle[0] + half_side)
    axes.set_ylim(middle[1] - half_side, middle[1] + half_side)
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(style.RULE)
    return lines


def draw_ground(axes: Axes, heights: np.ndarray, half_side: float) -> None:
    """Heights (R, C) of a square ground around the origin, rows along y, as shades: the higher the lighter.

    The part within the limits of the axes decides which shade is how high; they stay as they are.
    """
    x, y = (np.linspace(-half_side, half_side, count) for count in heights.shape[::-1])
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    within = heights[np.ix_((y >= low) & (y <= high), (x >= left) & (x <= right))]
    share = np.linspace(0.0, 1.0, LEVELS + 2)[:, None]
    shades = (1.0 - share) * LOW_TO_HIGH[0] + share * LOW_TO_HIGH[1]
    levels = np.linspace(within.min(), within.max(), LEVELS + 1)
    axes.contourf(x, y, heights, levels, colors=[tuple(shade) for shade in shades], extend="both", zorder=0)
    axes.set(xlim=(left, right), ylim=(low, high))


def add_scale(axes: Axes, length: float, label: str) -> None:
    """A bar of `length` in the axes' own units in the lower left corner, with its label."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    x, y = left + 0.05 * (right - left), low + 0.05 * (high - low)
    axes.plot([x, x + length], [y, y], color=style.INK, linewidth=1.5, solid_capstyle="butt")
    axes.annotate(label, (x + length / 2, y), (0, 3), textcoords="offset points", ha="center", fontsize=style.SMALL)


def draw_bodies(axes: Axes, ends: np.ndarray, radius: float, colour: object) -> PolyCollection:
    """Rods with round ends, one for each pair of points of `ends` (B, 2, 2), `radius` thick in the axes' own units."""
    bodies = PolyCollection([_outline(start, end, radius) for start, end in ends], facecolor=colour, edgecolor="none")
    axes.add_collection(bodies)
    axes.set_aspect("equal")
    return bodies


def _outline(start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """(N, 2) around a rod: half a circle about its end, and half of one about its start."""
    direction = np.arctan2(end[1] - start[1], end[0] - start[0])
    halves = [(end, direction + ROUND), (start, direction + np.pi + ROUND)]
    return np.concatenate([centre + radius * np.stack([np.cos(a), np.sin(a)], 1) for centre, a in halves])


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
        lines.append(_draw_path(axes, positions, sample_time / scale, seconds / scale, ball_radius))
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


def _draw_path(axes: Axes, positions: np.ndarray, step: float, end: float, ball_radius: float) -> LineCollection:
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
