"""Causal attention over a sliding window of steps, positions entering only through how long ago a step was."""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention

from mts3.types import Float, Tensor

BLOCK = 256
"""Queries attended to at a time: memory grows linearly with the steps, and most of the future is never touched."""


def alibi_slopes(heads: int) -> Float[Tensor, " N"]:
    """2^(-8 n / N) for head n = 1..N: from heads that see the last few steps to heads that see hundreds.

    Reference: Press et al. 2022 (arXiv 2108.12409), section 3.
    """
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)


def alibi_bias(
    slopes: Float[Tensor, " N"], queries: int, keys: int, memory_len: int
) -> Float[Tensor, "N queries keys"]:
    """What is added to the scores: -slope * (i - j), and -inf outside 0 <= i - j < memory_len.

    The last query is the step of the last key, so a corner of the result, counted from its end, serves shorter calls.

    Args:
        slopes: Of each head.
        queries, keys: How many, queries <= keys.
        memory_len: Steps a query sees, its own included.
    """
    i = torch.arange(keys - queries, keys, device=slopes.device)
    ago = i[:, None] - torch.arange(keys, device=slopes.device)
    hidden = (ago < 0) | (ago >= memory_len)
    return (-slopes[:, None, None] * ago).masked_fill(hidden, -torch.inf)


def bias_for(slopes: Float[Tensor, " N"], past: int, steps: int, memory_len: int) -> Float[Tensor, "N rows columns"]:
    """The bias of one block of queries, the same for all blocks of a call and for all layers.

    Args:
        slopes: Of each head.
        past: Steps remembered from earlier calls.
        steps: T, steps of this call.
        memory_len: As in `alibi_bias`.
    """
    rows = min(steps, BLOCK)
    return alibi_bias(slopes, rows, min(past + steps, rows + memory_len - 1), memory_len)


def attend(
    query: Float[Tensor, "B N T C"],
    keys: Float[Tensor, "B N S C"],
    values: Float[Tensor, "B N S C"],
    bias: Float[Tensor, "N rows columns"],
) -> Float[Tensor, "B N T C"]:
    """softmax(query keys' / sqrt(C) + bias) values, block by block.

    Args:
        query: Of the last T of S steps, N heads.
        keys, values: Of all S steps.
        bias: From `bias_for`.
    """
    steps, known = query.shape[2], keys.shape[2]
    rows, columns = bias.shape[1:]
    bias = bias.to(query.dtype)
    blocks = []
    for start in range(0, steps, rows):
        here = query[:, :, start : start + rows]
        end = known - steps + start + here.shape[2]
        reach = slice(max(0, end - columns), end)
        corner = bias[:, rows - here.shape[2] :, columns - (reach.stop - reach.start) :]
        blocks.append(scaled_dot_product_attention(here, keys[:, :, reach], values[:, :, reach], corner[None]))
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, 2)
