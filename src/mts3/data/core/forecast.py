"""Entry t of a prediction is about obs[t + 1]: what a model is given of a sequence, and what it is then asked."""

from __future__ import annotations

from collections.abc import Callable

from mts3.data.core.masks import context_mask
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


def given(
    obs: Float[Tensor, "B T+1 O"], actions: Float[Tensor, "B T A"], visible: Bool[Tensor, "... T"] | None = None
) -> tuple[Float[Tensor, "B T O"], Float[Tensor, "B T A"], Bool[Tensor, "B T O"]]:
    """The arguments of `WorldModel.observe`: the last observation is only ever a target.

    Args:
        obs: Observations, NaN where there was none.
        actions: The actions between them.
        visible: (T,) or (B, T), the steps whose observation may be looked at; None: all of them.
    Returns: the first T observations, the actions, and the mask of what is visible and was observed.
    """
    observed = ~obs[:, :-1].isnan()
    return obs[:, :-1], actions, observed if visible is None else observed & visible[..., None]


def after_context(context_len: int) -> slice:
    """The entries of a prediction that are about the observations after the first `context_len`."""
    return slice(context_len - 1, None)


def forecast(
    predict: Callable[..., Prediction],
    obs: Float[Tensor, "B T+1 O"],
    actions: Float[Tensor, "B T A"],
    context_len: int,
) -> tuple[Prediction, Float[Tensor, "B S O"]]:
    """Hide every observation after the context, and predict them.

    Args:
        predict: Of a model: (obs, actions, obs_mask) -> its beliefs (B, T, O).
        obs, actions: As in `given`.
        context_len: Observations that are visible.
    Returns: the beliefs about the S = T + 1 - context_len hidden observations, and these.
    """
    visible = context_mask(actions.shape[1], context_len).to(obs.device)
    pred = predict(*given(obs, actions, visible))
    return pred.steps(after_context(context_len)), obs[:, context_len:]
