"""RKN and Ac-RKN: one latent state, filtered step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mts3.gaussian import Belief
from mts3.layers import GaussianMarginalization, make_transition
from mts3.layers.sizes import check_sizes
from mts3.models.fast_level import make_fast_level
from mts3.models.inputs import Inputs
from mts3.models.latent import LatentModel, last
from mts3.models.state import State
from mts3.types import Tensor


@dataclass(frozen=True)
class AcRKNState(State):
    """Attributes: prior: belief about the latent state at the next step, before its observation, (B) beliefs."""

    prior: Belief

    @property
    def batch_size(self) -> int:
        """B; asked at every step, hence without a search for the first tensor."""
        return self.prior.mean.shape[0]


def initial_belief(batch_size: int, dim: int, like: Tensor) -> Belief:
    """Mean 0, var 10, side covariance 1, in the dtype and on the device of `like`."""
    ones = torch.ones(batch_size, dim, dtype=like.dtype, device=like.device)
    return Belief.from_halves(0.0 * ones, 0.0 * ones, 10.0 * ones, ones, 10.0 * ones)


class AcRKN(LatentModel):
    """Action-conditional recurrent Kalman network: state_t -> state_{t+1}, shifted by b(a_t).

    With transition="dense", "banded" or "modal" it is the paper's linear relative, and MTS3 with one level.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        latent_obs_dim: D; the latent state has 2D dimensions.
        transition: "locally_linear" (the paper's), "dense", "banded" or "modal".
        transition_init: "oscillator", "identity" or "published".
        bandwidth: Of a banded or locally linear transition.
        bases: K, of a locally linear transition.
        encoder_hidden, control_hidden, decoder_hidden: Units of the hidden layers.
        image_shape: (C, H, W) if observations are images, flat in the last axis.
        reward: Whether a second decoder predicts the reward, `Prediction.reward`.
        decoder: The likelihood of an observation, "gaussian" or "student_t", see `mts3.layers.DECODERS`.
    Reference: Shaj et al. 2020 (arXiv 2010.10201). Differs from the paper in: how the bases start (stable and close to
        each other), and what pushes the state is scaled, see `mts3.layers.transitions.base.input_gain`.
    """

    name = "acrkn"
    cut_anywhere = True

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        latent_obs_dim: int = 30,
        transition: str = "locally_linear",
        transition_init: str = "oscillator",
        bandwidth: int = 3,
        bases: int = 15,
        encoder_hidden: int = 120,
        control_hidden: int = 120,
        decoder_hidden: int = 240,
        image_shape: Sequence[int] | None = None,
        reward: bool = False,
        decoder: str = "gaussian",
    ) -> None:
        super().__init__(obs_dim, action_dim)
        check_sizes(latent_obs_dim=latent_obs_dim)
        self.latent_obs_dim = latent_obs_dim
        self.static_step = image_shape is None
        own = make_transition(transition, latent_obs_dim, transition_init, bandwidth, bases)
        self.fast = make_fast_level(
            obs_dim,
            action_dim if self.uses_actions else 0,
            latent_obs_dim,
            GaussianMarginalization(latent_obs_dim, [own]),
            encoder_hidden,
            control_hidden,
            decoder_hidden,
            decoder,
            image_shape,
            reward,
        )

    def initial_state(self, batch_size: int) -> AcRKNState:
        """The state before anything was observed."""
        return AcRKNState(initial_belief(batch_size, self.latent_obs_dim, self.like))

    def believe(self, state: AcRKNState, given: Inputs) -> tuple[Belief, AcRKNState]:
        """See `LatentModel.believe`."""
        noise = self.fast.marginalization.offset([])
        beliefs = self.fast.observe(self.fast.problem(state.prior, noise, given))
        return beliefs, AcRKNState(last(beliefs))


class RKN(AcRKN):
    """Recurrent Kalman network: state_t -> state_{t+1}, whatever is done. Actions are accepted and not looked at.

    Arguments as for `AcRKN`.

    Reference: Becker et al. 2019 (arXiv 1905.07357). Differs from the paper in: what `AcRKN` differs in.
    """

    name = "rkn"
    uses_actions = False
