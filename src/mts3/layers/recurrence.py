"""Gated recurrence over a whole sequence in one fused call, with its memory in and out."""

from __future__ import annotations

import torch
from torch import nn

from mts3.types import Float, Tensor

Memory = tuple[Float[Tensor, "B L U"], ...]
"""(hidden,) of a GRU, (hidden, cell) of an LSTM, each (B, L, U): layers, units. Batch leads, unlike in torch."""


class Recurrence(nn.Module):
    """A stack of GRU or LSTM layers.

    Args:
        cell: torch.nn.GRU or torch.nn.LSTM. The forget gates of an LSTM start open (bias 1): what enters the memory
            first stays there.
        in_dim: E, features in.
        units: U.
        layers: L.
    Reference: Cho et al. 2014 (arXiv 1406.1078); Hochreiter & Schmidhuber 1997; forget bias: Jozefowicz et al. 2015.
    """

    def __init__(self, cell: type[nn.GRU] | type[nn.LSTM], in_dim: int, units: int, layers: int = 1) -> None:
        super().__init__()
        self.rnn = cell(in_dim, units, layers, batch_first=True)
        self.units, self.layers = units, layers
        self.tensors = 2 if cell is nn.LSTM else 1
        if cell is nn.LSTM:
            for layer in range(layers):
                getattr(self.rnn, f"bias_ih_l{layer}").data[units : 2 * units] = 1.0

    def train(self, mode: bool = True) -> Recurrence:
        """As for any module, but the fused cell stays as it is in training, which changes no number.

        In evaluation mode cuDNN refuses to go backwards, and a planner differentiates models in that mode.
        """
        super().train(mode)
        self.rnn.train()
        return self

    def initial(self, batch_size: int) -> Memory:
        """Zeros."""
        parameter = next(self.parameters())
        shape = (batch_size, self.layers, self.units)
        return tuple(torch.zeros(shape, dtype=parameter.dtype, device=parameter.device) for _ in range(self.tensors))

    def forward(self, x: Float[Tensor, "B T E"], memory: Memory) -> tuple[Float[Tensor, "B T U"], Memory]:
        """The hidden state of the last layer after each step, and the memory after the last step."""
        if torch.is_autocast_enabled(x.device.type):
            # A memory that is rounded to 8 bits at every step forgets; and on a CPU there is no fused LSTM in bfloat16.
            with torch.autocast(x.device.type, enabled=False):
                return self(x.to(next(self.parameters()).dtype), memory)
        given = tuple(part.transpose(0, 1).contiguous() for part in memory)
        outputs, left = self.rnn(x, given if self.tensors > 1 else given[0])
        left = left if isinstance(left, tuple) else (left,)
        return outputs, tuple(part.transpose(0, 1) for part in left)
