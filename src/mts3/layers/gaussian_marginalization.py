"""Marginalization as a layer: a latent from any number of parents, each through a transition of its own."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from itertools import islice

import torch
from torch import nn

from mts3.gaussian import Belief
from mts3.layers.process_noise import ProcessNoise
from mts3.layers.transitions import Transition, input_gain
from mts3.types import Float, Tensor


class GaussianMarginalization(nn.Module):
    """p(z') for z' = M_1 z_1 + G (sum_{p>1} M_p z_p + b + noise), with learned M_p and noise.

    See `mts3.gaussian.marginalize`, whose parts are put together here in the order that costs least. The diagonal G is
    fixed, from `input_gain` of the first transition: that of the latent onto itself.

    Args:
        dim: D.
        transitions: One for each parent, in the order the beliefs are given.
        memory: False leaves the lower half of z' at exactly zero: nothing pushes it. The transitions must agree, see
            `make_transition`.
    """

    gain: Tensor

    def __init__(self, dim: int, transitions: Sequence[Transition], memory: bool = True) -> None:
        super().__init__()
        self.transitions = nn.ModuleList(transitions)
        self.noise = ProcessNoise(dim)
        gain = input_gain(transitions[0])
        self.register_buffer("gain", torch.cat((gain, gain if memory else torch.zeros_like(gain))))

    def forward(self, parents: Sequence[Belief], shift: Float[Tensor, "*batch twoD"] | None = None) -> Belief:
        """The belief about z'.

        Args:
            parents: (*batch) beliefs, one for each transition.
            shift: b, deterministic.
        Raises:
            ValueError: if the number of parents is not the number of transitions.
        """
        if len(parents) != len(self.transitions):
            raise ValueError(f"expected {len(self.transitions)} parents, one for each transition, got {len(parents)}")
        return self.transitions[0]().apply(parents[0]) + self.offset(parents[1:], shift)

    def offset(self, others: Sequence[Belief], shift: Float[Tensor, "*batch twoD"] | None = None) -> Belief:
        """All but the first parent's part: what a loop over the first parent can compute for all steps beforehand.

        Args:
            others: The beliefs of every parent but the first.
            shift: b, deterministic.
        """
        noise, cov_gain = self.noise_and_gain()
        moved = [m().apply(other) for m, other in zip(islice(self.transitions, 1, None), others, strict=True)]
        if moved:
            pushed = reduce(operator.add, moved)
            offset = Belief(self.scaled(pushed.mean), torch.addcmul(noise, pushed.cov, cov_gain))
        else:
            offset = Belief(torch.zeros_like(self.gain), noise)
        return offset if shift is None else self.shifted(offset, shift)

    def shifted(self, offset: Belief, shift: Float[Tensor, "*batch twoD"]) -> Belief:
        """`offset`, computed without a shift, with it."""
        mean = offset.mean + self.scaled(shift)
        return Belief(mean, offset.cov.expand(*mean.shape[:-1], -1))

    def noise_and_gain(self) -> tuple[Float[Tensor, " threeD"], Float[Tensor, " threeD"]]:
        """The process noise as it enters, and what G does to the three covariance fields."""
        upper, lower = self.gain.chunk(2)
        gain = torch.cat((upper * upper, upper * lower, lower * lower))
        return self.noise() * gain, gain

    def scaled(self, shift: Float[Tensor, "*batch twoD"]) -> Float[Tensor, "*batch twoD"]:
        """G b: a shift as it enters."""
        return shift * self.gain
