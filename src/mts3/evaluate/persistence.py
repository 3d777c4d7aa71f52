"""The first baseline: nothing changes."""

from __future__ import annotations

import torch

from mts3.types import Bool, Float, Tensor


def persistence(
    obs: Float[Tensor, "B T O"], obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None
) -> Float[Tensor, "B T O"]:
    """The last value seen, for every later step: mean[t] = obs[s] with s <= t the last observed step, per dimension.

    Args:
        obs: Normalized observations; values under a False mask are never read.
        obs_mask: True where observed; None means where not NaN.
    Returns:
        Entry t predicts obs[t+1]; 0, the mean of the training data, before anything was seen.
    """
    seen = observed(obs, obs_mask)
    steps = torch.arange(obs.shape[1], device=obs.device)[:, None]
    last_seen = torch.where(seen, steps, -1).cummax(dim=1).values
    # Before the first value, index 0 is not seen either: 0.
    return torch.where(seen, obs, 0.0).gather(1, last_seen.clamp(min=0))


def observed(obs: Float[Tensor, "B T O"], obs_mask: Tensor | None) -> Bool[Tensor, "B T O"]:
    """True where a value was observed: not NaN, and not hidden by a (B, T) or (B, T, O) mask."""
    seen = ~torch.isnan(obs)
    if obs_mask is None:
        return seen
    return seen & (obs_mask[..., None] if obs_mask.ndim == 2 else obs_mask)
