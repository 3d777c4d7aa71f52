"""Which backend filters long sequences fastest: seconds per step over the length of the sequence.

    python benchmarks/long_sequences.py    # prints the table, writes benchmarks/results/long_sequences.json and .png

A modal filter with D = 30 in float32, half of the steps observed. Forward: without gradients. Both: forward and
backward, to the gradients of all inputs. Every backend that can, in one process, interleaved, on one thread; medians.
Left out, with the reason in the row: what would take longer than --limit seconds a run, and what needs more memory
than --memory GB. A last table holds the time per step of a long sequence beside that of a short one.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import torch
from matplotlib.axes import Axes
from torch import Tensor

from mts3.files import write_aside
from mts3.gaussian import Belief, Evidence, modal_map
from mts3.kernels import BACKENDS, Backend, Problem
from mts3.plot.style import INK, MUTED, SMALL, clean, method_styles, new_figure, save

DIM, BATCHES, LENGTHS, STEADY = 30, (1, 32), (100, 1_000, 10_000, 100_000), (300, 30_000)
DIRECTIONS = ("forward", "both")
RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]
K = TypeVar("K")


def inputs(batch: int, steps: int) -> list[Tensor]:
    """M, the mean and covariance of the prior and of the offsets, precision and information: of a stable system."""
    g = torch.Generator().manual_seed(0)
    angle = 0.3 * torch.rand(DIM, generator=g)
    turn = torch.stack((torch.stack((angle.cos(), angle.sin())), torch.stack((-angle.sin(), angle.cos()))))
    noise = torch.cat((torch.full((DIM,), 0.1), torch.zeros(DIM), torch.full((DIM,), 0.1)))
    observed = (torch.rand(batch, steps, 1, generator=g) < 0.5).float()
    made = [
        0.98 * turn,
        torch.zeros(batch, 2 * DIM),
        10.0 * noise.repeat(batch, 1),
        0.1 * torch.randn(batch, steps, 2 * DIM, generator=g),
        noise.repeat(batch, steps, 1),
        observed.expand(batch, steps, DIM).contiguous(),
        observed * torch.randn(batch, steps, DIM, generator=g),
    ]
    return [field.requires_grad_() for field in made]


def problem(given: list[Tensor]) -> Problem:
    blocks, mean, cov, shift, spread, precision, information = given
    prior, offset, evidence = Belief(mean, cov), Belief(shift, spread), Evidence(precision, information)
    return Problem(prior, modal_map(blocks), offset, evidence, ())


def work(backend: Backend, given: list[Tensor], direction: str) -> Callable[[], None]:
    """A function that filters once."""

    def forward() -> None:
        with torch.no_grad():
            backend.run(problem(given))

    def both() -> None:
        predicted = backend.run(problem(given))
        torch.autograd.grad(predicted.mean.sum() + predicted.cov.sum(), given)

    return forward if direction == "forward" else both


def timed(runs: dict[K, Callable[[], None]], rounds: int) -> dict[K, list[float] | str]:
    """Seconds of each run, one after the other in every round, after one that does not count; or why there are none."""
    found: dict[K, list[float] | str] = {key: [] for key in runs}
    for counted in range(-1, rounds):
        for key, run in runs.items():
            seconds = found[key]
            if isinstance(seconds, str):
                continue
            start = time.perf_counter()
            try:
                run()
            except (MemoryError, RuntimeError) as error:
                if "memory" not in repr(error).lower():
                    raise
                found[key] = "needs more than --memory GB"
                continue
            if counted >= 0:
                seconds.append(time.perf_counter() - start)
    return found


def measure(batch: int, steps: int, rounds: int, limit: float, before: list[Row]) -> list[Row]:
    """The rows of one size, all backends and both directions; `before` are those of the shorter sequences."""
    given = inputs(batch, steps)
    keys = [(name, direction) for name in BACKENDS for direction in DIRECTIONS]
    found: dict[tuple[str, str], list[float] | str] = {}
    runs: dict[tuple[str, str], Callable[[], None]] = {}
    for key in keys:
        why = BACKENDS[key[0]].refusal(problem(given)) or too_long(key, batch, steps, limit, before)
        if why:
            found[key] = why
        else:
            runs[key] = work(BACKENDS[key[0]], given, key[1])
    found |= timed(runs, rounds)
    return [row(*key, batch, steps, found[key]) for key in keys]


def too_long(key: tuple[str, str], batch: int, steps: int, limit: float, before: Iterable[Row]) -> str | None:
    """Says so if the last length measured, in proportion, is beyond the limit."""
    same = [r for r in before if (r["backend"], r["direction"], r["batch"]) == (*key, batch) and r["seconds"]]
    expected = same[-1]["seconds_per_step"] * steps if same else 0.0
    return f"would take about {expected:.0f} s" if expected > limit else None


def row(name: str, direction: str, batch: int, steps: int, found: list[float] | str) -> Row:
    size = {"backend": name, "direction": direction, "batch": batch, "steps": steps}
    if isinstance(found, str):
        return {**size, "seconds": None, "seconds_per_step": None, "rounds": 0, "left_out": found}
    median = statistics.median(found)
    rounded = {"seconds": float(f"{median:.4g}"), "seconds_per_step": float(f"{median / steps:.4g}")}
    return {**size, **rounded, "rounds": len(found), "left_out": None}


def steady(rounds: int) -> list[Row]:
    """Seconds per step of a long sequence over those of a short one, batch 1; 1 if a step costs the same in both."""
    found: list[Row] = []
    for direction in DIRECTIONS:
        runs = {
            (name, steps): work(BACKENDS[name], inputs(1, steps), direction)
            for name in BACKENDS
            for steps in STEADY
            if name != "reference" and BACKENDS[name].refusal(problem(inputs(1, steps))) is None
        }
        seconds = timed(runs, rounds)
        for name in dict.fromkeys(name for name, _ in runs):
            short, long = (row(name, direction, 1, steps, seconds[name, steps])["seconds_per_step"] for steps in STEADY)
            ratio = long / short if short and long else None
            found.append({"backend": name, "direction": direction, "steps": STEADY, "ratio_per_step": ratio})
    return found


def draw(rows: list[Row], path: Path) -> None:
    """One panel a batch size: solid forward and backward, dotted forward alone."""
    figure = new_figure(7.2, 3.2)
    panels = figure.subplots(1, len(BATCHES), sharey=True, squeeze=False)[0]
    looks = method_styles(dict.fromkeys(r["backend"] for r in rows if r["seconds"]))
    labels = []
    for axes in panels:
        clean(axes)  # all of them while their shared axis is still linear
    for axes, batch in zip(panels, BATCHES, strict=True):
        axes.set(xscale="log", yscale="log")
        axes.set_xlabel("steps in the sequence", fontsize=SMALL, color=INK)
        axes.set_title(f"batch of {batch}", fontsize=SMALL, color=INK, loc="left")
        ends = {}
        for name, look in looks.items():
            for direction, line in (("both", {}), ("forward", {"linestyle": (0, (1.2, 1.4)), "linewidth": 1.0})):
                same = [r for r in rows if (r["backend"], r["direction"], r["batch"]) == (name, direction, batch)]
                points = [(r["steps"], r["seconds_per_step"]) for r in same if r["seconds"]]
                if points:
                    axes.plot(*zip(*points, strict=True), marker="o", markersize=2.5, **{**look, **line})
                    ends.setdefault(name, points[-1])
        labels.append((axes, ends))
    for axes, ends in labels:
        label(axes, ends, looks)
    panels[0].set_ylabel("seconds per step", fontsize=SMALL, color=INK)
    panels[0].text(
        0.0, -0.3, "solid: forward and backward; dotted: forward", transform=panels[0].transAxes, fontsize=SMALL
    ).set_color(MUTED)
    save(figure, path)


def label(axes: Axes, ends: dict[str, tuple[int, float]], looks: dict[str, dict[str, Any]]) -> None:
    """The names at the ends of their lines, moved apart where they would meet."""
    axes.set_xlim(right=axes.get_xlim()[1] * 8)  # room for the names
    bottom, top = map(math.log10, axes.get_ylim())
    height = -math.inf
    for name, (steps, seconds) in sorted(ends.items(), key=lambda end: end[1][1]):
        height = max(math.log10(seconds), height + 0.06 * (top - bottom))
        place = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(name, (steps, 10**height), fontsize=SMALL, color=looks[name]["color"], **place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="of short sequences; of long ones at most 3")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], help="steps")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a run")
    parser.add_argument("--memory", type=float, default=16.0, help="GB that the process may take")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (int(options.memory * 1e9), resource.RLIM_INFINITY))
    rows: list[Row] = []
    for batch in BATCHES:
        for steps in (steps for steps in LENGTHS if steps <= options.longest):
            rounds = options.rounds if batch * steps <= 32_000 else min(options.rounds, 3)
            for new in measure(batch, steps, rounds, options.limit, rows):
                rows.append(new)
                cost = new["left_out"] or f"{1e6 * new['seconds_per_step']:10.2f} us a step"
                print("{backend:12} {direction:8} batch {batch:3} steps {steps:6}  ".format(**new) + cost, flush=True)
    steadiness = steady(min(options.rounds, 5))
    for ratio in steadiness:
        print(
            "{backend:12} {direction:8} time per step at {steps[1]} over {steps[0]}: {ratio_per_step}".format(**ratio)
        )
    machine = {"threads": 1, "torch": torch.__version__, "machine": platform.machine(), "device": "cpu"}
    limits = {"limit_seconds": options.limit, "memory_gb": options.memory}
    result = {"latent_obs_dim": DIM, **limits, **machine, "rows": rows, "per_step_long_over_short": steadiness}
    with write_aside(options.results / "long_sequences.json") as path:
        path.write_text(json.dumps(result, indent=2) + "\n")
    draw(rows, options.results / "long_sequences.png")


if __name__ == "__main__":
    main()
