"""Two GRUs at two rates: what a hierarchy of time scales is worth without Gaussian beliefs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import pad

from mts3.layers.recurrence import Recurrence
from mts3.layers.sizes import check_sizes
from mts3.layers.step_io import GaussianHeads, StepEncoder
from mts3.models.base import WorldModel
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class TwoRateState:
    """What both GRUs remember, and where in a window we are.

    Attributes:
        fast: Hidden state after the last step, (B, U).
        closed: Hidden state of the slow GRU after the last closed window, (B, V).
        gathered: Sum of the encodings of the open window so far, (B, E).
        steps: Steps already taken in the open window, 0 <= steps < H.
    """

    fast: Float[Tensor, "B U"]
    closed: Float[Tensor, "B V"]
    gathered: Float[Tensor, "B E"]
    steps: int

    @property
    def batch_size(self) -> int:
        """B."""
        return self.fast.shape[0]


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
        super().__init__(locals())
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
        return TwoRateState(fast[:, 0], closed[:, 0], fast.new_zeros(batch_size, self.encoding_dim), steps=0)

    def _observe(
        self,
        state: TwoRateState,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, TwoRateState]:
        encoded = self.encoder(obs, obs_mask, actions)
        contexts, gathered = self._slow(state, encoded)
        window_of_step = torch.arange(state.steps, state.steps + obs.shape[1], device=obs.device) // self.window_len
        inputs = torch.cat((encoded, contexts[:, window_of_step]), -1)
        features, (fast,) = self.fast(inputs, (state.fast[:, None],))
        steps = (state.steps + obs.shape[1]) % self.window_len
        return self.heads(features), TwoRateState(fast[:, 0], contexts[:, -1], gathered, steps)

    def _slow(self, state: TwoRateState, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """The slow hidden state before each window the call touches and after the last closed one, (B, K+1, V).

        Also the sum of encodings (B, E) of the window that stays open.
        """
        steps = state.steps + encoded.shape[1]
        closing = steps // self.window_len
        # Zeros before and after make whole windows; one more, empty, is what stays open when the last one closes.
        whole = pad(encoded, (0, 0, state.steps, (closing + 1) * self.window_len - steps))
        sums = whole.unflatten(1, (closing + 1, self.window_len)).sum(2)
        sums = torch.cat((sums[:, :1] + state.gathered[:, None], sums[:, 1:]), 1)
        contexts = state.closed[:, None]
        if closing:
            after, _ = self.slow(sums[:, :-1] / self.window_len, (state.closed[:, None],))
            contexts = torch.cat((contexts, after), 1)
        return contexts, sums[:, -1]
