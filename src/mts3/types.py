"""Shape legend and aliases.

B batch, T steps, K windows, H steps a window, N set size, D latent_obs_dim, O obs_dim, A action_dim, L levels.
Batch leads, time is the axis just before features: observations are (B, T, O).

Shapes are annotations, ``Float[Tensor, "B T O"]``; the tests execute them.
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Bool", "Float", "Int", "Tensor"]
