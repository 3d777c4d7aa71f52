"""Encoders: observations and actions to latent evidence."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import softplus

from mts3.gaussian import Evidence, evidence_of
from mts3.layers.mlp import blocked_evidence, goes_in_blocks, mlp
from mts3.types import Bool, Float, Tensor

VAR_FLOOR = 1e-4
"""No latent observation and no prediction is trusted more than this (normalized units)."""


CHANGE_GAIN = 10.0
"""Normalized observations move little in a step: a network sees the change if it is made as large as the rest."""


class GaussianEncoder(nn.Module):
    """MLP with one hidden layer to the mean and variance of a latent observation.

    Args:
        in_dim: Features in.
        out_dim: Size of mean and variance.
        hidden_dim: Units of the hidden layer.
    Reference: Becker et al. 2019 (arXiv 1905.07357), section 3.3; variance softplus(.) + 1e-4.
    """

    def __init__(self, in_dim: int, out_dim: int, hidden_dim: int) -> None:
        super().__init__()
        # One output layer for both heads: one large product instead of two.
        self.net = nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 2 * out_dim))

    def forward(self, x: Float[Tensor, "*batch I"]) -> tuple[Float[Tensor, "*batch J"], Float[Tensor, "*batch J"]]:
        """Mean and variance, each (*batch, out_dim)."""
        mean, raw_var = mlp(self.net, x).chunk(2, -1)
        return mean, softplus(raw_var) + VAR_FLOOR

    def evidence(self, x: Float[Tensor, "*batch I"], mask: Bool[Tensor, "*batch"] | None = None) -> Evidence:
        """Evidence (*batch, out_dim) of mean and variance, exactly zero where `mask` is False; None observes all."""
        if goes_in_blocks(x, self.net):
            return blocked_evidence(self.net, x, mask, VAR_FLOOR)
        mean, var = self(x)
        return evidence_of(mean, var, mask)


class ObsEncoder(nn.Module):
    """Observations with gaps to evidence about the upper half of a latent.

    The network sees (obs * mask, mask) and, for a set encoder, the phase in the window. A step with nothing
    observed gives exactly zero evidence; values under a False mask are never read.

    Args:
        obs_dim: O.
        latent_obs_dim: D.
        hidden_dim: Units of the hidden layer.
        with_phase: Append the phase, as the elements of an abstract observation need.
    """

    def __init__(self, obs_dim: int, latent_obs_dim: int, hidden_dim: int, with_phase: bool = False) -> None:
        super().__init__()
        self.encoder = GaussianEncoder(2 * obs_dim + with_phase, latent_obs_dim, hidden_dim)

    def forward(
        self,
        obs: Float[Tensor, "B T O"],
        obs_mask: Bool[Tensor, "B T O"],
        phase: Float[Tensor, "*#B T"] | None = None,
    ) -> Evidence:
        """Evidence (B, T, D) of each step on its own.

        Args:
            obs: Normalized; anything, NaN included, where `obs_mask` is False.
            obs_mask: True where observed.
            phase: (t mod H) / H of every step, of each sequence or of all alike; exactly if built with `with_phase`.
        """
        features = [torch.where(obs_mask, obs, 0.0), obs_mask.to(obs.dtype)]
        if phase is not None:
            features.append(phase[..., None].expand(*obs.shape[:2], 1))
        return self.encoder.evidence(torch.cat(features, -1), obs_mask.any(-1))


class ActionSetEncoder(nn.Module):
    """The actions of a window, each with its phase, to evidence about the abstract action (2D dimensions).

    Args:
        action_dim: A >= 1.
        latent_obs_dim: D.
        hidden_dim: Units of the hidden layer.
    """

    def __init__(self, action_dim: int, latent_obs_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.encoder = GaussianEncoder(action_dim + 1, 2 * latent_obs_dim, hidden_dim)

    def forward(self, actions: Float[Tensor, "B T A"], phase: Float[Tensor, "*#B T"]) -> Evidence:
        """Evidence (B, T, 2D) of each action on its own."""
        features = torch.cat((actions, phase[..., None].expand(*actions.shape[:2], 1)), -1)
        return self.encoder.evidence(features)


class TripleEncoder(nn.Module):
    """Transitions (o, a, o') to evidence about the hidden task of a system.

    Args:
        obs_dim: O.
        action_dim: A.
        out_dim: J, dimensions the evidence is about.
        hidden_dim: Units of the hidden layer.
        with_change: The network also sees o' - o, `CHANGE_GAIN` times larger; zero where an end was not observed.
        with_phase: Append the phase of o', as the elements of an abstract observation need.
    Reference: Shaj et al. 2022 (arXiv 2206.14697), section 3.2; change and phase are ours.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        out_dim: int,
        hidden_dim: int,
        with_change: bool = False,
        with_phase: bool = False,
    ) -> None:
        super().__init__()
        self.obs_dim, self.action_dim, self.with_change = obs_dim, action_dim, with_change
        self.encoder = GaussianEncoder((4 + with_change) * obs_dim + action_dim + with_phase, out_dim, hidden_dim)

    def forward(
        self,
        obs: Float[Tensor, "B N O"],
        obs_mask: Bool[Tensor, "B N O"],
        actions: Float[Tensor, "B N A"],
        next_obs: Float[Tensor, "B N O"],
        next_mask: Bool[Tensor, "B N O"],
        phase: Float[Tensor, "*#B N"] | None = None,
    ) -> Evidence:
        """Evidence (B, N, J) of each triple; exactly zero unless both its observations were observed.

        Values under a False mask are never read. `phase` is given exactly if built with `with_phase`.
        """
        parts = [torch.where(obs_mask, obs, 0.0), torch.where(next_mask, next_obs, 0.0)]
        masks = [obs_mask.to(obs.dtype), next_mask.to(obs.dtype)]
        features = [*parts, *masks, actions]
        if self.with_change:
            features.append(CHANGE_GAIN * torch.where(obs_mask & next_mask, parts[1] - parts[0], 0.0))
        if phase is not None:
            features.append(phase[..., None].expand(*obs.shape[:2], 1))
        return self.encoder.evidence(torch.cat(features, -1), obs_mask.any(-1) & next_mask.any(-1))
