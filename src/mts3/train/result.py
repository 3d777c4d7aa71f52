"""What a training did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitResult:
    """What a training did.

    Attributes:
        gradient_steps: Optimizer steps, all resumed parts together.
        train_seconds: Wall-clock time, validation included, all parts together.
        best_epoch: Epochs trained when the kept weights were; 0 for what is fitted in closed form.
        best_val_crps: Their validation CRPS (normalized).
        device: Where it ran, as in "cpu" or the GPU's name.
    """

    gradient_steps: int
    train_seconds: float
    best_epoch: int
    best_val_crps: float
    device: str
