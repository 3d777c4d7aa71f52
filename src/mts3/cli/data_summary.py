"""Data sets in a few lines."""

from __future__ import annotations

import math

from mts3.cli.report import print_table
from mts3.data import Dataset, Summary, describe, describe_channels


def print_summary(dataset: Dataset) -> None:
    """A data set in a few lines: its size, its channels, its source."""
    summary = describe(dataset)
    print(f"{summary.name}: {size_of(summary)}")
    rows = [("channel", "kind", "unit", "mean", "std", "min", "max", "missing")]
    rows += [
        (c.name, c.kind, c.unit, *(_number(x, c.std) for x in (c.mean, c.std, c.min, c.max)), f"{c.missing:.1%}")
        for c in describe_channels(dataset)
    ]
    print_table(rows)
    if summary.attribution:
        print(f"source: {summary.attribution}")


def _number(value: float, std: float) -> str:
    """Four digits, or as many as tell the values of a channel apart that moves little for its size."""
    fine = std > 0 and abs(value) > 100 * std
    return f"{value:.{max(0, 1 - math.floor(math.log10(std)))}f}" if fine else f"{value:.4g}"


def size_of(summary: Summary) -> str:
    """ "2 trajectories, 80 rows of 1 observation and 1 action every 0.5 s"."""
    counts = {
        "trajectory trajectories": summary.trajectories,
        "row rows": summary.rows,
        "observation observations": summary.obs_dim,
        "action actions": summary.action_dim,
    }
    trajectories, rows, obs, actions = (f"{n} {words.split()[n != 1]}" for words, n in counts.items())
    missing = f", {summary.missing:.1%} missing" if summary.missing else ""
    return f"{trajectories}, {rows} of {obs} and {actions} every {summary.sample_time:g} s{missing}"
