"""The protocol every model follows: state goes in and comes out, nothing is remembered in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mts3.channels import Channels
from mts3.models import store
from mts3.models.arguments import (
    batch_size_of,
    check_actions,
    check_batch,
    check_some,
    check_state,
    check_tensor,
    completed_mask,
)
from mts3.normalizer import Normalizer
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


class WorldModel(nn.Module, ABC):
    """Learned dynamics of a system with observations and, unless action_dim is 0, actions.

    Entry t of a prediction is the belief about obs[t+1] given obs[..t] and actions[..t]. Everything is in
    normalized units; `normalizer` converts. `State` is whatever immutable record a model carries between calls.

    Attributes:
        obs_dim: O.
        action_dim: A; 0 for a system without actions, where `actions` may be None.
        arguments: What the constructor was given, for saving.
        normalizer: Of the data the model was trained on; None before training.
        channels: Names, units and rate of these data; None before training.
        uses_actions: False for a model that accepts actions and does not look at them.
        target: What the network's output is about: "obs", or "delta" (see `DeltaTarget`).
        fitted_in_closed_form: Whether `mts3.train.fit` solves for the weights in place of descending gradients.
    """

    name: str = ""
    target: str = "obs"
    uses_actions: bool = True
    fitted_in_closed_form: bool = False

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = {key: value for key, value in arguments.items() if key not in ("self", "__class__")}
        self.obs_dim: int = arguments["obs_dim"]
        self.action_dim: int = arguments["action_dim"]
        self.normalizer: Normalizer | None = None
        self.channels: Channels | None = None
        for size, least in {"obs_dim": 1, "action_dim": 0, "latent_obs_dim": 1}.items():
            if arguments.get(size, least) < least:
                raise ValueError(f"expected {size} >= {least}, got {arguments[size]}")

    @abstractmethod
    def initial_state(self, batch_size: int) -> Any:
        """The state before anything was observed."""

    @abstractmethod
    def _observe(
        self,
        state: Any,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, Any]:
        """What a model is: `observe` and `step`, their arguments checked and completed.

        Args:
            state: Where to go on from.
            obs, actions, obs_mask: As in `observe`; `obs` is anything, NaN included, where the mask is False.
            plan: Known actions after the last step, as in `step`; None knows none.
        """

    def _step(
        self,
        state: Any,
        obs: Float[Tensor, "B O"],
        action: Float[Tensor, "B A"],
        obs_mask: Bool[Tensor, "B O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, Any]:
        """`_observe` for a sequence of one step; for models that get there sooner."""
        return self._observe(state, obs[:, None], action[:, None], obs_mask[:, None], plan)

    def observe(
        self,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"] | None = None,
        obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
        state: Any = None,
    ) -> tuple[Prediction, Any]:
        """Filter a sequence.

        Args:
            obs: Normalized observations. Values under a False mask are never read.
            actions: Normalized; actions[t] acts between obs[t] and obs[t+1]. Taken as planned from the start of
                their window: they may inform predictions before t inside it.
            obs_mask: True where observed; None means observed wherever `obs` is not NaN.
            state: Where to go on from; None starts afresh.
        Returns: the prediction (B, T, O) and the state after the last step.
        Raises:
            ValueError: for wrong shapes, dtypes or a NaN that the mask calls observed.
        """
        checked = self._check_sequence(obs, actions, obs_mask)
        if state is None:
            state = self.initial_state(obs.shape[0])
        check_state(state, "obs", obs.shape[0])
        return self._observe(state, *checked, None)

    def step(
        self,
        state: Any,
        obs_t: Float[Tensor, "B O"],
        action_t: Float[Tensor, "B A"] | None = None,
        obs_mask: Bool[Tensor, " B"] | Bool[Tensor, "B O"] | None = None,
        planned_actions: Float[Tensor, "B n A"] | None = None,
    ) -> tuple[Prediction, Any]:
        """One step of `observe`.

        Args:
            state: From `initial_state`, `observe` or `step`.
            obs_t, action_t, obs_mask: As in `observe`, without the time axis.
            planned_actions: What is known of the actions after t, in order; those beyond the current window are
                not used. They may be planned anew at every step.
        Returns: the prediction (B, 1, O) and the next state.
        """
        self.require_causal()
        obs, action, mask = self._check_sequence(obs_t, action_t, obs_mask, one_step=True)
        check_state(state, "obs_t", obs.shape[0])
        if planned_actions is not None:
            check_tensor("planned_actions", planned_actions, "B, n", self.action_dim, obs)
            check_batch("planned_actions", planned_actions.shape[0], "obs_t", obs.shape[0])
        return self._step(state, obs, action, mask, planned_actions)

    def require_causal(self) -> None:
        """Refuse to go step by step: for models that look ahead on purpose.

        Raises:
            UserError: if predictions depend on later observations.
        """

    def imagine(
        self, state: Any, actions: Float[Tensor, "B T A"] | None = None, horizon: int | None = None
    ) -> Prediction:
        """Predict with nothing more observed. Entry i is the belief i + 1 steps after the state's own step.

        Args:
            state: From `initial_state`, `observe` or `step`.
            actions: The actions to come, (B, T, A); any T >= 1.
            horizon: Number of steps, in place of actions when action_dim is 0.
        Raises:
            ValueError: for actions of another shape or dtype, none at all, or a state for another batch.
        """
        return self._imagine(state, self._check_imagined(state, actions, horizon))

    def imagine_mean(
        self, state: Any, actions: Float[Tensor, "B T A"] | None = None, horizon: int | None = None
    ) -> Float[Tensor, "B T O"]:
        """The mean of `imagine` alone, sooner where the variance has a decoder of its own: for planning.

        Arguments as for `imagine`.
        """
        return self._imagine_mean(state, self._check_imagined(state, actions, horizon))

    def _imagine(self, state: Any, actions: Float[Tensor, "B T A"]) -> Prediction:
        """`imagine`, its arguments checked: what `_observe` says with everything masked, or the same sooner."""
        unseen = self._like.new_zeros(*actions.shape[:2], self.obs_dim)
        return self._observe(state, unseen, actions, torch.zeros_like(unseen, dtype=torch.bool), None)[0]

    def _imagine_mean(self, state: Any, actions: Float[Tensor, "B T A"]) -> Float[Tensor, "B T O"]:
        """`imagine_mean`, its arguments checked."""
        return self._imagine(state, actions).mean

    def forward(
        self,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"] | None = None,
        obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
    ) -> Prediction:
        """`observe` from the initial state, the prediction alone."""
        return self.observe(obs, actions, obs_mask)[0]

    def save(self, path: str | Path) -> None:
        """Write `model.safetensors` and `model.json` (arguments, normalizer, channels) into the folder `path`."""
        store.save(self, Path(path))

    @property
    def _like(self) -> Tensor:
        """A tensor of the model's dtype, on its device."""
        return next(chain(self.parameters(), self.buffers()))

    def _check_sequence(
        self, obs: Tensor, actions: Tensor | None, obs_mask: Tensor | None, one_step: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Observations, actions (B, T, A) and mask (B, T, O) of a call to `observe`, or `step`, checked.

        With `one_step` nothing has the time axis.
        """
        what, done, axes = ("obs_t", "action_t", "B") if one_step else ("obs", "actions", "B, T")
        like = self._like
        check_tensor(what, obs, axes, self.obs_dim, like)
        check_some(what, obs, axes, self.obs_dim)
        if actions is None and self.action_dim == 0:
            actions = obs.new_zeros(*obs.shape[:-1], 0)
        if actions is None:
            raise ValueError(
                f"the model was built with action_dim={self.action_dim}: pass {done} ({axes}, {self.action_dim})"
            )
        check_actions(done, actions, axes, self.action_dim, like)
        if actions.shape[:-1] != obs.shape[:-1]:
            given = f"{what} {tuple(obs.shape)} and {done} {tuple(actions.shape)} differ in batch"
            if one_step:
                raise ValueError(f"{given}: pass one action for each observation")
            raise ValueError(
                f"{given} or steps: actions[t] acts between obs[t] and obs[t+1], so pass as many as observations"
            )
        return obs, actions, completed_mask(what, obs, obs_mask)

    def _check_imagined(self, state: Any, actions: Tensor | None, horizon: int | None) -> Tensor:
        """Actions (B, T, A) of a call to `imagine`, checked."""
        if actions is None and (horizon is None or self.action_dim):
            raise ValueError(
                f"imagine needs actions (B, T, {self.action_dim})" + ("" if self.action_dim else " or horizon=T")
            )
        if horizon is not None and horizon < 1:
            raise ValueError(f"expected horizon >= 1, got {horizon}")
        if actions is None:
            actions = self._like.new_zeros(batch_size_of(state), horizon or 0, 0)
        check_actions("actions", actions, "B, T", self.action_dim, self._like)
        if horizon not in (None, actions.shape[1]):
            raise ValueError(
                f"actions {tuple(actions.shape)} have {actions.shape[1]} steps and horizon={horizon}: pass one of them"
            )
        check_state(state, "actions", actions.shape[0])
        return actions
