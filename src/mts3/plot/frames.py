"""Images side by side: rows of frames in one axes, with a label for every row and every column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mts3.plot import style

MOST_COLUMNS = 9
# Not observed: yellow, as the gaps of other channels.
GAP = (0.95, 0.76, 0.31)


def steps_to_show(number: int, most: int = MOST_COLUMNS) -> list[int]:
    """Steps 1 to `number`, up to `most` of them, further and further apart: motion first, then how far it gets."""
    steps = [1]
    for left in range(min(number, most) - 1, 0, -1):
        # The ratio that would do from here on: rounding up the first ones is made up for by the rest.
        steps.append(max(steps[-1] + 1, round(steps[-1] * (number / steps[-1]) ** (1 / left))))
    return steps


def as_colours(pixels: np.ndarray, image_shape: Sequence[int], low: float, high: float) -> np.ndarray:
    """(..., C * H * W) pixels as (..., H, W, 3) colours in [0, 1].

    Args:
        pixels: NaN where not observed: yellow.
        image_shape: (C, H, W). Of one channel grey, of three red, green and blue; otherwise the mean over channels.
        low, high: Values that become black and white.
    """
    channels, height, width = (int(size) for size in image_shape)
    images = np.moveaxis(pixels.reshape(*pixels.shape[:-1], channels, height, width), -3, -1)
    if channels != 3:
        images = images.mean(-1, keepdims=True).repeat(3, -1)
    scaled = np.clip((images - low) / max(high - low, 1e-12), 0.0, 1.0)
    return np.where(np.isnan(scaled), GAP, scaled)


def draw_frames(axes: Axes, frames: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Draw (R, K, H, W, 3) colours as R rows of K frames.

    Args:
        axes: Where; its height should be R / K of its width.
        frames: Colours in [0, 1]; white stays empty.
        rows, columns: One label each.
    """
    height, width = frames.shape[2:4]
    gap = max(1, width // 16)
    padded = np.pad(frames, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=1.0)
    mosaic = padded.transpose(0, 2, 1, 3, 4).reshape(len(rows) * (height + gap), len(columns) * (width + gap), 3)
    axes.imshow(mosaic, interpolation="nearest")
    axes.set_xticks((np.arange(len(columns)) + 0.5) * (width + gap) - 0.5 * gap - 0.5, columns)
    axes.set_yticks((np.arange(len(rows)) + 0.5) * (height + gap) - 0.5 * gap - 0.5, rows)
    axes.tick_params(length=0, labelsize=style.SMALL, labelcolor=style.INK)
    axes.spines[:].set_visible(False)
