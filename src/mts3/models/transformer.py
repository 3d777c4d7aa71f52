"""Transformers: one that predicts every step directly, one that feeds its own predictions back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from mts3.layers.causal_transformer import CausalTransformer, Past
from mts3.layers.sizes import check_sizes
from mts3.layers.step_io import GaussianHeads, step_features
from mts3.models.base import WorldModel
from mts3.models.inputs import Inputs
from mts3.models.state import State
from mts3.prediction import Prediction
from mts3.types import Float, Tensor


@dataclass(frozen=True)
class TransformerState(State):
    """Attributes: past: keys and values of the last steps, one record a layer."""

    past: Past


@dataclass(frozen=True)
class FedBackState(TransformerState):
    """Attributes: predicted: mean of the belief about the next observation, (B, O); zeros before any."""

    predicted: Float[Tensor, "B O"]


class TransformerModel(WorldModel):
    """One token a step, a linear map of (obs, mask, action); a causal trunk; mean and variance heads.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        width, heads, layers, memory_len: Of the trunk, see `CausalTransformer`.
        decoder_hidden: Units of the heads' hidden layers.
        reward: Also predict the reward of each step, `Prediction.reward`.
    Raises:
        ValueError: for a size below 1 or a width that the heads do not divide.

    Attributes:
        change_scale: (O,) if the heads predict changes in these units, see `DeltaTarget`; None if observations.
    """

    cut_anywhere = True
    change_scale: Tensor | None

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        memory_len: int = 1024,
        decoder_hidden: int = 120,
        reward: bool = False,
    ) -> None:
        super().__init__(obs_dim, action_dim)
        check_sizes(decoder_hidden=decoder_hidden)
        self.trunk = CausalTransformer(width, heads, layers, memory_len)
        self.embed = nn.Linear(2 * obs_dim + action_dim, width)
        self.heads = GaussianHeads(width, obs_dim, decoder_hidden, reward)
        self.register_buffer("change_scale", None)

    def predict_changes(self, scale: Float[Tensor, " O"]) -> None:
        """What is fed back stays an observation."""
        self.change_scale = scale.clone()

    def _features(
        self, obs: Tensor, actions: Tensor, mask: Tensor, past: Past, missing: Tensor | None = None
    ) -> tuple[Tensor, Past]:
        """Features (B, T, W) of all steps in one parallel pass; `missing` (B, T, O) replaces what was not observed."""
        return self.trunk(self.embed(step_features(obs, mask, actions, missing)), past)


class TransformerMulti(TransformerModel):
    """Direct multi-step Transformer: an unobserved step is a token that says so and carries its action.

    Nothing predicted is fed back, so a forecast of any length is one parallel pass and its errors do not pile up.
    Constructor as `TransformerModel`.

    Reference: the multi-step Transformer baseline of Shaj et al. 2023 (arXiv 2310.18534), section 6, in spirit.
        Differs from it in: causal attention, one trunk, positions by ALiBi, the mask in the token.
    """

    name = "transformer_multi"

    def initial_state(self, batch_size: int) -> TransformerState:
        """The state before anything was observed."""
        return TransformerState(self.trunk.initial(batch_size))

    def advance(self, state: TransformerState, given: Inputs) -> tuple[Prediction, TransformerState]:
        """See `WorldModel.advance`."""
        obs, mask = given.observed(self.obs_dim)
        features, past = self._features(obs, given.actions, mask, state.past)
        return self.heads(features), TransformerState(tuple(layer.settled() for layer in past))


class TransformerAR(TransformerModel):
    """Autoregressive Transformer: where obs[t] is missing, its own mean of obs[t], predicted at t-1, takes its place.

    The mask still says what was not observed, dimension by dimension. Constructor as `TransformerModel`.

    Fully observed stretches are one parallel pass each, a step with a gap waits for the prediction before it. In
    training mode the gradient stops at what is fed back: a rollout without gradient fills the gaps, then one parallel
    pass over the filled sequence predicts, the same values again, with gradient. Going back through hundreds of steps
    of rollout would take minutes a batch; the inputs learned from are exactly the model's own predictions all the same.

    Reference: Vaswani et al. 2017 (arXiv 1706.03762); feeding back in training as in Bengio et al. 2015
        (arXiv 1506.03099). Differs from it in: what was observed is always fed, what was not never is; no sampling.
    """

    name = "transformer_ar"

    def initial_state(self, batch_size: int) -> FedBackState:
        """The state before anything was observed."""
        return FedBackState(self.trunk.initial(batch_size), self.like.new_zeros(batch_size, self.obs_dim))

    def advance(self, state: FedBackState, given: Inputs) -> tuple[Prediction, FedBackState]:
        """See `WorldModel.advance`."""
        gradient, (obs, mask) = torch.is_grad_enabled(), given.observed(self.obs_dim)
        with torch.set_grad_enabled(gradient and not self.training):
            features, past, fed, predicted = self._rollout(state, obs, given.actions, mask)
        if gradient and self.training:
            features, past = self._features(obs, given.actions, mask, state.past, fed)
        return self.heads(features), FedBackState(tuple(layer.settled() for layer in past), predicted)

    def _rollout(
        self, state: FedBackState, obs: Tensor, actions: Tensor, mask: Tensor
    ) -> tuple[Tensor, Past, Tensor, Tensor]:
        """Features of all steps, each prediction awaited where it is needed.

        Also the memory after them, what was fed as observations (B, T, O), and what is predicted last (B, O).
        """
        steps = obs.shape[1]
        complete = mask.all(-1).all(0).tolist()
        # A segment begins at every gap and is complete after its first step: one parallel pass each.
        bounds = [0, *(t for t in range(1, steps) if not complete[t]), steps]
        # Without gradient nothing needs the earlier keys as they were: writing in place spares copying them each step.
        past = state.past if torch.is_grad_enabled() else tuple(layer.with_room(steps) for layer in state.past)
        predicted, features, fed = state.predicted, [], []
        for start, stop in pairwise(bounds):
            part = slice(start, stop)
            fed.append(torch.where(mask[:, part], obs[:, part], predicted[:, None]))
            here, past = self._features(obs[:, part], actions[:, part], mask[:, part], past, fed[-1])
            predicted = self._observation(self.heads.mean(here[:, -1:])[:, 0], fed[-1][:, -1])
            features.append(here)
        return torch.cat(features, 1), past, torch.cat(fed, 1), predicted

    def _observation(self, predicted: Float[Tensor, "B O"], now: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
        """The mean of obs[t+1] that the heads predict, obs[t] being `now`."""
        return predicted if self.change_scale is None else now + predicted * self.change_scale
