"""Conditioning as a layer: a latent given a set of noisy observations of its upper half."""

from __future__ import annotations

from torch import nn

from mts3.gaussian import Belief, condition, evidence_of
from mts3.types import Bool, Float, Tensor


class GaussianConditioning(nn.Module):
    """p(z | w_1, ..., w_N), in closed form; nothing to learn. See `mts3.gaussian.condition`."""

    def forward(
        self,
        prior: Belief,
        obs: Float[Tensor, "*batch N D"],
        obs_var: Float[Tensor, "*batch N D"],
        obs_mask: Bool[Tensor, "*batch N"] | None = None,
    ) -> Belief:
        """The posterior.

        Args:
            prior: (*batch) beliefs with D blocks.
            obs: Latent observations w.
            obs_var: Their variances, positive.
            obs_mask: True where observed; None means all. All False returns `prior` unchanged.
        Raises:
            ValueError: if the set axis is empty, or D does not match `prior`.
        """
        if obs.shape[-2] == 0 or obs.shape[-1] != prior.dim:
            raise ValueError(
                f"expected observations (*batch, N >= 1, {prior.dim}) to match the prior, got {tuple(obs.shape)}"
            )
        return condition(prior, evidence_of(obs, obs_var, obs_mask).sum(-2))
