"""Two GRUs at two rates: what a hierarchy of time scales is worth without Gaussian beliefs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from mts3.layers.recurrence import Recurrence
from mts3.layers.sizes import check_sizes
from mts3.layers.step_io import GaussianHeads, StepEncoder
from mts3.layers.windows import Windows
from mts3.models.base import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.state import State
from mts3.prediction import Prediction
from mts3.types import Float, Int, Tensor


@dataclass(frozen=True)
class TwoRateState(State):
    """What both GRUs remember, and where in a window we are.

    Attributes:
        fast: Hidden state after the last step, (B, U).
        closed: Hidden state of the slow GRU after the last closed window, (B, V).
        gathered: Sum of the encodings of the open window so far, (B, E).
        steps: (B,) steps already taken in the open window, 0 <= steps < H, on the CPU.
    """

    fast: Float[Tensor, "B U"]
    closed: Float[Tensor, "B V"]
    gathered: Float[Tensor, "B E"]
    steps: Int[Tensor, " B"]


class TwoRateGRU(WorldModel):
    """A slow GRU over windows and a fast GRU over steps, the slow hidden state being an input of the fast one.

    e_t = MLP(obs_t * mask_t, mask_t, action_t);  s_k = GRU(s_{k-1}, mean of e over window k);
    f_t = GRU(f_{t-1}, (e_t, s_{k-1})) for t in window k.
    The fast GRU sees the last *closed* window, so all windows, then all steps, are one fused call each and causal.
    Missing steps are zeros with mask 0, nothing is fed back. Windows are counted from the start of the state.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        window_len: H, fast steps per slow step.
        units: U, of the fast GRU.
        slow_units: V, of the slow GRU.
        encoding_dim: E.
        encoder_hidden, decoder_hidden: Units of the hidden layers.
        reward: Also predict the reward of each step, `Prediction.reward`.
    Raises:
        ValueError: for a size below 1.
    """

    name = "gru_two_rate"
    static_step = True
    cut_anywhere = True

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        window_len: int = 30,
        units: int = 100,
        slow_units: int = 100,
        encoding_dim: int = 60,
        encoder_hidden: int = 120,
        decoder_hidden: int = 120,
        reward: bool = False,
    ) -> None:
        super().__init__(obs_dim, action_dim)
        check_sizes(
            window_len=window_len,
            units=units,
            slow_units=slow_units,
            encoding_dim=encoding_dim,
            encoder_hidden=encoder_hidden,
            decoder_hidden=decoder_hidden,
        )
        self.window_len = window_len
        self.encoding_dim = encoding_dim
        self.encoder = StepEncoder(obs_dim, action_dim, encoding_dim, encoder_hidden)
        self.slow = Recurrence(nn.GRU, encoding_dim, slow_units)
        self.fast = Recurrence(nn.GRU, encoding_dim + slow_units, units)
        self.heads = GaussianHeads(units, obs_dim, decoder_hidden, reward)

    def initial_state(self, batch_size: int) -> TwoRateState:
        """The state before anything was observed, at the start of a window."""
        (fast,), (closed,) = self.fast.initial(batch_size), self.slow.initial(batch_size)
        return TwoRateState(
            fast[:, 0],
            closed[:, 0],
            fast.new_zeros(batch_size, self.encoding_dim),
            torch.zeros(batch_size, dtype=torch.long),
        )

    def advance(self, state: TwoRateState, given: Inputs) -> tuple[Prediction, TwoRateState]:
        """See `WorldModel.advance`."""
        windows = Windows.of(state.steps, given.steps, self.window_len)
        encoded = self.encoder(*given.observed(self.obs_dim), given.actions)
        sums = windows.cut(encoded, state.gathered).sum(2)
        after, _ = self.slow(sums / self.window_len, (state.closed[:, None],))
        before = torch.cat((state.closed[:, None], after[:, :-1]), 1)
        inputs = torch.cat((encoded, windows.at_steps(before.unsqueeze(2))), -1)
        features, (fast,) = self.fast(inputs, (state.fast[:, None],))
        closed = windows.last_closed(state.closed, after)
        return self.heads(features), TwoRateState(fast[:, 0], closed, windows.still_open(sums), windows.after)
