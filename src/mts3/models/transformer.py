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
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class TransformerState:
    """Attributes: past: keys and values of the last steps, one record a layer."""

    past: Past

    @property
    def batch_size(self) -> int:
        """B."""
        return self.past[0].keys.shape[0]


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
        change_scale: (O,) if the heads tell changes in these units, see `DeltaTarget`; None if they tell observations.
    """

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
        super().__init__(locals())
        check_sizes(decoder_hidden=decoder_hidden)
        self.trunk = CausalTransformer(width, heads, layers, memory_len)
        self.embed = nn.Linear(2 * obs_dim + action_dim, width)
        self.heads = GaussianHeads(width, obs_dim, decoder_hidden, reward)
        self.register_buffer("change_scale", None)

    def _features(
        self, obs: Tensor, actions: Tensor, mask: Tensor, past: Past, missing: Tensor | None = None
    ) -> tuple[Tensor, Past]:
        """Features (B, T, W) of all steps in one parallel pass; `missing` (B, T, O) stands in for what was not seen."""
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

    def _observe(
        self,
        state: TransformerState,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, TransformerState]:
        features, past = self._features(obs, actions, obs_mask, state.past)
        return self.heads(features), TransformerState(tuple(layer.settled() for layer in past))


class TransformerAR(TransformerModel):
    """Autoregressive Transformer: where obs[t] is missing, its own mean of obs[t], predicted at t-1, takes its place.

    The mask still says what was not observed, dimension by dimension. Constructor as `TransformerModel`.

    In evaluation mode (`model.eval()`, as `mts3.load` returns it) this is exact: fully observed stretches are one
    parallel pass each, a step with a gap waits for the prediction before it. **In training mode `observe` differs**:
    rolling out hundreds of steps one by one, and going back through all of them, is too slow to learn by. Parallel
    scheduled sampling instead passes over the whole sequence `training_passes` times: first with zeros for what is
    missing, then with the means predicted by the pass before, and with gradient the last time. After n passes
    everything before the n-th missing step is exact; further on the model learns to go on from inputs that are
    nearly its own predictions.

    Reference: Mihaylova & Martins 2019 (arXiv 1906.07651), "Scheduled sampling for Transformers". Differs from it in:
        what was observed is always fed, what was not never is; no sampling. Bengio et al. 2015 (arXiv 1506.03099).
    """

    name = "transformer_ar"
    training_passes = 2
    """Passes over a sequence in training mode, at least 1."""

    def initial_state(self, batch_size: int) -> FedBackState:
        """The state before anything was observed."""
        return FedBackState(self.trunk.initial(batch_size), self._like.new_zeros(batch_size, self.obs_dim))

    def _observe(
        self,
        state: FedBackState,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, FedBackState]:
        run = self._scheduled if self.training else self._rollout
        features, past, predicted = run(state, obs, actions, obs_mask)
        return self.heads(features), FedBackState(tuple(layer.settled() for layer in past), predicted)

    def _rollout(self, state: FedBackState, obs: Tensor, actions: Tensor, mask: Tensor) -> tuple[Tensor, Past, Tensor]:
        """Features of all steps, each prediction awaited where it is needed; also what is predicted last, (B, O)."""
        steps = obs.shape[1]
        complete = mask.all(-1).all(0).tolist()
        # A segment begins at every gap and is complete after its first step: one parallel pass each.
        bounds = [0, *(t for t in range(1, steps) if not complete[t]), steps]
        # Without gradient nothing needs the earlier keys as they were: writing in place spares copying them each step.
        past = state.past if torch.is_grad_enabled() else tuple(layer.with_room(steps) for layer in state.past)
        predicted, features = state.predicted, []
        for start, stop in pairwise(bounds):
            part = slice(start, stop)
            missing = predicted[:, None].expand(-1, stop - start, -1)
            here, past = self._features(obs[:, part], actions[:, part], mask[:, part], past, missing)
            fed = torch.where(mask[:, part], obs[:, part], missing)
            predicted = self._observation(self.heads.mean(here[:, -1:])[:, 0], fed[:, -1])
            features.append(here)
        return torch.cat(features, 1), past, predicted

    def _scheduled(
        self, state: FedBackState, obs: Tensor, actions: Tensor, mask: Tensor
    ) -> tuple[Tensor, Past, Tensor]:
        """The same by parallel scheduled sampling."""
        features, past, means = None, state.past, torch.zeros_like(obs)
        for left in reversed(range(self.training_passes)):
            with torch.set_grad_enabled(torch.is_grad_enabled() and left == 0):
                features, past = self._features(obs, actions, mask, state.past, _one_later(state.predicted, means))
                means = self._observations(self.heads.mean(features), obs, mask, state.predicted)
        assert features is not None
        return features, past, means[:, -1]

    def _observation(self, told: Float[Tensor, "B O"], now: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
        """The mean of obs[t+1] that the heads tell, obs[t] being `now`."""
        return told if self.change_scale is None else now + told * self.change_scale

    def _observations(self, told: Tensor, obs: Tensor, mask: Tensor, first: Tensor) -> Float[Tensor, "B T O"]:
        """The same for a whole sequence, each mean taken for the observation where that is missing."""
        if self.change_scale is None:
            return told
        means, predicted = [], first
        for step, seen, value in zip(told.unbind(1), mask.unbind(1), obs.unbind(1), strict=True):
            predicted = self._observation(step, torch.where(seen, value, predicted))
            means.append(predicted)
        return torch.stack(means, 1)


def _one_later(first: Float[Tensor, "B O"], means: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
    """What was predicted for each step at the step before it."""
    return torch.cat((first[:, None], means[:, :-1]), 1)
