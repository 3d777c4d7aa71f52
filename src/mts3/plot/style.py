"""One look for every figure of results: opaque white, thin axes, a palette that colour-blind readers can tell apart.

Everything is set on the figure at hand; matplotlib's global state is neither read for style nor written.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mts3.files import write_aside

INK, MUTED, RULE, SHADE = "#1f2328", "#6b7280", "#c9cdd3", "#f1f2f4"
MODEL, LINEAR, PERSISTENCE = "#0072b2", "#d55e00", "#8a8f98"  # blue, vermilion (Okabe and Ito) and grey
BAND_50, BAND_90 = "#8cc1e3", "#cfe5f4"  # opaque tints of MODEL: the same on every page
# Lines of many methods: six colours of Okabe and Ito, then the same ones dashed. Yellow is left out: white
# swallows it.
_COLOURS = (MODEL, "#e69f00", "#009e73", "#cc79a7", "#1f2328", "#56b4e9")
_DASHES = ((0.0, ()), (0.0, (5.0, 1.6)), (0.0, (1.4, 1.2)), (0.0, (6.0, 1.4, 1.4, 1.4)))
_BASELINES = {"linear": LINEAR, "persistence": PERSISTENCE}
SMALL, NORMAL, LARGE = 7.5, 8.5, 10.0
_TIME_UNITS = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days"))


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure, sizes in inches. The layout leaves a margin: on a dark page white ends at the edge."""
    return Figure(figsize=(width, height), facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))


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


def method_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A look for each of up to 24 methods, as arguments of `Axes.plot`, that no other has: colour and dashes.

    The first has the model's colour; linear and persistence have theirs, dashed, wherever they stand.
    """
    looks: dict[str, dict[str, Any]] = {}
    count = 0
    for name in names:
        if name in _BASELINES:
            looks[name] = {"color": _BASELINES[name], "linestyle": (0, (4, 2)), "linewidth": 1.0}
        elif name not in looks:
            dashes = _DASHES[count // len(_COLOURS) % len(_DASHES)]
            looks[name] = {"color": _COLOURS[count % len(_COLOURS)], "linestyle": dashes, "linewidth": 1.4}
            count += 1
    return looks


def time_unit(seconds: float) -> tuple[float, str]:
    """The largest unit of which `seconds` holds at least three: (seconds per unit, its name)."""
    return next((scale, name) for scale, name in reversed(_TIME_UNITS) if seconds >= 3 * scale or scale == 1.0)


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure at print resolution; its ending chooses the format.

    Raises:
        UserError: if it cannot be written.
    """
    path = Path(path)
    with write_aside(path) as aside:
        figure.savefig(aside, dpi=200, facecolor="white")
    return path
