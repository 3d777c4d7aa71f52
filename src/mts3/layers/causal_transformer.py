"""A causal Transformer trunk that goes on where it stopped."""

from __future__ import annotations

import torch
from torch import nn

from mts3.layers.attention import alibi_slopes, attend, bias_for
from mts3.layers.key_values import KeyValues
from mts3.layers.sizes import check_sizes
from mts3.types import Float, Tensor

Past = tuple[KeyValues, ...]
"""What each layer remembers."""


class TransformerBlock(nn.Module):
    """Attention, then an MLP of four times the width, each on normalized input and added to the stream.

    Args:
        width: W.
        heads: N, a divisor of W.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        # No bias: softmax does not see what is added to all keys alike.
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.project = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: Float[Tensor, "B T W"], past: KeyValues, bias: Float[Tensor, "N rows columns"]
    ) -> tuple[Float[Tensor, "B T W"], KeyValues]:
        """The stream after the block, and all keys and values, those of these steps included."""
        split = self.query_key_value(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1))
        query, keys, values = split.permute(2, 0, 3, 1, 4)
        known = past.append(keys, values)
        attended = attend(query, known.keys, known.values, bias)
        x = x + self.project(attended.transpose(1, 2).flatten(2))
        return x + self.mlp(x), known


class CausalTransformer(nn.Module):
    """Pre-norm Transformer whose step t sees the steps t - memory_len < j <= t, over any number of calls.

    Positions enter as ALiBi, a penalty on how long ago a step was: nothing depends on where a sequence began, so any
    length is valid and a call may go on where another stopped. Through L layers a step is reached by what happened
    up to L * (memory_len - 1) steps before.

    Args:
        width: W, features of the stream.
        heads: N attention heads of W / N features.
        layers: L.
        memory_len: Steps a layer looks back, the current one included.
    Raises:
        ValueError: for a size below 1 or a width that the heads do not divide.
    Reference: Vaswani et al. 2017 (arXiv 1706.03762); pre-norm: Xiong et al. 2020 (arXiv 2002.04745);
        positions: Press et al. 2022 (arXiv 2108.12409).
    """

    slopes: Tensor

    def __init__(self, width: int, heads: int, layers: int, memory_len: int) -> None:
        super().__init__()
        check_sizes(width=width, heads=heads, layers=layers, memory_len=memory_len)
        if width % heads:
            raise ValueError(f"width {width} does not divide into {heads} heads: choose a width that is a multiple")
        self.width, self.heads, self.memory_len = width, heads, memory_len
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("slopes", alibi_slopes(heads), persistent=False)

    def initial(self, batch_size: int) -> Past:
        """Nothing remembered."""
        like = next(self.parameters())
        shape = (batch_size, self.heads, 0, self.width // self.heads)
        nothing = torch.zeros(shape, dtype=like.dtype, device=like.device)
        return tuple(KeyValues(nothing, nothing) for _ in self.blocks)

    def forward(self, x: Float[Tensor, "B T W"], past: Past) -> tuple[Float[Tensor, "B T W"], Past]:
        """Features of each step, and what is remembered after the last: at most memory_len - 1 steps a layer."""
        bias = bias_for(self.slopes, past[0].keys.shape[2], x.shape[1], self.memory_len)
        kept = []
        for block, known in zip(self.blocks, past, strict=True):
            x, known = block(x, known, bias)
            kept.append(known.last(self.memory_len - 1))
        return self.norm(x), tuple(kept)
