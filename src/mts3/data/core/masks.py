"""Which steps a model may see, and what it is then asked. True = observed.

Every draw comes from the generator that is passed. Entry t of a prediction is about obs[t + 1].
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor

STEP_DROP_RATE = 0.15


def imputation_mask(
    batch_size: int,
    steps: int,
    window_len: int,
    window_drop_rate: float,
    step_drop_rate: float = STEP_DROP_RATE,
    generator: torch.Generator | None = None,
) -> Bool[Tensor, "B T"]:
    """Imputation training: whole windows and single steps are hidden.

    Each sequence draws its own p ~ U(0, window_drop_rate) and hides each of its windows with probability p, never
    the first; each step is then hidden with probability `step_drop_rate`, in every window.

    Args:
        batch_size: Sequences B.
        steps: Steps T, any number; the last window may be short.
        window_len: Steps H of a window.
        window_drop_rate: w in [0, 1], raised over the curriculum.
        step_drop_rate: In [0, 1].
        generator: Source of randomness; the mask lies on its device. None uses torch's default.

    Raises:
        ValueError: for a rate outside [0, 1] or a window of no steps.
    """
    _check_rate("window_drop_rate", window_drop_rate)
    _check_rate("step_drop_rate", step_drop_rate)
    _check_window(window_len)
    windows = -(-steps // window_len)
    rate = window_drop_rate * _uniform((batch_size, 1), generator)
    keep_window = _uniform((batch_size, windows), generator) >= rate
    keep_window[:, :1] = True
    keep_window_step = keep_window.repeat_interleave(window_len, dim=1)[:, :steps]
    return keep_window_step & (_uniform((batch_size, steps), generator) >= step_drop_rate)


def forecast_mask(
    batch_size: int, steps: int, window_len: int, forecast_rate: float, generator: torch.Generator | None = None
) -> Bool[Tensor, "B T"]:
    """Forecast training: a share of the sequences is hidden from some window on to the end.

    Dropping windows at random almost never hides many in a row, yet the long-horizon protocol hides all but the
    first two. With probability `forecast_rate` a sequence shows its first n windows, n uniform from 1 to all of
    them, and nothing after; the others show everything.

    Args:
        batch_size, steps, window_len, generator: As in `imputation_mask`.
        forecast_rate: In [0, 1].

    Raises:
        ValueError: for a rate outside [0, 1] or a window of no steps.
    """
    _check_rate("forecast_rate", forecast_rate)
    _check_window(window_len)
    windows = -(-steps // window_len)
    shown = 1 + (_uniform((batch_size, 1), generator) * windows).long()
    whole = _uniform((batch_size, 1), generator) >= forecast_rate
    window = torch.arange(steps, device=shown.device) // window_len
    return whole | (window < shown)


def random_step_mask(
    batch_size: int, steps: int, drop_rate: float, generator: torch.Generator | None = None
) -> Bool[Tensor, "B T"]:
    """Each step hidden with probability `drop_rate`, independently: the imputation score uses 0.5.

    Raises:
        ValueError: for a rate outside [0, 1].
    """
    _check_rate("drop_rate", drop_rate)
    return _uniform((batch_size, steps), generator) >= drop_rate


def context_mask(steps: int, context_len: int) -> Bool[Tensor, " T"]:
    """True for the first `context_len` steps: the long-horizon protocol hides everything later."""
    return torch.arange(steps) < context_len


def _uniform(shape: tuple[int, int], generator: torch.Generator | None) -> Tensor:
    """Draws from [0, 1) on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device if generator else None)


def _check_rate(name: str, rate: float) -> None:
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"{name} is {rate}; expected a probability in [0, 1]")


def _check_window(window_len: int) -> None:
    if window_len < 1:
        raise ValueError(f"window_len is {window_len}; expected at least 1")


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
