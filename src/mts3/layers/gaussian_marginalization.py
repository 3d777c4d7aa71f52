"""Marginalization as a layer: a latent from any number of parents, each through a transition of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
from torch import nn

from mts3.gaussian import Belief, marginalize
from mts3.layers.process_noise import ProcessNoise
from mts3.layers.transition import Transition, input_gain
from mts3.types import Float, Tensor


class GaussianMarginalization(nn.Module):
    """p(z') for z' = M_1 z_1 + G (sum_{p>1} M_p z_p + b + noise), with learned M_p and noise.

    See `mts3.gaussian.marginalize`. The diagonal G is fixed, from `input_gain` of the first transition: that of the
    latent onto itself.

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
        maps = [transition() for transition in islice(self.transitions, 1, None)]
        pushed = marginalize(list(zip(maps, others, strict=True)), self.noise(), shift)
        upper, lower = self.gain.chunk(2)
        return Belief(self.scaled(pushed.mean), pushed.cov * torch.cat((upper * upper, upper * lower, lower * lower)))

    def scaled(self, shift: Float[Tensor, "*batch twoD"]) -> Float[Tensor, "*batch twoD"]:
        """G b: a shift as it enters, for adding to an `offset` computed without it."""
        return shift * self.gain
