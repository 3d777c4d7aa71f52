"""Whether intervals hold what they promise, at every level."""

from __future__ import annotations

from pathlib import Path

from mts3.plot import style
from mts3.plot.read import read_metrics


def plot_reliability(run_dir: str | Path, path: str | Path) -> Path:
    """Nominal probability of central intervals against the fraction of hidden test values inside them.

    Args:
        run_dir: A folder with metrics.json.
        path: The picture; its ending chooses the format.
    Raises:
        UserError: if the file is missing or unreadable, or the picture cannot be written.
    """
    metrics = read_metrics(run_dir)
    levels, inside = metrics["reliability"]["level"], metrics["reliability"]["coverage"]
    figure = style.new_figure(3.3, 3.3)
    axes = figure.subplots()
    style.clean(axes)
    axes.plot([0, 1], [0, 1], color=style.RULE, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
    axes.fill_between([0, 1], [0, 1], 0, color=style.SHADE, linewidth=0, zorder=0)
    axes.plot([0, *levels], [0, *inside], color=style.MODEL, linewidth=1.6, zorder=2)
    axes.text(0.96, 0.05, "overconfident:\ntoo narrow", ha="right", fontsize=style.SMALL, color=style.MUTED)
    axes.text(0.04, 0.95, "too wide", va="top", fontsize=style.SMALL, color=style.MUTED)
    named = {level: metrics[f"coverage_{round(100 * level)}"] for level in (0.5, 0.9)}
    axes.plot(list(named), list(named.values()), "o", markersize=4, color=style.MODEL, zorder=3)
    held = ",  ".join(f"{100 * level:.0f} % hold {100 * value:.0f} %" for level, value in named.items())
    style.label(axes, "nominal probability of the interval", "observed inside", held, style.MODEL)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    return style.save(figure, path)
