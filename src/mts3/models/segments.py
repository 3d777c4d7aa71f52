"""Long sequences, a segment at a time: what is computed on the way never exists for all steps at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from mts3.kernels import use_backend, wanted_backend
from mts3.models.arguments import check_state
from mts3.models.base import WorldModel
from mts3.models.delta import DeltaTarget
from mts3.models.mts3 import MTS3
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor

FEWEST_STEPS = 4096
"""Steps, over all sequences of a batch, of a segment that pays: fewer cost time and save little memory."""
STEPS_AT_ONCE = 128_000
"""Steps, over all sequences of a batch, of which `predict_in_segments` holds beliefs: 64 sequences of 2,000."""


def observe_in_segments(
    model: WorldModel,
    obs: Float[Tensor, "B T O"],
    actions: Float[Tensor, "B T A"] | None = None,
    obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
    state: Any = None,
    segment_len: int | None = None,
    recompute: bool = False,
) -> tuple[Prediction, Any]:
    """`model.observe`, one segment after the other, the state handed on: the same prediction, state and gradients.

    Args:
        model: Any.
        obs, actions, obs_mask, state: As in `WorldModel.observe`.
        segment_len: Steps of a segment, made up to whole windows (the longest of the model), where cutting changes
            nothing. None: sqrt(T), but not below `FEWEST_STEPS` over all sequences.
        recompute: Keep nothing of a segment for the backward pass but the state before it, and compute the segment
            again when its turn comes. With segments of sqrt(T) steps what is kept grows with sqrt(T) instead of T,
            for the time of one more forward pass and of shorter loops.
    Returns: the prediction (B, T, O) and the state after the last step.
    Raises:
        ValueError: for what `observe` refuses, or a segment_len below 1.
    """
    inputs = model._check_sequence(obs, actions, obs_mask)
    batch, steps = obs.shape[:2]
    if segment_len is None:
        segment_len = math.ceil(max(math.sqrt(steps), FEWEST_STEPS / batch))
    if segment_len < 1:
        raise ValueError(f"expected segment_len >= 1, got {segment_len}")
    if state is None:
        state = model.initial_state(batch)
    check_state(state, "obs", batch)
    window_len, taken = _longest_window(model, state)
    segment = math.ceil(segment_len / window_len) * window_len
    bounds = [0, *range(segment - taken, steps, segment), steps]
    observe = _segment(model, recompute)
    parts: list[Prediction] = []
    for start, stop in pairwise(bounds):
        pred, after = observe(state, *(part[:, start:stop] for part in inputs))
        parts.append(pred)
        state = _compact(after)
    return Prediction.cat(parts), state


@torch.no_grad()
def predict_in_segments(
    model: WorldModel,
    obs: Float[Tensor, "B T O"],
    actions: Float[Tensor, "B T A"] | None = None,
    obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
) -> Prediction:
    """The prediction of `model.observe`, without gradient, about `STEPS_AT_ONCE` steps at a time.

    Arguments as in `WorldModel.observe`. A batch with fewer steps is one segment: the very same computation.
    """
    segment_len = max(1, STEPS_AT_ONCE // obs.shape[0])
    return observe_in_segments(model, obs, actions, obs_mask, segment_len=segment_len)[0]


def _segment(model: WorldModel, recompute: bool) -> Callable[..., tuple[Prediction, Any]]:
    """`model._observe` without a plan; with `recompute` it keeps its arguments alone and runs again going backwards."""
    # On a GPU that is in another thread, where no context of this one is in force: both runs must filter alike.
    backend = wanted_backend()

    def observe(state: Any, obs: Tensor, actions: Tensor, obs_mask: Tensor) -> tuple[Prediction, Any]:
        with use_backend(backend):
            return model._observe(state, obs, actions, obs_mask, None)

    return partial(checkpoint, observe, use_reentrant=False) if recompute else observe


def _longest_window(model: WorldModel, state: Any) -> tuple[int, int]:
    """Its length, and the steps already taken in it; 1 and 0 for a model that may be cut anywhere."""
    if isinstance(model, DeltaTarget):
        return _longest_window(model.model, state.inner)
    if isinstance(model, MTS3) and state.slow:
        return model._levels()[-1].window_len, state.slow[-1].steps
    return 1, 0


def _compact(state: Any) -> Any:
    """The same state in memory of its own: its fields are the last steps of tensors that hold the whole segment."""
    if isinstance(state, Tensor):
        return state.clone()
    if isinstance(state, tuple):
        return tuple(_compact(part) for part in state)
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{field.name: _compact(getattr(state, field.name)) for field in fields(state)})
    return state
