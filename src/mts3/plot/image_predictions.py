"""What a model predicted, against what happened, where observations are images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb

from mts3.plot import style
from mts3.plot.frames import as_colours, draw_frames, steps_to_show

MOST_SEQUENCES = 3


def plot_image_predictions(arrays: dict[str, np.ndarray], model: str, path: str | Path) -> Path:
    """A block a test sequence: the truth, the predicted mean and the predicted standard deviation, as frames.

    The first column is the last image of the context, the others lie further and further after it; they stay empty
    after the end of a trajectory.

    Args:
        arrays: Of predictions.npz, with `image_shape`.
        model: Its name.
        path: The image file; its ending chooses the format.
    Raises:
        UserError: if the file cannot be written.
    """
    context, shape = int(arrays["context_len"]), arrays["image_shape"].tolist()
    shown = min(len(arrays["obs"]), MOST_SEQUENCES)
    obs = arrays["obs"][:shown]
    low, high = float(np.nanmin(obs)), float(np.nanmax(obs))
    ahead = steps_to_show(arrays["mean"].shape[1] - (context - 1))
    columns = ["observed", *_times(ahead, float(arrays["sample_time"]))]
    truth = as_colours(obs[:, [context - 1, *(context - 1 + step for step in ahead)]], shape, low, high)
    entries = [context - 2 + step for step in ahead]  # entry t is about obs[t+1]
    over = np.isnan(arrays["mean"][:shown, entries]).all(-1)  # the trajectory has no such row
    mean = as_colours(arrays["mean"][:shown, entries], shape, low, high)
    # Half the range is the standard deviation of a pixel that may as well be black as white.
    std = as_colours(np.sqrt(arrays["var"][:shown, entries]), shape, 0.0, 0.5 * (high - low))
    std = 1.0 - std * (1.0 - np.array(to_rgb(style.MODEL)))
    for frames in (truth[:, 1:], mean, std):
        frames[over] = 1.0
    cell = 0.66
    figure = style.new_figure(0.9 + cell * len(columns), 0.3 + shown * (0.4 + 3 * cell * shape[1] / shape[2]))
    for sequence, axes in enumerate(figure.subplots(shown, 1, squeeze=False)[:, 0]):
        empty = np.ones_like(mean[sequence, :1])  # nothing is predicted of the context
        rows = [truth[sequence], *(np.concatenate((empty, part[sequence])) for part in (mean, std))]
        draw_frames(axes, np.stack(rows), ["truth", model, "± std"], columns)
        style.label(axes, note=origin(arrays, sequence))
    return style.save(figure, path)


def origin(arrays: dict[str, np.ndarray], sequence: int) -> str:
    """Where a sequence comes from."""
    return f"{arrays['trajectory'][sequence]}, from row {arrays['first_row'][sequence]}"


def _times(steps: list[int], sample_time: float) -> list[str]:
    """Labels: how long after the last image of the context."""
    scale, unit = style.time_unit(steps[-1] * sample_time)
    return [f"+{step * sample_time / scale:.3g} {unit}" for step in steps]
