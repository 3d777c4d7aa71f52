"""What the Kalman family shares: beliefs about a latent state, and a decoder that says what they mean."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from mts3.gaussian import Belief, Evidence
from mts3.kernels import Problem
from mts3.models.base import WorldModel
from mts3.models.fast_level import FastLevel
from mts3.models.inputs import Inputs
from mts3.models.slow_level import SlowLevel
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


class LatentModel(WorldModel):
    """A model whose prediction is decoded from the belief about the next latent state.

    Attributes:
        fast: The level that is decoded.
    """

    fast: FastLevel

    @property
    def like(self) -> Tensor:
        """A tensor of the model's dtype, on its device; found sooner than its first parameter."""
        return self.fast.marginalization.gain

    def levels(self) -> list[SlowLevel]:
        """The slow levels, shortest windows first."""
        return []

    @abstractmethod
    def believe(self, state: Any, given: Inputs) -> tuple[Belief, Any]:
        """The belief about the next state after each step, (B, T) beliefs, and the state after the last.

        Arguments as for `advance`; where nothing is observed, nothing is encoded.
        """

    def advance(self, state: Any, given: Inputs) -> tuple[Prediction, Any]:
        """`believe`, decoded."""
        beliefs, after = self.believe(state, given)
        return self.fast.decode(beliefs), after

    def advance_mean(self, state: Any, given: Inputs) -> Float[Tensor, "B T O"]:
        """Without decoding the variance."""
        return self.fast.decoder.mean(self.believe(state, given)[0])

    def filter_problem(self) -> Problem:
        """A step of the fast level: backends are chosen by types, dtypes and devices."""
        prior: Belief = self.initial_state(1).prior
        nothing = prior.upper_mean.unsqueeze(1)
        return Problem(
            prior, self.fast.marginalization.transitions[0](), prior.unsqueeze(1), Evidence(nothing, nothing)
        )


def last(beliefs: Belief) -> Belief:
    """(B) beliefs after the last step of (B, T) beliefs; a copy, for a view would keep those of all steps alive."""
    return beliefs.map(lambda fields: fields[:, -1].clone())
