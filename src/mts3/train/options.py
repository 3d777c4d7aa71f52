"""The options of a training: one record, checked where it is made, that every part of it reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from mts3.errors import UserError, unknown_name
from mts3.train.randomness import check_seed

SCHEDULES = ("constant", "cosine")
MOST_SEQUENCES = 2**31 - 1  # in a batch; one larger than the data is one batch
MOST_WORKERS = 1024
_BELOW_1 = math.nextafter(1.0, 0.0)
_LARGEST = math.nextafter(math.inf, 0.0)
# Name: kind, least, most, and what the error says.
_RANGES: dict[str, tuple[type, float, float, str]] = {
    "learning_rate": (Real, math.nextafter(0.0, 1.0), _LARGEST, "be a number above 0"),
    "weight_decay": (Real, 0.0, _LARGEST, "be a number >= 0"),
    "step_drop_rate": (Real, 0.0, _BELOW_1, "lie in [0, 1)"),
    "average_decay": (Real, 0.0, _BELOW_1, "lie in [0, 1)"),
    "forecast_rate": (Real, 0.0, 1.0, "lie in [0, 1]"),
    "batch_size": (Integral, 1, MOST_SEQUENCES, f"be a number of sequences from 1 to {MOST_SEQUENCES}"),
    "num_workers": (Integral, 0, MOST_WORKERS, f"be a number of processes from 0 to {MOST_WORKERS}"),
    "patience": (Integral, 1, math.inf, "be a number of epochs >= 1 or null"),
}


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is trained. The same options and data give the same weights, bit for bit.

    Attributes:
        context_len: Steps observed in validation; all later ones are scored.
        window_len: Steps of the windows that training hides together.
        seed: Order of the batches and the masks.
        batch_size: Sequences a step and a device.
        learning_rate: Of AdamW.
        schedule: "constant", or "cosine" from `learning_rate` to 0 over the whole training.
        weight_decay: Of AdamW, on the weight matrices of the networks; biases and what the Gaussian inference
            learns (transitions, noise) do not decay.
        step_drop_rate: Probability of hiding a single step.
        window_drop_rate: What the probability of hiding a whole window grows to, from 0.05 by 0.1.
        curriculum_epochs: Epochs between two increases of it.
        forecast_rate: Share of sequences hidden from some window to the end; 0 trains as the papers do.
        average_decay: Of the moving average of the weights, in [0, 1); 0 keeps them as they are.
        recompute: Compute activations again in the backward pass in place of keeping them, segment by segment: memory
            grows with the square root of the sequence length, a step takes about 1.4 times as long. The same training.
        patience: Stop after this many epochs without a better validation CRPS; None never.
        num_workers: Loader processes. 0 is right for data in memory.
    Raises:
        UserError: if a value lies outside its range.
    """

    context_len: int
    window_len: int
    seed: int = 0
    batch_size: int = 32
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float = 0.0
    step_drop_rate: float = 0.15
    window_drop_rate: float = 0.75
    curriculum_epochs: int = 1
    forecast_rate: float = 0.5
    average_decay: float = 0.98
    recompute: bool = False
    patience: int | None = None
    num_workers: int = 0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise unknown_name("train.schedule", self.schedule, SCHEDULES)
        for name in _RANGES:
            check_option(name, getattr(self, name))
        check_curriculum(self.curriculum_epochs, end=self.window_drop_rate)
        check_seed(self.seed)


def check_option(name: str, value: Any) -> None:
    """Refuse a value that lies outside the range of the option of that name, or is of another kind.

    Raises:
        UserError: naming it and its range.
    """
    kind, least, most, words = _RANGES[name]
    fits = isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most  # NaN is in no range
    if not fits and not (name == "patience" and value is None):
        raise UserError(f"train.{name} must {words}, got {value}")


def check_curriculum(epochs_per_increase: int, **rates: float) -> None:
    """The same for the rate at which whole windows are hidden."""
    if epochs_per_increase < 1:
        raise UserError(f"epochs_per_increase must be a number of epochs >= 1, got {epochs_per_increase}")
    for name, rate in rates.items():
        if not 0.0 <= rate <= 1.0:
            raise UserError(f"window drop rate '{name}' must lie in [0, 1], got {rate}")
