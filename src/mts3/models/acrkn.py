"""Ac-RKN with a linear transition: MTS3's one-level relative."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.gaussian import Belief
from mts3.layers.transition import make_transition
from mts3.models.base import WorldModel
from mts3.models.fast_level import FastLevel
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class AcRKNState:
    """Attributes: prior: belief about the latent state at the next step, before its observation, (B) beliefs."""

    prior: Belief

    @property
    def batch_size(self) -> int:
        """B."""
        return self.prior.mean.shape[0]


def initial_belief(batch_size: int, dim: int, like: Tensor) -> Belief:
    """Mean 0, var 10, side covariance 1, in the dtype and on the device of `like`."""
    ones = torch.ones(batch_size, dim, dtype=like.dtype, device=like.device)
    return Belief.from_halves(0.0 * ones, 0.0 * ones, 10.0 * ones, ones, 10.0 * ones)


class AcRKN(WorldModel):
    """Action-conditional recurrent Kalman network: state_t -> state_{t+1}, shifted by b(a_t).

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        latent_obs_dim: D; the latent state has 2D dimensions.
        transition: "dense", "banded" or "modal".
        transition_init: "oscillator", "identity" or "published".
        bandwidth: Of a banded transition.
        encoder_hidden, control_hidden, decoder_hidden: Units of the hidden layers.
    Reference: Shaj et al. 2020 (arXiv 2010.10201). Differs from the paper in: one linear transition in place of
        the locally linear one.
    """

    name = "acrkn"

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        latent_obs_dim: int = 30,
        transition: str = "dense",
        transition_init: str = "oscillator",
        bandwidth: int = 3,
        encoder_hidden: int = 120,
        control_hidden: int = 120,
        decoder_hidden: int = 240,
    ) -> None:
        super().__init__(locals())
        self.latent_obs_dim = latent_obs_dim
        own = make_transition(transition, latent_obs_dim, transition_init, bandwidth)
        self.fast = FastLevel(
            obs_dim, action_dim, latent_obs_dim, [own], encoder_hidden, control_hidden, decoder_hidden
        )

    def initial_state(self, batch_size: int) -> AcRKNState:
        """The state before anything was observed."""
        return AcRKNState(initial_belief(batch_size, self.latent_obs_dim, next(self.parameters())))

    def observe(
        self,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"] | None = None,
        obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
        state: AcRKNState | None = None,
    ) -> tuple[Prediction, AcRKNState]:
        """Filter a sequence, see `WorldModel.observe`."""
        obs, actions, mask = self._check_sequence(obs, actions, obs_mask)
        state = state or self.initial_state(obs.shape[0])
        self._check_batch("state", state.batch_size, obs.shape[0])
        pred, prior = self.fast.observe(state.prior, self.fast.offset([]), obs, actions, mask)
        return pred, AcRKNState(prior)

    def step(
        self,
        state: AcRKNState,
        obs_t: Float[Tensor, "B O"],
        action_t: Float[Tensor, "B A"] | None = None,
        obs_mask: Bool[Tensor, " B"] | Bool[Tensor, "B O"] | None = None,
        planned_actions: Float[Tensor, "B n A"] | None = None,
    ) -> tuple[Prediction, AcRKNState]:
        """One step of `observe`; with one time scale the plan has no influence."""
        return self.observe(*self._one_step(obs_t, action_t, obs_mask), state)
