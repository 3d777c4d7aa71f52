"""The protocol every model follows: state goes in and comes out, nothing is remembered in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from mts3 import store
from mts3.channels import Channels
from mts3.errors import UserError
from mts3.kernels import Problem
from mts3.models.arguments import (
    batch_size_of,
    check_actions,
    check_batch,
    check_some,
    check_state,
    check_tensor,
    completed_mask,
    recording,
)
from mts3.models.inputs import Inputs
from mts3.normalizer import Normalizer
from mts3.prediction import Prediction
from mts3.registry import Registry
from mts3.types import Bool, Float, Tensor

if TYPE_CHECKING:
    from mts3.online import OnlineStep


class WorldModel(nn.Module, ABC):
    """Learned dynamics of a system with observations and, unless action_dim is 0, actions.

    Entry t of a prediction is the belief about obs[t+1] given obs[..t] and actions[..t]. Everything is in
    normalized units; `normalizer` converts. A state is whatever immutable record of tensors a model carries between
    calls, see `mts3.models.state`.

    A model defines `initial_state` and `advance`. What training, long sequences, export and the command ask besides has
    safe answers here: `advance_mean` may be answered sooner; `cut_every`, `longest_plan`, `static_step`,
    `require_causal`, `predict_changes` and `filter_problem` say what a model can do.

    Attributes:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        arguments: What the constructor was given, for saving; recorded for every subclass by itself.
        normalizer: Of the data the model was trained on; None before training.
        channels: Names, units and rate of these data; None before training.
        uses_actions: False for a model that accepts actions and does not look at them.
        target: What the network's output is about: "obs", or "delta" (see `DeltaTarget`).
        longest_plan: Actions planned after a step that may change its prediction; 0: none does.
        static_step: Whether a step is one computation whatever the state and mask hold, so that it can be drawn as a
            graph; its image encoder makes a model of images another one at each step.
        cut_anywhere: Whether a sequence may be cut after any step, the state handed on; see `cut_every`.
        fitted_in_closed_form: Whether `mts3.train.fit` solves for the weights in place of descending gradients.
    """

    name: str = ""
    target: str = "obs"
    uses_actions: bool = True
    longest_plan: int = 0
    static_step: bool = False
    cut_anywhere: bool = False
    arguments: dict[str, Any]
    fitted_in_closed_form: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = recording(cls.__init__)

    def __init__(self, obs_dim: int, action_dim: int) -> None:
        super().__init__()
        self.obs_dim, self.action_dim = obs_dim, action_dim
        self.normalizer: Normalizer | None = None
        self.channels: Channels | None = None
        for size, (given, least) in {"obs_dim": (obs_dim, 1), "action_dim": (action_dim, 0)}.items():
            if given < least:
                raise ValueError(f"expected {size} >= {least}, got {given}")

    @abstractmethod
    def initial_state(self, batch_size: int) -> Any:
        """The state before anything was observed."""

    @abstractmethod
    def advance(self, state: Any, given: Inputs) -> tuple[Prediction, Any]:
        """What a model is: `observe` and `step`, their arguments checked and completed.

        Args:
            state: Where to go on from.
            given: Observations or none, their mask, actions and plan.
        """

    def advance_mean(self, state: Any, given: Inputs) -> Float[Tensor, "B T O"]:
        """The means of `advance` alone; for models that get there sooner."""
        return self.advance(state, given)[0].mean

    def cut_every(self, state: Any) -> tuple[int, int] | None:
        """Where a sequence that goes on from `state` may be cut in two without changing anything.

        Returns: (length, before): after each `length` steps, `before` of which lie before the state; None: nowhere.
        """
        return (1, 0) if self.cut_anywhere else None

    def require_causal(self) -> None:
        """Refuse to go step by step: for models that look ahead on purpose.

        Raises:
            UserError: if predictions depend on later observations.
        """

    def predict_changes(self, scale: Float[Tensor, " O"]) -> None:
        """Hear that the network's output is read as the change of the observation, in units of `scale`.

        For models that feed their own predictions back.
        """

    def filter_problem(self) -> Problem | None:
        """What the model asks a filter backend for, as short as it gets; None for one that does not filter."""

    @property
    def like(self) -> Tensor:
        """A tensor of the model's dtype, on its device."""
        return next(chain(self.parameters(), self.buffers()))

    def online(self) -> OnlineStep:
        """`step` for one sequence, prepared once: the same numbers in a fraction of the time, see `mts3.online`.

        Raises:
            UserError: if the model has a part that is not known exactly, in words.
        """
        from mts3.online import OnlineStep  # the layer above: nothing in the models looks at it

        return OnlineStep(self)

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
        given = self.check_sequence(obs, actions, obs_mask)
        if state is None:
            state = self.initial_state(obs.shape[0])
        check_state(state, "obs", obs.shape[0])
        return self.advance(state, given)

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
        return self.advance(state, self.check_step(state, obs_t, action_t, obs_mask, planned_actions))

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
        return self.advance(state, Inputs(self._check_imagined(state, actions, horizon)))[0]

    def imagine_mean(
        self, state: Any, actions: Float[Tensor, "B T A"] | None = None, horizon: int | None = None
    ) -> Float[Tensor, "B T O"]:
        """The mean of `imagine` alone, sooner where the variance has a decoder of its own: for planning.

        Arguments as for `imagine`.
        """
        return self.advance_mean(state, Inputs(self._check_imagined(state, actions, horizon)))

    def forward(
        self,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"] | None = None,
        obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
    ) -> Prediction:
        """`observe` from the initial state, the prediction alone."""
        return self.observe(obs, actions, obs_mask)[0]

    def save(self, path: str | Path) -> None:
        """Write `model.safetensors` and `model.json` (arguments, normalizer, channels) into the folder `path`.

        Raises:
            UserError: see `require_registered`.
        """
        self.require_registered()
        description = {
            "model": self.name,
            "arguments": self.arguments,
            "target": self.target,
            "normalizer": self.normalizer.as_lists() if self.normalizer else None,
            **(self.channels.as_json() if self.channels else {}),
        }
        store.save(Path(path), description, self.state_dict())

    def require_registered(self) -> None:
        """Refuse a class that `mts3.load` would not find again under its name.

        Raises:
            UserError: with what to call.
        """
        built = self.saved_class
        if MODELS.get(self.name) is not built:
            raise UserError(
                f"a {built.__name__} cannot be saved: '{self.name}' in mts3.models.MODELS is not this class; give it a "
                f"name of its own, and call MODELS.register(name)({built.__name__}) before saving and loading"
            )

    @property
    def saved_class(self) -> type[WorldModel]:
        """What `arguments` build."""
        return type(self)

    def check_step(
        self, state: Any, obs_t: Tensor, action_t: Tensor | None, obs_mask: Tensor | None, plan: Tensor | None
    ) -> Inputs:
        """The arguments of a call to `step`, checked and completed: a sequence of one step.

        Raises:
            ValueError: for what `step` refuses.
        """
        obs, action, mask = self._checked("obs_t", obs_t, "action_t", action_t, obs_mask)
        check_state(state, "obs_t", len(obs))
        if plan is not None:
            check_tensor("planned_actions", plan, "B, n", self.action_dim, obs)
            check_batch("planned_actions", len(plan), "obs_t", len(obs))
        return Inputs(action[:, None], obs[:, None], mask[:, None], plan)

    def check_sequence(self, obs: Tensor, actions: Tensor | None, obs_mask: Tensor | None) -> Inputs:
        """The arguments of a call to `observe`, checked and completed.

        Raises:
            ValueError: for what `observe` refuses.
        """
        obs, actions, mask = self._checked("obs", obs, "actions", actions, obs_mask)
        return Inputs(actions, obs, mask)

    def _checked(
        self, what: str, obs: Tensor, done: str, actions: Tensor | None, obs_mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Observations, actions and mask of one step, (B, n), or of a sequence, (B, T, n), by the names of both."""
        axes, like = ("B", self.like) if what == "obs_t" else ("B, T", self.like)
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
            if what == "obs_t":
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
            actions = self.like.new_zeros(batch_size_of(state), horizon or 0, 0)
        check_actions("actions", actions, "B, T", self.action_dim, self.like)
        if horizon not in (None, actions.shape[1]):
            raise ValueError(
                f"actions {tuple(actions.shape)} have {actions.shape[1]} steps and horizon={horizon}: pass one of them"
            )
        check_state(state, "actions", actions.shape[0])
        return actions


MODELS: Registry[type[WorldModel]] = Registry("model")
"""Name -> class. A model of your own enters with `MODELS.register(name)(its class)`, and is built, saved and loaded."""
