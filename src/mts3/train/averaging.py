"""An exponential moving average of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.optim.swa_utils import AveragedModel

if TYPE_CHECKING:
    from mts3.models import WorldModel


class Average(AveragedModel):
    """A copy of a model that follows its weights as a moving average, one `update_parameters(model)` at a time.

    The decay of update n is min(decay, n / (n + 10)): the average forgets the random weights it starts from.

    Args:
        model: What to follow.
        decay: In [0, 1); weights count for about 1 / (1 - decay) updates.
    """

    module: WorldModel

    def __init__(self, model: WorldModel, decay: float) -> None:
        def follow(averaged: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
            n = float(updates)
            for mean, value in zip(averaged, current, strict=True):
                mean.lerp_(value, 1.0 - min(decay, n / (n + 10.0)))

        super().__init__(model, multi_avg_fn=follow)  # pyright: ignore[reportArgumentType]
        self.requires_grad_(False)
