"""What a training makes small."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mts3.errors import UserError
from mts3.metrics import nll
from mts3.prediction import Prediction
from mts3.types import Tensor

Objective = Callable[[Prediction, Mapping[str, Tensor]], Tensor]
"""(beliefs (B, T, O), batch of `SequenceDataset` items) -> a scalar with gradient."""


def negative_log_likelihood(pred: Prediction, batch: Mapping[str, Tensor]) -> Tensor:
    """The NLL of obs[t+1] under the belief pred[t], and of the reward where the model predicts one.

    Args:
        pred: Beliefs (B, T, O).
        batch: "obs" (B, T + 1, O), NaN where not observed, and where there is one "reward" (B, T, 1).
    Returns: a scalar in nats: summed over observed dims, mean over steps and batch.
    Raises:
        UserError: if the model predicts a reward and the data hold none.
    """
    loss = nll(pred, batch["obs"][:, 1:])
    if pred.reward is None:
        return loss
    if "reward" not in batch:
        raise UserError("the model predicts a reward and the data hold none: build it with reward=False")
    return loss + nll(pred.reward, batch["reward"])
