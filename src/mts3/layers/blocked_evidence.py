"""The evidence an encoder ends in, a block of rows at a time: all steps of its formula while a block is in cache."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import softplus

from mts3.layers.blocked import aten, blocks, differentiable
from mts3.types import Tensor


class BlockedEvidence(torch.autograd.Function):
    """(m, s) to precision p = 1 / (softplus(s) + floor) and information p m, see `gaussian.Evidence`.

        dm = p d(information),   ds = -p^2 (d(precision) + m d(information)) softplus'(s).

    Args of `apply`: m and s side by side (N, 2J), and the floor. Returns both, each (N, J).
    """

    @staticmethod
    def forward(ctx: Any, raw: Tensor, floor: float) -> tuple[Tensor, Tensor]:
        """p and p m, each (N, J)."""
        mean, s = raw.chunk(2, 1)
        precision, information = raw.new_empty(mean.shape), raw.new_empty(mean.shape)
        for rows in blocks(len(raw)):
            # Contiguous first: on half of each row softplus takes ten times as long.
            p = torch.add(softplus(s[rows].contiguous()), floor, out=precision[rows]).reciprocal_()
            torch.mul(p, mean[rows], out=information[rows])
        ctx.save_for_backward(raw, precision)
        ctx.floor = floor
        return precision, information

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """dm and ds side by side (N, 2J)."""
        if torch.is_grad_enabled():
            return differentiable(lambda raw, _: _plain(raw, ctx.floor), ctx, grads)
        raw, precision = ctx.saved_tensors
        draw = torch.empty_like(raw)
        (mean, s), (dmean, ds) = raw.chunk(2, 1), draw.chunk(2, 1)
        for rows in blocks(len(raw)):
            p, dp, di = precision[rows], grads[0][rows], grads[1][rows]
            torch.mul(p, di, out=dmean[rows])
            dvar = torch.addcmul(dp, di, mean[rows]).mul_(p).mul_(p).neg_()
            ds[rows] = aten.softplus_backward(dvar, s[rows].contiguous(), 1, 20)
        return draw, None


def _plain(raw: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    mean, s = raw.chunk(2, 1)
    precision = (softplus(s) + floor).reciprocal()
    return precision, precision * mean
