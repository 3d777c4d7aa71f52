"""A belief about the state to a Gaussian belief about the observation."""

from __future__ import annotations

from torch import nn
from torch.nn.functional import softplus

from mts3.gaussian import Belief
from mts3.layers.decoders.base import DECODERS, Decoder
from mts3.layers.encoder import VAR_FLOOR
from mts3.layers.mlp import mlp
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


@DECODERS.register("gaussian")
class GaussianDecoder(Decoder):
    """Two MLPs: the mean from (mu_u, mu_l), the variance from (var_u, s, var_l).

    Args:
        latent_obs_dim: D.
        obs_dim: O.
        hidden_dim: Units of each hidden layer.
    Reference: Becker et al. 2019 (arXiv 1905.07357), section 3.3; variance softplus(.) + 1e-4.
    """

    def __init__(self, latent_obs_dim: int, obs_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.mean_net = nn.Sequential(
            nn.Linear(2 * latent_obs_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, obs_dim)
        )
        self.var_net = nn.Sequential(
            nn.Linear(3 * latent_obs_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, obs_dim)
        )

    def mean(self, belief: Belief) -> Float[Tensor, "B T O"]:
        """The mean of the observation alone."""
        return mlp(self.mean_net, belief.mean)

    def var(self, belief: Belief) -> Float[Tensor, "B T O"]:
        """The variance of the observation alone."""
        return softplus(mlp(self.var_net, belief.cov)) + VAR_FLOOR

    def forward(self, belief: Belief) -> Prediction:
        """Prediction (B, T, O) from (B, T) beliefs."""
        return Prediction(self.mean(belief), self.var(belief))
