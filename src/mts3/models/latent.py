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

    @property
    def _like(self) -> Tensor:
        """A tensor of the model's dtype, on its device; found sooner than its first parameter."""
        return self.fast.marginalization.gain

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

    @abstractmethod
    def _next(
        self,
        state: Any,
        obs: Float[Tensor, "B 1 O"],
        action: Float[Tensor, "B 1 A"],
        obs_mask: Bool[Tensor, "B 1 O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Belief, Any]:
        """`_believe` for a single step, without what only sequences need: a (B) belief, and the state after it."""

    def _step(
        self,
        state: Any,
        obs: Float[Tensor, "B O"],
        action: Float[Tensor, "B A"],
        obs_mask: Bool[Tensor, "B O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, Any]:
        belief, after = self._next(state, obs[:, None], action[:, None], obs_mask[:, None], plan)
        return self.fast.decode(belief.map(lambda fields: fields.unsqueeze(1))), after

    def _imagine(self, state: Any, actions: Float[Tensor, "B T A"]) -> Prediction:
        return self.fast.decode(self._believe(state, None, actions, None, None)[0])

    def _imagine_mean(self, state: Any, actions: Float[Tensor, "B T A"]) -> Float[Tensor, "B T O"]:
        return self.fast.decoder.mean(self._believe(state, None, actions, None, None)[0])


def last(beliefs: Belief) -> Belief:
    """(B) beliefs after the last step of (B, T) beliefs; a copy, for a view would keep those of all steps alive."""
    return beliefs.map(lambda fields: fields[:, -1].clone())
