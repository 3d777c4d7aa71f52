"""What a black-box sequence model reads at each step, and what it says there: the same for every baseline."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import softplus

from mts3.layers.encoder import VAR_FLOOR, GaussianEncoder
from mts3.layers.mlp import mlp
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


def step_features(
    obs: Float[Tensor, "B T O"],
    obs_mask: Bool[Tensor, "B T O"],
    actions: Float[Tensor, "B T A"],
    missing: Float[Tensor, "B T O"] | None = None,
) -> Float[Tensor, "B T I"]:
    """(obs * mask, mask, action) of every step, I = 2 O + A.

    Args:
        obs: Normalized; anything, NaN included, where `obs_mask` is False.
        obs_mask: True where observed.
        actions: Normalized.
        missing: What stands in for unobserved entries; None means zeros. The mask says False there all the same.
    """
    # where() and not a product: 0 * NaN is NaN.
    filled = torch.where(obs_mask, obs, torch.zeros_like(obs) if missing is None else missing)
    return torch.cat((filled, obs_mask.to(obs.dtype), actions), -1)


class StepEncoder(nn.Module):
    """MLP with one hidden layer from the features of a step to its encoding.

    Args:
        obs_dim: O.
        action_dim: A; may be 0.
        out_dim: E, size of an encoding.
        hidden_dim: Units of the hidden layer.
    """

    def __init__(self, obs_dim: int, action_dim: int, out_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2 * obs_dim + action_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, out_dim)
        )

    def forward(
        self, obs: Float[Tensor, "B T O"], obs_mask: Bool[Tensor, "B T O"], actions: Float[Tensor, "B T A"]
    ) -> Float[Tensor, "B T E"]:
        """Encodings (B, T, E); arguments as in `step_features`."""
        return mlp(self.net, step_features(obs, obs_mask, actions))


class GaussianHeads(nn.Module):
    """Hidden features of step t to Gaussian beliefs: about obs[t+1] and, if asked for, about the reward of step t.

    Mean and variance of the observation come from an MLP each, as in `GaussianDecoder`; those of the reward share one.

    Args:
        in_dim: F, features in.
        obs_dim: O.
        hidden_dim: Units of each hidden layer.
        reward: Whether there is a reward head.
    """

    def __init__(self, in_dim: int, obs_dim: int, hidden_dim: int, reward: bool) -> None:
        super().__init__()
        self.mean_net = nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, obs_dim))
        self.var_net = nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, obs_dim))
        self.reward_net = GaussianEncoder(in_dim, 1, hidden_dim) if reward else None

    def mean(self, features: Float[Tensor, "B T F"]) -> Float[Tensor, "B T O"]:
        """The mean of the observation alone."""
        return mlp(self.mean_net, features)

    def forward(self, features: Float[Tensor, "B T F"]) -> Prediction:
        """Prediction (B, T, O), with `reward` (B, T, 1) if there is a head for it; variance softplus(.) + 1e-4."""
        reward = None if self.reward_net is None else Prediction(*self.reward_net(features))
        return Prediction(self.mean(features), softplus(mlp(self.var_net, features)) + VAR_FLOOR, reward)
