"""What a decoder is, and the registry that each enters from its own file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import nn

from mts3.gaussian import Belief
from mts3.prediction import Prediction
from mts3.registry import Registry
from mts3.types import Float, Tensor


class Decoder(nn.Module, ABC):
    """Beliefs about the state to beliefs about the observation."""

    @abstractmethod
    def mean(self, belief: Belief) -> Float[Tensor, "B T O"]:
        """The mean of the observation alone, for planning."""

    @abstractmethod
    def forward(self, belief: Belief) -> Prediction:
        """Prediction (B, T, O) from (B, T) beliefs."""


DECODERS: Registry[Callable[[int, int, int], Decoder]] = Registry("decoder")
"""Name -> what makes a decoder from latent_obs_dim, obs_dim and hidden_dim."""
