"""Control: an action to a shift of the state."""

from __future__ import annotations

from torch import nn

from mts3.layers.mlp import mlp
from mts3.types import Float, Tensor


class Control(nn.Module):
    """b(a), an MLP with layer normalisation before its last layer.

    Args:
        action_dim: A >= 1.
        latent_obs_dim: D.
        hidden_dim: Units of the hidden layer.
    Reference: Shaj et al. 2020 (arXiv 2010.10201), section 3.2.
    """

    def __init__(self, action_dim: int, latent_obs_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(action_dim, hidden_dim),
            nn.ReLU(),
            nn.LayerNorm(hidden_dim),
            nn.Linear(hidden_dim, 2 * latent_obs_dim),
        )

    def forward(self, actions: Float[Tensor, "*batch A"]) -> Float[Tensor, "*batch twoD"]:
        """The shift of the mean, (*batch, 2D)."""
        return mlp(self.net, actions)
