"""What a model predicted, against what happened."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mts3.plot import style
from mts3.plot.image_predictions import origin, plot_image_predictions
from mts3.plot.read import read_metrics, read_predictions

MOST_CHANNELS, MOST_SEQUENCES = 4, 3


def plot_predictions(run_dir: str | Path, path: str | Path) -> Path:
    """Truth, mean, 50 % and 90 % bands and the two baselines: a column a test sequence, a row a channel.

    Of more than four channels the ones that move most after the context are shown: there persistence is no answer.
    Images are drawn as images.

    Args:
        run_dir: A folder with metrics.json and predictions.npz.
        path: The picture; its ending chooses the format.
    Raises:
        UserError: if a file is missing or unreadable, or the picture cannot be written.
    """
    arrays, metrics = read_predictions(run_dir), read_metrics(run_dir)
    if "image_shape" in arrays:
        return plot_image_predictions(arrays, str(metrics["model"]), path)
    channels = _most_telling(arrays)
    shown = min(len(arrays["obs"]), MOST_SEQUENCES)
    figure = style.new_figure(2.9 * shown + 0.7, 1.35 * len(channels) + 0.85)
    grid = figure.subplots(len(channels), shown, sharex=True, sharey="row", squeeze=False)
    seconds, unit = style.time_unit(float(arrays["sample_time"]) * arrays["mean"].shape[1])
    for row, channel in enumerate(channels):
        grid[row, 0].set_ylim(*_limits(arrays, shown, channel))
    time = f"time after the context ({unit})"
    for (row, column), axes in np.ndenumerate(grid):
        _panel(axes, arrays, column, channels[row], float(arrays["sample_time"]) / seconds)
        name = _channel_label(arrays, channels[row]) if column == 0 else ""
        last = row == len(channels) - 1
        style.label(axes, time if last else "", name, "" if row else origin(arrays, column))
    figure.align_ylabels(grid[:, 0])
    _legend(figure, metrics)
    return style.save(figure, path)


def _panel(axes: Axes, arrays: dict[str, np.ndarray], sequence: int, channel: int, step: float) -> None:
    """One channel of one sequence; `step` is the sampling time in the unit of the axis."""
    context = int(arrays["context_len"])
    truth = arrays["obs"][sequence, :, channel]
    time = (np.arange(len(truth)) - (context - 1)) * step  # 0 is the last row of the context
    ahead = slice(context - 1, None)  # entry t is about obs[t+1]
    future = time[context:]
    style.clean(axes)
    axes.axvspan(time[0], 0.0, color=style.SHADE, linewidth=0, zorder=0)
    for band, colour, level in ((90, style.BAND_90, 1.0), (50, style.BAND_50, 1.1)):
        lower, upper = (arrays[f"{side}_{band}"][sequence, ahead, channel] for side in ("lower", "upper"))
        axes.fill_between(future, lower, upper, color=colour, linewidth=0, zorder=level)
    for name, colour in style.BASELINES.items():
        line = arrays[name][sequence, ahead, channel]
        axes.plot(future, line, color=colour, linewidth=0.9, zorder=2, **style.DASHED)
    axes.plot(future, arrays["mean"][sequence, ahead, channel], color=style.MODEL, linewidth=1.3, zorder=3)
    axes.plot(time, truth, color=style.INK, linewidth=0.9, zorder=4)
    # A dot on the last value that the model was given: what comes after was hidden.
    observed = np.flatnonzero(arrays["obs_mask"][sequence, :, channel])[-1:]
    axes.plot(time[observed], truth[observed], "o", markersize=2.8, color=style.INK, zorder=5)
    axes.set_xlim(time[0], time[-1])


def _limits(arrays: dict[str, np.ndarray], sequences: int, channel: int) -> tuple[float, float]:
    """One range for a row: the truth, and as much of the bands as leaves the truth at least half of the height.

    A band or a baseline that runs away leaves the panel; it must not flatten the truth.
    """
    ahead = slice(int(arrays["context_len"]) - 1, None)
    truth = arrays["obs"][:sequences, :, channel]
    lower, upper = (arrays[name][:sequences, ahead, channel] for name in ("lower_90", "upper_90"))
    # Fmin and fmax pass over NaN: not observed, or after the end of a trajectory.
    lower, low = (float(np.fmin.reduce(values, None, initial=np.inf)) for values in (lower, truth))
    upper, high = (float(np.fmax.reduce(values, None, initial=-np.inf)) for values in (upper, truth))
    if low > high:
        return (lower, upper) if lower <= upper else (0.0, 1.0)
    room = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-12)
    low, high = max(min(low, lower), low - 0.5 * room), min(max(high, upper), high + 0.5 * room)
    return low - 0.05 * room, high + 0.05 * room


def _most_telling(arrays: dict[str, np.ndarray]) -> list[int]:
    """Up to `MOST_CHANNELS` channels, in their own order: those whose values move most from the last one observed.

    Measured in the standard deviation of the channel in these sequences, so that units do not matter.
    """
    obs, context = arrays["obs"], int(arrays["context_len"])
    channels = obs.shape[-1]
    if channels <= MOST_CHANNELS:
        return list(range(channels))
    movement = np.zeros(channels)
    for channel in range(channels):
        values = obs[..., channel]
        error = values[:, context:] - arrays["persistence"][:, context - 1 :, channel]
        observed, moved = values[~np.isnan(values)], error[~np.isnan(error)]
        if len(moved) and observed.std() > 0:
            movement[channel] = np.sqrt(np.mean(moved**2)) / observed.std()
    return sorted(np.argsort(-movement, kind="stable")[:MOST_CHANNELS].tolist())


def _channel_label(arrays: dict[str, np.ndarray], channel: int) -> str:
    name, unit = str(arrays["obs_names"][channel]).replace("_", " "), str(arrays["obs_units"][channel])
    # A panel is as high as about 16 characters are wide.
    return "\n".join([*textwrap.wrap(name, 16), *([f"({unit})"] if unit else [])])


def _legend(figure: Figure, metrics: dict[str, Any]) -> None:
    """One line above the panels."""
    handles = [
        Line2D([], [], color=style.INK, linewidth=0.9, label="truth"),
        Line2D([], [], color=style.MODEL, linewidth=1.3, label=str(metrics["model"])),
        Patch(color=style.BAND_50, linewidth=0, label="50 %"),
        Patch(color=style.BAND_90, linewidth=0, label="90 %"),
        Line2D([], [], color=style.LINEAR, label="linear", linewidth=0.9, **style.DASHED),
        Line2D([], [], color=style.PERSISTENCE, label="persistence", linewidth=0.9, **style.DASHED),
        Patch(color=style.SHADE, linewidth=0, label="context"),
    ]
    columns = 4 if figure.get_figwidth() < 5 else len(handles)
    spaces = {"handlelength": 1.6, "columnspacing": 1.3}
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, **spaces, **style.LEGEND)
