"""Is what a model calls a prediction one?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mts3.types import Float, Tensor

if TYPE_CHECKING:
    from mts3.models import WorldModel

CUTS = (0.618, 0.236, 0.854, 0.472, 0.090, 0.708)  # of the steps: multiples of the golden section share no period
SHIFT = 10.0  # standard deviations of the data: hard to miss for whoever looks
TOLERANCE = 1e-4  # of a standard deviation of the belief: rounding that differs from run to run


def is_causal(model: WorldModel, obs: Float[Tensor, "B T O"], actions: Float[Tensor, "B T A"]) -> bool:
    """Whether changing obs[cut:] leaves the beliefs before `cut` where they were.

    Several cuts are tried: a model that looks ahead within its windows does not look across their edges.
    """
    observed = ~torch.isnan(obs)
    before = model.observe(obs, actions, observed)[0]
    for cut in {int(fraction * obs.shape[1]) for fraction in CUTS}:
        changed = obs.clone()
        changed[:, cut:] += SHIFT
        after = model.observe(changed, actions, observed)[0]
        limit = TOLERANCE * before.std[:, :cut]
        moved = (after.mean - before.mean)[:, :cut].abs() > limit
        widened = (after.std - before.std)[:, :cut].abs() > limit
        if (moved | widened).any():
            return False
    return True
