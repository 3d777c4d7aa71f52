"""One look for every figure of results: opaque white, thin axes, a palette that colour-blind readers can tell apart.

Everything is set on the figure at hand; matplotlib's global state is neither read for style nor written.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from mts3.errors import UserError
from mts3.files import write_aside

INK, MUTED, RULE, SHADE = "#1f2328", "#6b7280", "#c9cdd3", "#f1f2f4"
MODEL, LINEAR, PERSISTENCE = "#0072b2", "#d55e00", "#8a8f98"  # blue, vermilion (Okabe and Ito) and grey
BAND_50, BAND_90 = "#8cc1e3", "#cfe5f4"  # opaque tints of MODEL: the same on every page
SMALL, NORMAL, LARGE = 7.5, 8.5, 10.0
# Lines of many methods: six colours of Okabe and Ito, then the same ones dashed. Yellow is left out: white
# swallows it.
COLOURS = (MODEL, "#e69f00", "#009e73", "#cc79a7", "#1f2328", "#56b4e9")
_DASHES = ((0.0, ()), (0.0, (5.0, 1.6)), (0.0, (1.4, 1.2)), (0.0, (6.0, 1.4, 1.4, 1.4)))
BASELINES = {"persistence": PERSISTENCE, "linear": LINEAR}
DASHED: dict[str, Any] = {"linestyle": (0, (4, 2))}  # how the baselines are drawn
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "labelcolor": INK}
PRINT, SCREEN = 200, 130  # pixels an inch; on a screen 7.5 inches fill a page, and small print is 13 pixels high
_TIME_UNITS = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days"))


def new_figure(width: float, height: float, dpi: int = PRINT) -> Figure:
    """An empty white figure, sizes in inches. The layout leaves a margin: on a dark page white ends at the edge."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    return Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout=layout)


def clean(axes: Axes) -> None:
    """Two thin axes lines, small ticks, no box."""
    axes.set_facecolor("white")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.6)
        axes.spines[side].set_color(MUTED)
    axes.tick_params(width=0.6, length=2.5, color=MUTED, labelsize=SMALL, labelcolor=INK)
    axes.locator_params(axis="y", nbins=5)
    axes.locator_params(axis="x", nbins=6)


def label(axes: Axes, x: str = "", y: str = "", note: str = "", colour: str = MUTED) -> None:
    """Names of both axes, and a note above the panel."""
    axes.set_xlabel(x, fontsize=NORMAL, color=INK)
    axes.set_ylabel(y, fontsize=NORMAL, color=INK)
    axes.set_title(note, fontsize=SMALL, color=colour, loc="left")


def label_right(axes: Axes, text: str, height: float, colour: str) -> None:
    """Text beside the panel, at a height in panels."""
    beside: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (4, 0), "textcoords": "offset points"}
    axes.annotate(text, (1.0, height), **beside, color=colour, fontsize=SMALL, va="center", annotation_clip=False)


def head(figure: Figure, text: str, size: float = NORMAL, colour: str = INK) -> None:
    """A line or two over the whole figure, from its left edge."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=size, color=colour)


def draw_channel(axes: Axes, time: np.ndarray, values: np.ndarray, colour: str, width: float, dot: float) -> None:
    """Values (T,) over time (T,) as a line that NaN breaks; one alone between two gaps is no line: a dot shows it."""
    axes.plot(time, values, color=colour, linewidth=width)
    alone = ~np.isnan(values) & np.isnan(np.r_[np.nan, values[:-1]]) & np.isnan(np.r_[values[1:], np.nan])
    axes.plot(time[alone], values[alone], ".", color=colour, markersize=dot)


def method_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A look for each of up to 24 methods, as arguments of `Axes.plot`, that no other has: colour and dashes.

    The first has the model's colour; linear and persistence have theirs, dashed, wherever they stand.
    """
    looks: dict[str, dict[str, Any]] = {}
    count = 0
    for name in names:
        if name in BASELINES:
            looks[name] = DASHED | {"color": BASELINES[name], "linewidth": 1.0}
        elif name not in looks:
            dashes = _DASHES[count // len(COLOURS) % len(_DASHES)]
            looks[name] = {"color": COLOURS[count % len(COLOURS)], "linestyle": dashes, "linewidth": 1.4}
            count += 1
    return looks


def time_unit(seconds: float) -> tuple[float, str]:
    """The largest unit of which `seconds` holds at least three: (seconds per unit, its name)."""
    return next((scale, name) for scale, name in reversed(_TIME_UNITS) if seconds >= 3 * scale or scale == 1.0)


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure; its ending chooses the format.

    A PNG gets a palette: a third of the bytes, and no eye sees the difference. The same figure gives the same bytes.

    Raises:
        UserError: if its name ends in no format of pictures, or it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower().removeprefix(".") not in figure.canvas.get_supported_filetypes():
        raise UserError(f"{path} ends in no format of pictures; call it {path.stem or 'picture'}.png, .svg or .pdf")
    with write_aside(path) as aside:
        figure.savefig(aside, dpi="figure", facecolor="white")
        if aside.suffix.lower() == ".png":
            _use_palette(aside)
    return path


def _use_palette(path: Path) -> None:
    """Reduce a PNG to 256 colours, each the commonest of those that it stands for: white stays white."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    few = image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    # A number for each pair of palette entry and true colour; the last one written to an entry is its commonest.
    pairs = np.asarray(few, np.int64) << 24 | np.asarray(image, np.int64) @ [1 << 16, 1 << 8, 1]
    pair, count = np.unique(pairs, return_counts=True)
    pair = pair[np.argsort(count, kind="stable")]
    palette = np.zeros((256, 3), np.uint8)
    palette[pair >> 24] = np.stack([pair >> 16, pair >> 8, pair], 1) & 255
    few.putpalette(palette.ravel().tolist())
    few.save(path, optimize=True)
