"""A picture of a data set: a few trajectories, one strip a channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mts3.data import Dataset, Trajectory, describe
from mts3.plot import style
from mts3.plot.frames import as_colours, draw_frames, steps_to_show

SHOWN_TRAJECTORIES = 3
SHOWN_FRAMES = 12
STRIPS_PER_COLUMN = 10
# Beyond this many rows a strip shows the least and the largest value of each bin: spikes stay visible.
BINS = 1500
INK, FAINT, GAP = "#2b2f36", "#d9dce1", "#f2c14e"
OBS_COLOURS = ("#1f5fa8", "#5aa0d8", "#0f2f55")
ACTION_COLOURS = ("#b5502b", "#e39a6f", "#6b2a12")


def show_dataset(dataset: Dataset, path: str | Path) -> Path:
    """Draw a few trajectories, observations in blue and actions in red, one strip a channel.

    Strips share the time axis. Where an observation is missing in a shown trajectory the line breaks, and a yellow
    mark stands under the strip. Images are drawn as frames, with what is missing in yellow.

    Args:
        dataset: What to show; of several trajectories, up to three that lie evenly over the set.
        path: The picture; its ending chooses the format.

    Raises:
        UserError: if the picture cannot be written.
    """
    number = np.unique(np.linspace(0, len(dataset.trajectories) - 1, SHOWN_TRAJECTORIES).astype(int))
    shown = [dataset.trajectories[i] for i in number]
    scale, unit = style.time_unit(max(len(t) for t in shown) * dataset.sample_time)
    if dataset.image_shape is not None:
        return style.save(_images(dataset, shown, dataset.image_shape, scale, unit), path)
    figure, columns = _grid(dataset)
    for strips in columns:
        for axes, (kind, channel) in strips:
            _strip(axes, shown, kind, channel, dataset.sample_time / scale)
            _label(axes, dataset, kind, channel)
        for axes, _ in strips[:-1]:
            axes.tick_params(labelbottom=False)
        strips[-1][0].set_xlabel(f"time ({unit})", fontsize=8, color=INK)
    _title(figure, dataset, shown)
    return style.save(figure, path)


def _grid(dataset: Dataset) -> tuple[Figure, list[list[tuple[Axes, tuple[str, int]]]]]:
    """A figure, and for each of its columns the (axes, channel) of its strips from the top."""
    blocks: list[list[tuple[str, int]]] = []
    for kind, count in (("obs", dataset.obs_dim), ("action", dataset.action_dim)):
        parts = -(-count // STRIPS_PER_COLUMN)
        blocks += [[(kind, int(i)) for i in part] for part in np.array_split(np.arange(count), parts)] if count else []
    rows = max(len(block) for block in blocks)
    figure = style.new_figure(max(7.0, 4.6 * len(blocks)), 1.4 + 0.95 * max(rows, 2), style.SCREEN)
    grid = figure.add_gridspec(1, len(blocks))
    columns = []
    for place, block in enumerate(blocks):
        axes = grid[place].subgridspec(len(block), 1, hspace=0.08).subplots(sharex=True, squeeze=False)
        columns.append(list(zip(axes[:, 0], block, strict=True)))
    return figure, columns


def _images(dataset: Dataset, shown: list[Trajectory], shape: tuple[int, int, int], scale: float, unit: str) -> Figure:
    """A row of frames for each trajectory, and a strip for each of the first action channels."""
    actions = min(dataset.action_dim, STRIPS_PER_COLUMN)
    steps = [step - 1 for step in steps_to_show(min(len(t) for t in shown), SHOWN_FRAMES)]
    frame = 7.0 / len(steps) * shape[1] / shape[2]
    ratios = [frame + 0.3] * len(shown) + [0.95] * actions
    figure = style.new_figure(8.0, 1.0 + sum(ratios), style.SCREEN)
    axes = figure.subplots(len(ratios), 1, height_ratios=ratios, squeeze=False)[:, 0]
    obs = np.stack([t.obs[steps] for t in shown])
    colours = as_colours(obs, shape, float(np.nanmin(obs)), float(np.nanmax(obs)))
    labels = [f"{step * dataset.sample_time / scale:.3g} {unit}" for step in steps]
    for place, trajectory in enumerate(shown):
        draw_frames(axes[place], colours[place : place + 1], [trajectory.name], labels)
    for channel, strip in enumerate(axes[len(shown) :]):
        _strip(strip, shown, "action", channel, dataset.sample_time / scale)
        _label(strip, dataset, "action", channel)
        strip.set_xlabel(f"time ({unit})" if channel == actions - 1 else "", fontsize=8, color=INK)
    _title(figure, dataset, shown)
    return figure


def _strip(axes: Axes, shown: list[Trajectory], kind: str, channel: int, step: float) -> None:
    colours = OBS_COLOURS if kind == "obs" else ACTION_COLOURS
    for trajectory, colour in zip(shown, colours, strict=False):
        # The last action acts on nothing.
        values = trajectory.obs[:, channel] if kind == "obs" else trajectory.actions[:-1, channel]
        rows, drawn = thin(values)
        style.draw_channel(axes, rows * step, drawn, colour, width=0.9, dot=2.5)
        for first, last in _gaps(values):
            axes.axvspan((first - 0.5) * step, (last + 0.5) * step, ymax=0.07, color=GAP, linewidth=0)
    axes.margins(x=0.01, y=0.12)


def _label(axes: Axes, dataset: Dataset, kind: str, channel: int) -> None:
    name, unit = (getattr(dataset, f"{kind}_{what}")[channel] for what in ("names", "units"))
    axes.set_title(f"{name} ({unit})" if unit else name, loc="left", fontsize=8, color=INK, pad=2)
    axes.tick_params(labelsize=7, colors=INK, length=2)
    axes.yaxis.get_offset_text().set_fontsize(7)
    axes.locator_params(axis="y", nbins=3)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def _title(figure: Figure, dataset: Dataset, shown: list[Trajectory]) -> None:
    summary = describe(dataset)
    scale, unit = style.time_unit(3 * summary.sample_time)
    parts = [f"{summary.rows:,} steps of {summary.sample_time / scale:g} {unit}"]
    if summary.trajectories > 1:
        parts.insert(0, f"{len(shown)} of {summary.trajectories:,} trajectories")
    if summary.missing:
        parts.append(f"{100 * summary.missing:.2g} % of the observations missing (yellow)")
    shape = dataset.image_shape
    what = "observations blue" if shape is None else "images of {} x {} x {}".format(*shape)
    colours = f"{what}, {'actions red' if dataset.action_dim else 'no actions'}"
    style.head(figure, f"{dataset.name}: {', '.join(parts)}\n{colours}", style.LARGE, INK)


def thin(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers and values to draw: all of them, or the least and the largest of each bin where there are many."""
    if len(values) <= 2 * BINS:
        return np.arange(len(values)), values
    edges = np.linspace(0, len(values), BINS, endpoint=False).astype(int)
    extremes = np.stack([np.fmin.reduceat(values, edges), np.fmax.reduceat(values, edges)], axis=1)
    return np.repeat(edges, 2), extremes.ravel()


def _gaps(values: np.ndarray) -> list[tuple[int, int]]:
    """First and last row of each run of missing values; neighbours closer than a drawn bin count as one."""
    missing = np.flatnonzero(np.isnan(values))
    if len(missing) == 0:
        return []
    breaks = np.flatnonzero(np.diff(missing) > max(1, len(values) // BINS))
    return list(zip(missing[np.r_[0, breaks + 1]], missing[np.r_[breaks, len(missing) - 1]], strict=True))
