"""A training step on one and on two threads, alone and beside busy neighbours, with threads that spin and that sleep.

    python benchmarks/threads.py            # prints the table, writes benchmarks/results/threads.json

Step: forward, loss, backward, gradient clipping, Adam, of MTS3. A thread that has nothing to do spins for a while
before it sleeps, unless OpenMP was told otherwise before PyTorch was loaded, as the command `mts3` does: `sleeping` is
that, `spinning` OpenMP's own. A neighbour is a process that counts. Each kind of step runs in a process of its own, one
step after the other in every round; medians. A ratio is comparable between machines with as many cores, a time is not.
Whatever else the machine does comes on top: `load` is how many processes wanted a core just before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

from mts3.cli.main import SLEEPING
from mts3.files import write_aside

RESULT = Path(__file__).parent / "results" / "threads.json"
SIZES = {"batch": 32, "steps": 300, "obs_dim": 4, "action_dim": 2, "latent_obs_dim": 30, "window_len": 30}
THREADS = (1, 2)
NEIGHBOURS = (0, 1)


def work(threads: int) -> None:
    """One training step for every line on stdin, its seconds on stdout."""
    import torch

    import mts3
    from mts3.metrics import nll

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    shape = (SIZES["batch"], SIZES["steps"])
    obs, target = torch.randn(2, *shape, SIZES["obs_dim"]).unbind()
    actions, mask = torch.randn(*shape, SIZES["action_dim"]), torch.rand(shape) > 0.3
    sizes = {name: SIZES[name] for name in ("obs_dim", "action_dim", "latent_obs_dim", "window_len")}
    model = mts3.build("mts3", **sizes)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in sys.stdin:
        start = time.perf_counter()
        optimizer.zero_grad()
        nll(model(obs, actions, mask), target).backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 5.0)
        optimizer.step()
        print(time.perf_counter() - start, flush=True)


@contextmanager
def process(*command: str, **options) -> Iterator[subprocess.Popen]:
    """A process that ends with the context."""
    with subprocess.Popen([sys.executable, *command], **options) as running:
        try:
            yield running
        finally:
            running.kill()


def measured(rounds: int) -> dict[tuple[str, int, int], list[float]]:
    """Seconds of a step by waiting, threads and neighbours; two steps each before that do not count."""
    ours = (*SLEEPING, "GOMP_SPINCOUNT", "OMP_NUM_THREADS")
    plain = {key: value for key, value in os.environ.items() if key not in ours}
    seconds: dict[tuple[str, int, int], list[float]] = {}
    with ExitStack() as stack:
        workers = {}
        for waiting, extra in {"spinning": {}, "sleeping": SLEEPING}.items():
            for threads in THREADS:
                pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": plain | extra}
                worker = process(__file__, "--worker", str(threads), **pipes)
                workers[waiting, threads] = stack.enter_context(worker)
        for worker in workers.values():
            for _ in range(2):
                step_of(worker)
        order = list(workers.items())
        for number, neighbours in product(range(rounds), NEIGHBOURS):
            with ExitStack() as beside:
                for _ in range(neighbours):
                    beside.enter_context(process("-c", "while True: pass"))
                for kind, worker in order[:: 1 if number % 2 else -1]:  # what came before may still be felt
                    seconds.setdefault((*kind, neighbours), []).append(step_of(worker))
    return seconds


def step_of(worker: subprocess.Popen) -> float:
    """Seconds of one more step of a worker."""
    assert worker.stdin
    assert worker.stdout
    print(file=worker.stdin, flush=True)
    return float(worker.stdout.readline())


def rows_of(seconds: dict[tuple[str, int, int], list[float]]) -> Iterator[dict[str, object]]:
    """A row for each kind of step, beside one sleeping thread with the same neighbours."""
    for (waiting, threads, neighbours), times in seconds.items():
        median, one = statistics.median(times), statistics.median(seconds["sleeping", 1, neighbours])
        yield {
            "waiting": waiting,
            "threads": threads,
            "neighbours": neighbours,
            "median_ms": round(1e3 * median, 1),
            "min_ms": round(1e3 * min(times), 1),
            "max_ms": round(1e3 * max(times), 1),
            "ratio_to_one_thread": round(median / one, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker)
    load = round(os.getloadavg()[0], 1)
    rows = sorted(rows_of(measured(options.rounds)), key=lambda row: (row["neighbours"], row["threads"]))
    for row in rows:
        print(
            "{neighbours} neighbours  {threads} threads, {waiting}  {median_ms:8.1f} ms (at most {max_ms:.1f})   "
            "{ratio_to_one_thread:.2f} x one thread".format(**row)
        )
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "system": platform.system(), "load": load}
    with write_aside(RESULT) as path:
        path.write_text(
            json.dumps({"sizes": SIZES, "rounds": options.rounds, **machine, "rows": rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
