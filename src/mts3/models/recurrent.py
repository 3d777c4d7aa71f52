"""LSTM and GRU: the baselines everybody compares with, the mask being an input."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from mts3.layers.recurrence import Memory, Recurrence
from mts3.layers.sizes import check_sizes
from mts3.layers.step_io import GaussianHeads, StepEncoder
from mts3.models.base import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.state import State
from mts3.prediction import Prediction


@dataclass(frozen=True)
class RecurrentState(State):
    """Attributes: memory: (hidden,) of a GRU, (hidden, cell) of an LSTM, each (B, L, U)."""

    memory: Memory


class RecurrentModel(WorldModel):
    """MLP encoder, one fused recurrence over all steps, mean and variance heads.

    A step reads (obs * mask, mask, action). What is missing is zero with mask 0; nothing predicted is fed back, so a
    gap is crossed by the memory alone and open loop costs what filtering costs.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        units: U, of each recurrent layer.
        layers: L, recurrent layers.
        encoding_dim: Size of an encoded step.
        encoder_hidden, decoder_hidden: Units of the hidden layers.
        reward: Also predict the reward of each step, `Prediction.reward`.
    Raises:
        ValueError: for a size below 1.
    """

    static_step = True
    cut_anywhere = True
    cell: type[nn.GRU] | type[nn.LSTM]

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        units: int = 150,
        layers: int = 1,
        encoding_dim: int = 60,
        encoder_hidden: int = 120,
        decoder_hidden: int = 120,
        reward: bool = False,
    ) -> None:
        super().__init__(obs_dim, action_dim)
        check_sizes(
            units=units,
            layers=layers,
            encoding_dim=encoding_dim,
            encoder_hidden=encoder_hidden,
            decoder_hidden=decoder_hidden,
        )
        self.encoder = StepEncoder(obs_dim, action_dim, encoding_dim, encoder_hidden)
        self.recurrence = Recurrence(self.cell, encoding_dim, units, layers)
        self.heads = GaussianHeads(units, obs_dim, decoder_hidden, reward)

    def initial_state(self, batch_size: int) -> RecurrentState:
        """The state before anything was observed."""
        return RecurrentState(self.recurrence.initial(batch_size))

    def advance(self, state: RecurrentState, given: Inputs) -> tuple[Prediction, RecurrentState]:
        """See `WorldModel.advance`."""
        encoded = self.encoder(*given.observed(self.obs_dim), given.actions)
        features, memory = self.recurrence(encoded, state.memory)
        return self.heads(features), RecurrentState(memory)


class LSTM(RecurrentModel):
    """Long short-term memory, see `RecurrentModel`.

    Reference: Hochreiter & Schmidhuber 1997, Neural Computation 9(8).
    """

    name = "lstm"
    cell = nn.LSTM


class GRU(RecurrentModel):
    """Gated recurrent units, see `RecurrentModel`.

    Reference: Cho et al. 2014 (arXiv 1406.1078).
    """

    name = "gru"
    cell = nn.GRU
