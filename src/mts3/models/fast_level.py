"""The fast level: a latent state, filtered step by step, that other beliefs and actions push along."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

import torch
from torch import nn

from mts3.gaussian import Belief, Evidence
from mts3.kernels import Problem, filter_sequence, smooth_sequence
from mts3.layers import (
    Control,
    GaussianDecoder,
    GaussianMarginalization,
    ImageObsEncoder,
    ObsEncoder,
    make_decoder,
    make_obs_encoder,
)
from mts3.layers.decoders import Decoder
from mts3.models.inputs import Inputs
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


class FastLevel(nn.Module):
    """state_t -> state_{t+1} through the first transition, any other parents through the others, shifted by b(a_t).

    The control may look at the mean of the task too, b(a_t, E[task]): what an action does may depend on the task. As a
    locally linear transition does with the state, it takes the mean for known: uncertainty enters through the parents.

    Encoders, control and decoders run once over all steps; the loop over time holds only Gaussian algebra.

    Args:
        encoder: Observations to evidence about the state.
        marginalization: The state from itself, then from each other parent.
        decoder: The state to the observation.
        control: What actions do; None without actions.
        reward_decoder: The state to the reward; None predicts none.
    """

    def __init__(
        self,
        encoder: ObsEncoder | ImageObsEncoder,
        marginalization: GaussianMarginalization,
        decoder: Decoder,
        control: Control | None = None,
        reward_decoder: Decoder | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.control = control
        self.marginalization = marginalization
        self.decoder = decoder
        self.reward_decoder = reward_decoder

    def problem(
        self,
        prior: Belief,
        parents: Belief,
        given: Inputs,
        detach_at: Container[int] = (),
        task_mean: Float[Tensor, "B T twoD"] | None = None,
    ) -> Problem:
        """The filtering problem that a sequence is: `observe` and `smooth` solve it.

        Args:
            prior: p(state_0), (B) beliefs.
            parents: What the other parents and the process noise add at each step, `marginalization.offset` of them:
                (B, T) beliefs or broadcasting to them.
            given: As in `WorldModel.advance`.
            detach_at: Steps before which the gradient of the state is cut.
            task_mean: Mean of the task at each step, exactly if the control looks at it.
        """
        evidence: Evidence | None = None if given.obs is None else self.encoder(given.obs, given.obs_mask)
        offset = parents
        if self.control is not None:
            known = given.actions if task_mean is None else torch.cat((given.actions, task_mean), -1)
            offset = self.marginalization.shifted(parents, self.control(known))
        offset = offset.map(lambda fields: fields.expand(*given.actions.shape[:2], -1))
        return Problem(prior, self.marginalization.transitions[0](), offset, evidence, detach_at)

    def observe(self, problem: Problem) -> Belief:
        """The belief about the next state after each step, (B, T) beliefs, for `decode`."""
        return filter_sequence(problem)

    def smooth(self, problem: Problem) -> Belief:
        """The belief about each state given the whole sequence, (B, T) beliefs, for `decode`: entry t is about obs[t].

        Raises:
            ValueError: if the state's own transition is not modal.
        """
        return smooth_sequence(problem)

    def decode(self, beliefs: Belief) -> Prediction:
        """Prediction (B, T, O) from (B, T) beliefs, with the reward if it was asked for."""
        pred = self.decoder(beliefs)
        if self.reward_decoder is not None:
            pred = replace(pred, reward=self.reward_decoder(beliefs))
        return pred


def make_fast_level(
    obs_dim: int,
    action_dim: int,
    latent_obs_dim: int,
    marginalization: GaussianMarginalization,
    encoder_hidden: int,
    control_hidden: int,
    decoder_hidden: int,
    decoder: str = "gaussian",
    image_shape: Sequence[int] | None = None,
    reward: bool = False,
    task_dim: int = 0,
) -> FastLevel:
    """A fast level from plain sizes, as the models' constructors take them.

    Args:
        obs_dim: O.
        action_dim: A; 0 drops the shift.
        latent_obs_dim: D.
        marginalization: See `FastLevel`.
        encoder_hidden, control_hidden, decoder_hidden: Units of the hidden layers.
        decoder: One of `mts3.layers.DECODERS`.
        image_shape: (C, H, W) if observations are images.
        reward: Whether a second decoder predicts the reward.
        task_dim: Size of the task mean that the shift looks at; 0 for none.
    """
    return FastLevel(
        make_obs_encoder(obs_dim, latent_obs_dim, encoder_hidden, image_shape=image_shape),
        marginalization,
        control=Control(action_dim + task_dim, latent_obs_dim, control_hidden) if action_dim else None,
        decoder=make_decoder(latent_obs_dim, obs_dim, decoder_hidden, decoder, image_shape),
        reward_decoder=GaussianDecoder(latent_obs_dim, 1, decoder_hidden) if reward else None,
    )
