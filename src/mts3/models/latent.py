"""What the Kalman family shares: beliefs about a latent state, and a decoder that says what they mean."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from mts3.gaussian import Belief
from mts3.models.base import WorldModel
from mts3.models.fast_level import FastLevel
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


class LatentModel(WorldModel):
    """A model whose prediction is decoded from the belief about the next latent state.

    Attributes:
        fast: The level that is decoded.
    """

    fast: FastLevel

    @abstractmethod
    def _believe(
        self,
        state: Any,
        obs: Float[Tensor, "B T O"] | None,
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"] | None,
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Belief, Any]:
        """The belief about the next state after each step, (B, T) beliefs, and the state after the last.

        Arguments as for `_observe`; without observations and mask nothing is observed, and nothing encoded.
        """

    def _observe(
        self,
        state: Any,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, Any]:
        beliefs, after = self._believe(state, obs, actions, obs_mask, plan)
        return self.fast.decode(beliefs), after

    def _imagine(self, state: Any, actions: Float[Tensor, "B T A"]) -> Prediction:
        return self.fast.decode(self._believe(state, None, actions, None, None)[0])

    def _imagine_mean(self, state: Any, actions: Float[Tensor, "B T A"]) -> Float[Tensor, "B T O"]:
        return self.fast.decoder.mean(self._believe(state, None, actions, None, None)[0])


def last(beliefs: Belief) -> Belief:
    """(B) beliefs after the last step of (B, T) beliefs."""
    return beliefs.map(lambda fields: fields[:, -1])
