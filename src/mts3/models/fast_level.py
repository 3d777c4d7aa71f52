"""The fast level: a latent state, filtered step by step, that other beliefs and actions push along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from mts3.gaussian import Belief, Evidence
from mts3.kernels import filter_sequence, filter_step
from mts3.layers import Control, GaussianDecoder, GaussianMarginalization, make_decoder, make_obs_encoder
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


class FastLevel(nn.Module):
    """state_t -> state_{t+1} through the first transition, any other parents through the others, shifted by b(a_t).

    With `task_dim` the shift is b(a_t, E[task]): what an action does may depend on the task. As a locally linear
    transition does with the state, it takes the mean for known: uncertainty enters through the parents alone.

    Encoders, control and decoders run once over all steps; the loop over time holds only Gaussian algebra.

    Args:
        obs_dim: O.
        action_dim: A; 0 drops the shift.
        latent_obs_dim: D.
        marginalization: The state from itself, then from each other parent.
        encoder_hidden, control_hidden, decoder_hidden: Units of the hidden layers.
        image_shape: (C, H, W) if observations are images.
        reward: Whether a second decoder tells the reward.
        task_dim: Size of the task mean that the shift looks at; 0 for none.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        latent_obs_dim: int,
        marginalization: GaussianMarginalization,
        encoder_hidden: int,
        control_hidden: int,
        decoder_hidden: int,
        image_shape: Sequence[int] | None = None,
        reward: bool = False,
        task_dim: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = make_obs_encoder(obs_dim, latent_obs_dim, encoder_hidden, image_shape=image_shape)
        self.control = Control(action_dim + task_dim, latent_obs_dim, control_hidden) if action_dim else None
        self.marginalization = marginalization
        self.decoder = make_decoder(latent_obs_dim, obs_dim, decoder_hidden, image_shape=image_shape)
        self.reward_decoder = GaussianDecoder(latent_obs_dim, 1, decoder_hidden) if reward else None

    def offset(self, parents: Sequence[Belief]) -> Belief:
        """What the other parents and the process noise add at each step; any batch shape."""
        return self.marginalization.offset(parents)

    def observe(
        self,
        prior: Belief,
        offset: Belief,
        obs: Float[Tensor, "B T O"] | None,
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"] | None,
        detach_at: frozenset[int] = frozenset(),
        task: Float[Tensor, "B T task_dim"] | None = None,
    ) -> Belief:
        """Filter a sequence.

        Args:
            prior: p(state_0), (B) beliefs.
            offset: From `offset`, (B, T) beliefs or broadcasting to them.
            obs, actions, obs_mask: As in `WorldModel.observe`, checked; no observations and no mask observe nothing.
            detach_at: Steps before which the gradient of the state is cut.
            task: Mean of the task at each step, exactly if built with `task_dim`.
        Returns: the belief about the next state after each step, (B, T) beliefs, for `decode`.
        """
        evidence: Evidence | None = None if obs is None else self.encoder(obs, obs_mask)
        shifted = self._shifted(offset, actions, task).map(lambda fields: fields.expand(*actions.shape[:2], -1))
        return filter_sequence(prior, self.marginalization.transitions[0](), shifted, evidence, detach_at)

    def step(
        self,
        prior: Belief,
        offset: Belief,
        obs: Float[Tensor, "B 1 O"],
        action: Float[Tensor, "B 1 A"],
        obs_mask: Bool[Tensor, "B 1 O"],
        task: Float[Tensor, "B task_dim"] | None = None,
    ) -> Belief:
        """One step of `observe`, (B) beliefs in and out."""
        evidence: Evidence = self.encoder(obs, obs_mask).map(_now)
        shifted = self._shifted(offset, _now(action), task)
        return filter_step(prior, self.marginalization.transitions[0](), shifted, evidence)

    def _shifted(
        self, offset: Belief, actions: Float[Tensor, "*batch A"], task: Float[Tensor, "*batch task_dim"] | None
    ) -> Belief:
        """`offset`, its mean moved by what the actions do."""
        if self.control is None:
            return offset
        told = actions if task is None else torch.cat((actions, task), -1)
        return self.marginalization.shifted(offset, self.control(told))

    def decode(self, beliefs: Belief) -> Prediction:
        """Prediction (B, T, O) from (B, T) beliefs, with the reward if it was asked for."""
        pred: Prediction = self.decoder(beliefs)
        if self.reward_decoder is not None:
            pred = replace(pred, reward=self.reward_decoder(beliefs))
        return pred


def _now(steps: Tensor) -> Tensor:
    """(B, F) of a sequence (B, 1, F) of one step."""
    return steps.squeeze(1)
