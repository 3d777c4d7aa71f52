"""Long sequences, a segment at a time: what is computed on the way never exists for all steps at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from mts3.kernels import use_backend, wanted_backend
from mts3.models.arguments import check_state
from mts3.models.base import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.state import map_state
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
        segment_len: Steps of a segment, made up to where the model may be cut, see `WorldModel.cut_every`; a model that
            may not is one segment. None: sqrt(T), but not below `FEWEST_STEPS` over all sequences.
        recompute: Keep nothing of a segment for the backward pass but the state before it, and compute the segment
            again when its turn comes. With segments of sqrt(T) steps what is kept grows with sqrt(T) instead of T,
            for the time of one more forward pass and of shorter loops.
    Returns: the prediction (B, T, O) and the state after the last step.
    Raises:
        ValueError: for what `observe` refuses, or a segment_len below 1.
    """
    given = model.check_sequence(obs, actions, obs_mask)
    batch, steps = obs.shape[:2]
    if segment_len is None:
        segment_len = math.ceil(max(math.sqrt(steps), FEWEST_STEPS / batch))
    if segment_len < 1:
        raise ValueError(f"expected segment_len >= 1, got {segment_len}")
    if state is None:
        state = model.initial_state(batch)
    check_state(state, "obs", batch)
    bounds = _bounds(model.cut_every(state), segment_len, steps)
    observe = _segment(model, recompute)
    parts: list[Prediction] = []
    for start, stop in pairwise(bounds):
        inputs = (x[:, start:stop] for x in (given.actions, *given.observed(model.obs_dim)))
        pred, after = observe(state, *inputs)
        parts.append(pred)
        state = map_state(after, Tensor.clone)  # a field is the last step of a tensor that holds all
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
    """`model.advance`; with `recompute` it keeps its arguments alone and runs again going backwards."""
    # On a GPU that is in another thread, where no context of this one is in force: both runs must filter alike.
    backend = wanted_backend()

    def observe(state: Any, *inputs: Tensor) -> tuple[Prediction, Any]:
        with use_backend(backend):
            return model.advance(state, Inputs(*inputs))

    return partial(checkpoint, observe, use_reentrant=False) if recompute else observe


def _bounds(cut_every: tuple[int, int] | None, segment_len: int, steps: int) -> list[int]:
    """Where segments begin and end, given where the model may be cut."""
    if cut_every is None:
        return [0, steps]
    length, before = cut_every
    segment = math.ceil(segment_len / length) * length
    return [0, *range(segment - before, steps, segment), steps]
