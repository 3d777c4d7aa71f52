"""The backends of `filter_sequence` on a GPU: what a call takes, how near to the memory's speed, how equal the results.

    python benchmarks/gpu.py            # prints the tables, writes benchmarks/results/gpu.json; needs CUDA

`forward` filters without a graph, `both` filters and takes the gradient of everything. Backends in one process,
interleaved; medians of a call from start to a device at rest. `device_ms`, for triton, is the device's own time: a
long copy is queued ahead, so that nothing waits for Python. `memory_speed` is what must be read and written over that
time, as a share of the speed of a large copy measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from mts3.files import write_aside
from mts3.gaussian import Belief, Evidence, dense_map, modal_map
from mts3.kernels import BACKENDS, Problem, filter_sequence, use_backend

DIM = 30
SIZES = ((32, 300), (256, 300), (32, 3000))
NAMES = {"modal": ("triton", "associative", "reference"), "dense": ("triton", "reference")}
# Values of D that a step of a sequence must move. Forward: 5 offset, 2 evidence in; 5 predicted out. Backward:
# 5 gradient, 5 predicted, 2 evidence in; 5 + 2 gradients out.
MOVED = {"forward": 12, "both": 12 + 19}
COPIED = 2**28  # floats: 1 GiB
RESULT = Path(__file__).parent / "results" / "gpu.json"


def problem(kind: str, batch: int, steps: int, device: str) -> tuple[Problem, list[Tensor]]:
    """A stable random system in float32, and what it is differentiated in."""
    g = torch.Generator().manual_seed(0)

    def leaf(values: Tensor) -> Tensor:
        return values.to(device, torch.float32).requires_grad_()

    def cov(*shape: int) -> Tensor:
        upper, lower = 0.1 + torch.rand(2, *shape, DIM, generator=g)
        return torch.cat((upper, 0.2 * (upper * lower).sqrt(), lower), -1)

    if kind == "modal":
        angle = torch.rand(DIM, generator=g)
        rotation = torch.stack((angle.cos(), angle.sin(), -angle.sin(), angle.cos()))
        matrix = leaf(0.95 * rotation.view(2, 2, DIM))
    else:
        matrix = leaf(0.95 * torch.linalg.qr(torch.randn(2 * DIM, 2 * DIM, generator=g))[0])
    shape = (batch, steps)
    leaves = [
        leaf(torch.randn(batch, 2 * DIM, generator=g)),
        leaf(cov(batch)),
        leaf(0.3 * torch.randn(*shape, 2 * DIM, generator=g)),
        leaf(cov(*shape)),
        leaf(20 * torch.rand(*shape, DIM, generator=g)),
        leaf(torch.randn(*shape, DIM, generator=g)),
    ]
    transition = (modal_map if kind == "modal" else dense_map)(matrix)
    prior, offset = Belief(*leaves[:2]), Belief(*leaves[2:4])
    return Problem(prior, transition, offset, Evidence(*leaves[4:]), ()), [matrix, *leaves]


def calls(name: str, given: Problem, leaves: list[Tensor]) -> dict[str, Callable[[], tuple[Tensor, ...]]]:
    """What is timed, by its name: the predicted fields, and the gradients of the leaves."""
    ones = [torch.ones_like(x) for x in (given.offset.mean, given.offset.cov)]

    def forward() -> tuple[Tensor, ...]:
        with torch.no_grad(), use_backend(name):
            predicted = filter_sequence(given)
        return predicted.mean, predicted.cov

    def both() -> tuple[Tensor, ...]:
        with use_backend(name):
            predicted = filter_sequence(given)
        return torch.autograd.grad([predicted.mean, predicted.cov], leaves, ones, retain_graph=True)

    return {"forward": forward, "both": both}


def interleaved(timed: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each call, one after the other in every round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for counted in range(-1, rounds):
        for name, call in timed.items():
            torch.cuda.synchronize()
            start = time.perf_counter()
            call()
            torch.cuda.synchronize()
            if counted >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(times) for name, times in seconds.items()}


def on_device(call: Callable[[], object], rounds: int, ahead: Callable[[], object]) -> float:
    """Median milliseconds that the device itself takes, with work queued ahead."""
    found = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        ahead()
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        found.append(start.elapsed_time(end))
    return statistics.median(found)


def difference(kind: str, batch: int, steps: int, device: str) -> dict[str, object]:
    """The largest errors of triton against the reference in float32, over the largest entry of what is compared."""
    given, leaves = problem(kind, batch, steps, device)
    results = {
        name: {what: call() for what, call in calls(name, given, leaves).items()} for name in ("triton", "reference")
    }

    def largest(what: str) -> float:
        pairs = zip(results["triton"][what], results["reference"][what], strict=True)
        return max(((found - expected).abs().max() / expected.abs().max()).item() for found, expected in pairs)

    return {"kind": kind, "values": largest("forward"), "gradients": largest("both")}


def rows(
    kind: str, batch: int, steps: int, rounds: int, bytes_per_ms: float, ahead: Callable[[], object]
) -> list[dict]:
    """One row a backend and a call."""
    given, leaves = problem(kind, batch, steps, "cuda")
    named = {name: calls(name, given, leaves) for name in NAMES[kind] if name in BACKENDS}
    timed = {f"{name} {what}": call for name, both in named.items() for what, call in both.items()}
    found = []
    for label, ms in interleaved(timed, rounds).items():
        name, what = label.split()
        row = {"kind": kind, "batch": batch, "steps": steps, "backend": name, "what": what, "ms": round(ms, 3)}
        if name == "triton":
            ms = on_device(timed[label], rounds, ahead)
            moved = 4 * MOVED[what] * DIM * batch * steps
            row |= {"device_ms": round(ms, 3), "memory_speed": round(moved / ms / bytes_per_ms, 3)}
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    if not torch.cuda.is_available():
        print("this benchmark needs a CUDA device, and PyTorch sees none", file=sys.stderr)
        sys.exit(2)
    source, target = (torch.zeros(COPIED, device="cuda") for _ in range(2))

    def copy() -> Tensor:
        return target.copy_(source)

    copy()
    bytes_per_ms = 2 * 4 * COPIED / on_device(copy, rounds, copy)
    errors = [difference(kind, *SIZES[0], "cuda") for kind in NAMES]
    for row in errors:
        print("{kind:6} largest error of values {values:.1e}, of gradients {gradients:.1e}".format(**row))
    table = []
    for kind in NAMES:
        for batch, steps in SIZES:
            # Four copies: a millisecond or more, in which Python queues a whole call.
            part = rows(kind, batch, steps, rounds, bytes_per_ms, lambda: [copy() for _ in range(4)])
            for row in part:
                print("{kind:6} {batch:4} x {steps:<5} {backend:12} {what:8} {ms:9.3f} ms".format(**row), end="")
                print("   {device_ms:.3f} on the device".format(**row) if "device_ms" in row else "")
            table += part
    machine = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "dtype": "float32", "dim": DIM}
    measured = {"rounds": rounds, "copy_gb_per_s": round(bytes_per_ms / 1e6, 1), "errors": errors, "rows": table}
    with write_aside(RESULT) as path:
        path.write_text(json.dumps(machine | measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
