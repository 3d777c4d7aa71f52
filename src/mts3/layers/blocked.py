"""Two-layer MLPs, a block of rows at a time: the same numbers, sooner.

On a CPU a small network over many rows waits for memory: each of its layers writes all rows out and reads them back.
Here a block of rows goes through the whole network while its activations are in cache, and only inputs are kept:
the backward pass computes the hidden layer again, in about the time that reading it would take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn.functional import layer_norm, linear, relu

from mts3.types import Float, Tensor

BLOCK = 1024
"""Rows at a time for each thread: 240 hidden units of them fill 1 MB, the level-2 cache of one core."""

aten = torch.ops.aten  # the derivatives that autograd itself uses, with a place for their result


class BlockedMLP(torch.autograd.Function):
    """y = k W2' + b2,   k = h or layer_norm(h),   h = relu(x W1' + b1).

    With g = dL/dy and a = x W1' + b1 the derivatives are, summed over blocks,

        dW2 = g' k,   db2 = sum g,   dk = g W2,   dh = dk or that through layer_norm,
        da = dh where h > 0, else 0,   dW1 = da' x,   db1 = sum da,   dx = da W1.

    Args of `apply`: x (N, I), W1 (H, I), b1 (H), W2 (J, H), b2 (J), and the `eps` of a layer normalisation without
    weights, or None for no normalisation. Returns y (N, J). Derivatives of any order: those of a derivative are taken
    from the formula above in plain PyTorch.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, eps: float | None) -> Tensor:
        """y (N, J)."""
        y, scratch = x.new_empty(len(x), len(b2)), _scratch(x, len(b1))
        for rows in blocks(len(x)):
            h = _hidden(x[rows], w1, b1, scratch)
            torch.addmm(b2, h if eps is None else _normalized(h, eps)[0], w2.t(), out=y[rows])
        ctx.save_for_backward(x, w1, b1, w2, b2)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """dx, dW1, db1, dW2, db2 of g (N, J)."""
        if torch.is_grad_enabled():
            return *differentiable(partial(_plain, ctx.eps), ctx, grads), None
        x, w1, b1, w2, b2 = ctx.saved_tensors
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        # The input is the narrow side: dW1' = x' da runs up to five times as fast as da' x.
        dw1, db1, dw2, db2 = x.new_zeros(w1.shape[::-1]), *map(torch.zeros_like, (b1, w2, b2))
        learns = any(ctx.needs_input_grad[1:])
        scratch, other = _scratch(x, len(b1)), _scratch(x, len(b1))
        for rows in blocks(len(x)):
            g, h = grads[0][rows], _hidden(x[rows], w1, b1, scratch)
            k, *moments = (h,) if ctx.eps is None else _normalized(h, ctx.eps)
            da = torch.mm(g, w2, out=other[: len(h)])
            if moments:
                da = aten.native_layer_norm_backward(da, h, h.shape[1:], *moments, None, None, [True, False, False])[0]
            aten.threshold_backward.grad_input(da, h, 0, grad_input=da)
            if dx is not None:
                torch.mm(da, w1, out=dx[rows])
            if learns:
                dw2.addmm_(g.t(), k)
                db2 += g.sum(0)
                dw1.addmm_(x[rows].t(), da)
                db1 += da.sum(0)
        return dx, dw1.t(), db1, dw2, db2, None


def blocks(rows: int) -> Iterator[slice]:
    """All rows, in slices of `BLOCK` for each thread."""
    size = BLOCK * torch.get_num_threads()
    return (slice(start, start + size) for start in range(0, rows, size))


def differentiable(function: Callable[..., Any], ctx: Any, grads: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """The derivatives of a plain `function` of the saved tensors, as parts of a graph (create_graph=True)."""
    # Aliases: the derivative by one input must not run through another that was computed from it.
    inputs = [tensor.view_as(tensor) for tensor in ctx.saved_tensors]
    wanted = [i for i, tensor in enumerate(inputs) if ctx.needs_input_grad[i]]
    found = torch.autograd.grad(function(*inputs), [inputs[i] for i in wanted], grads, create_graph=True)
    by_input = dict(zip(wanted, found, strict=True))
    return tuple(by_input.get(i) for i in range(len(inputs)))


def _scratch(x: Tensor, width: int) -> Tensor:
    """Room for one block of rows."""
    return x.new_empty(min(len(x), BLOCK * torch.get_num_threads()), width)


def _hidden(x: Float[Tensor, "N I"], w1: Tensor, b1: Tensor, scratch: Tensor) -> Float[Tensor, "N H"]:
    """relu(x W1' + b1), written to `scratch`."""
    return torch.addmm(b1, x, w1.t(), out=scratch[: len(x)]).relu_()


def _normalized(h: Float[Tensor, "N H"], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Each row with mean 0 and variance 1, and the moments its derivative needs."""
    width = h.shape[1:]
    # With weights of one PyTorch takes its fast path; None would be slower.
    return torch.native_layer_norm(h, width, h.new_ones(width), h.new_zeros(width), eps)


def _plain(eps: float | None, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    h = relu(linear(x, w1, b1))
    return linear(h if eps is None else layer_norm(h, h.shape[1:], eps=eps), w2, b2)
