"""How many CPU threads train fastest here and now: measured, not assumed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch.utils.data import default_collate

from mts3.data import SequenceDataset
from mts3.train import TrainingModule, seeded

MOST = torch.get_num_threads()
"""What PyTorch would use: the cores this process may run on, or OMP_NUM_THREADS."""
SHORTEST = 0.02  # seconds; a shorter step is made of operations too small to be shared
CLEARLY = 1.2  # times as fast as with fewer threads: less is not worth the cores
ROUNDS = 3
LONG = 2.0  # seconds; where a round takes longer, one is enough


def choose_threads(module: TrainingModule, train: SequenceDataset) -> str | None:
    """Set the number of CPU threads that trains fastest, for `threads=auto`: one unless more are clearly faster.

    A few steps on the first sequences are timed, with one thread and with more, in turn. Neither parameters nor
    anyone's random numbers are touched. Nothing is timed with a single core, or for steps of a few milliseconds.

    Args:
        module: What trains, on the CPU.
        train: The training part.
    Returns: a line that says what was chosen, None if nothing was timed.
    """
    if MOST == 1:
        torch.set_num_threads(1)
        return None
    with seeded(module.options.seed):
        return fastest(training_step(module, train), MOST)


def fastest(step: Callable[[], None], most: int) -> str | None:
    """Set the number of threads, at most `most`, and say which. Doubled for as long as that is clearly faster."""
    torch.set_num_threads(1)
    step()  # allocates, and compiles what is compiled at its first use
    if _seconds(step, 1) < SHORTEST:
        return None
    threads, line = 1, ""
    while threads < most:
        more = min(2 * threads, most)
        few, many = _in_turn(step, threads, more)
        if few < CLEARLY * many:
            line = f"threads: {threads} ({more} are no faster here)"
            break
        line = f"threads: {more} ({few / many:.1f} times as fast as {threads} here)"
        threads = more
    torch.set_num_threads(threads)
    return line


def training_step(module: TrainingModule, train: SequenceDataset) -> Callable[[], None]:
    """A function that computes the gradient of one training step, everything visible, and drops it."""
    parameters = [p for p in module.model.parameters() if p.requires_grad]
    first = [train[index] for index in range(min(module.options.batch_size, len(train)))]
    batch = {key: value.to(parameters[0]) for key, value in default_collate(first).items()}

    def step() -> None:
        torch.autograd.grad(module.loss(batch), parameters, allow_unused=True)

    return step


def _in_turn(step: Callable[[], None], few: int, many: int) -> tuple[float, float]:
    """Median seconds of a step with few threads and with many, in turn: a neighbour meets both."""
    seconds: list[tuple[float, float]] = []
    while not seconds or (len(seconds) < ROUNDS and sum(seconds[0]) < LONG):
        seconds.append((_seconds(step, few), _seconds(step, many)))
    a, b = map(statistics.median, zip(*seconds, strict=True))
    return a, b


def _seconds(step: Callable[[], None], threads: int) -> float:
    torch.set_num_threads(threads)
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
