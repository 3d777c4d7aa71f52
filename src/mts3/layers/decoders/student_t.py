"""A belief about the state to a belief with heavy tails about the observation."""

from __future__ import annotations

from mts3.gaussian import Belief
from mts3.layers.decoders.base import DECODERS
from mts3.layers.decoders.gaussian import GaussianDecoder
from mts3.likelihoods.student_t import StudentT


@DECODERS.register("student_t")
class StudentTDecoder(GaussianDecoder):
    """Mean and variance as of `GaussianDecoder`, of Student's t distributions: outliers weigh less in the loss."""

    def forward(self, belief: Belief) -> StudentT:
        """Prediction (B, T, O) from (B, T) beliefs."""
        return StudentT(self.mean(belief), self.var(belief))
