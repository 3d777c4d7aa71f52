"""Networks and maps put together, so that one product does the work of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn.functional import layer_norm

from mts3.gaussian import Belief
from mts3.layers import Control, GaussianMarginalization
from mts3.types import Tensor


class Merged:
    """Two-layer networks side by side on one input.

    Args:
        nets: The networks.
        reads: Which columns of the input each of them reads.
        width: Columns of the input.
        halves: Put out the first half of what each says, then the second half of each.
    """

    def __init__(
        self, nets: Sequence[nn.Sequential], reads: Sequence[list[int]], width: int, halves: bool = False
    ) -> None:
        first, last = [[cast(nn.Linear, net[i]) for net in nets] for i in (0, 2)]
        rows = [layer.weight.new_zeros(layer.out_features, width) for layer in first]
        for row, layer, columns in zip(rows, first, reads, strict=True):
            row[:, columns] = layer.weight
        weight, bias = torch.block_diag(*(layer.weight for layer in last)), torch.cat([layer.bias for layer in last])
        if halves:
            order = torch.arange(len(bias)).unflatten(0, (len(nets), 2, -1)).transpose(0, 1).flatten()
            weight, bias = weight[order], bias[order]
        self.first = torch.cat([layer.bias for layer in first]), torch.cat(rows).T.contiguous()
        self.last = bias, weight.T.contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """The outputs side by side."""
        (b1, w1), (b2, w2) = self.first, self.last
        return torch.addmm(b2, torch.addmm(b1, x, w1).relu_(), w2)


class MergedControl:
    """What an action adds to a belief (B, 5D): the scaled shift, and nothing to the covariance."""

    def __init__(self, control: Control, gain: Tensor) -> None:
        first, last = cast(nn.Linear, control.net[0]), cast(nn.Linear, control.net[3])
        norm = cast(nn.LayerNorm, control.net[2])
        self.size, self.eps = norm.normalized_shape, norm.eps
        self.first = first.bias.clone(), first.weight.T.clone(memory_format=torch.contiguous_format)  # held: no views
        # The weights of the normalisation and the gain go into the last layer.
        weight, bias = last.weight * norm.weight, torch.addmv(last.bias, last.weight, norm.bias)
        nothing = weight.new_zeros(3 * len(gain) // 2, weight.shape[1])
        self.last = torch.cat((bias * gain, nothing[:, 0])), torch.cat((weight * gain[:, None], nothing)).T.contiguous()

    def __call__(self, action: Tensor) -> Tensor:
        """The shift as a row."""
        (b1, w1), (b2, w2) = self.first, self.last
        return torch.addmm(b2, layer_norm(torch.addmm(b1, action, w1).relu(), self.size, eps=self.eps), w2)


def joint(part: GaussianMarginalization, with_actions: bool = False) -> tuple[Tensor, Tensor]:
    """Matrix (parents, 5D) and bias of a latent given its parents: each moved by its map, then scaled, plus noise.

    `with_actions` the second parent is the abstract action, mean and variance (B, 4D): its halves do not correlate.
    """
    dim = part.gain.shape[0] // 2
    # A linear map of (mean, cov) is what it does to unit vectors.
    unit = torch.eye(5 * dim, dtype=part.gain.dtype)
    moved = [transition().apply(Belief(unit[:, : 2 * dim], unit[:, 2 * dim :])) for transition in part.transitions]
    rows = [torch.cat((belief.mean, belief.cov), -1) for belief in moved]
    noise, cov_gain = part.noise_and_gain()
    gain = torch.cat((part.gain, cov_gain))
    rows[1:] = [row * gain for row in rows[1:]]
    if with_actions:
        rows[1] = torch.cat((rows[1][: 3 * dim], rows[1][4 * dim :]))
    return torch.cat(rows), torch.cat((torch.zeros_like(part.gain), noise))
