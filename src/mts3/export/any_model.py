"""One step of any model as a graph: the model itself, its state taken apart into tensors by name."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import nn

from mts3.models import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.state import rebuilt, tensors_of
from mts3.prediction import Prediction
from mts3.types import Tensor


class AnyStep(nn.Module):
    """`model.advance` by one step, for one sequence.

    State by name: `prior_mean`, `context_precision`, `slow_0_closed_mean` and so on, as in the model's own record.

    Args:
        model: Of a static step, see `WorldModel.static_step`.
    """

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model
        self.like = model.initial_state(1)

    def initial(self) -> dict[str, Tensor]:
        """The state before anything was observed."""
        return dict(tensors_of(self.like))

    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predictions and the next state by name, see `mts3.export`."""
        obs, mask = given["obs"][:, None], given["obs_mask"][:, None]
        action = given["action"][:, None] if "action" in given else obs[..., :0]
        inputs = Inputs(action, obs, mask, given.get("plan"))
        pred, after = self.model.advance(rebuilt(self.like, given), inputs)
        return _fields(pred) | {f"next_{name}": value for name, value in tensors_of(after)}


def _fields(pred: Prediction, prefix: str = "") -> dict[str, Tensor]:
    """All that a prediction holds, (1, O) each: mean, var, reward_mean and so on."""
    found: dict[str, Tensor] = {}
    for entry in fields(pred):
        value = getattr(pred, entry.name)
        if isinstance(value, Prediction):
            found |= _fields(value, f"{entry.name}_")
        elif isinstance(value, torch.Tensor):
            found[f"{prefix}{entry.name}"] = value[:, 0]
    return found
