"""A single step, prepared once: what a robot that runs PyTorch calls a hundred times a second.

    online = model.online()
    state = online.initial_state()
    pred, state = online.step(state, obs_t, action_t)     # as model.step

The weights are merged when the object is made, and held: after a training step, or when weights were loaded, call
`refresh`. States are the model's own, so `model.imagine(state, actions)` goes on from any of them. For a robot without
PyTorch, see `mts3.export`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch

from mts3.errors import UserError
from mts3.gaussian import Evidence
from mts3.kernels import exactly
from mts3.models import WorldModel
from mts3.models.latent import LatentModel
from mts3.models.slow_level import SlowState
from mts3.online.graph import MergedStep, belief_of, row
from mts3.online.known import refusal
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


class OnlineStep:
    """See the head of this file.

    Args:
        model: MTS3, AcRKN or RKN of linear transitions, flat observations and the parts they are built with.
    Raises:
        UserError: if a part of the model is not known exactly, or it needs the future; `model.step` does those.
    """

    def __init__(self, model: WorldModel) -> None:
        self.model = model
        self.refresh()

    def refresh(self) -> None:
        """Merge the weights that the model has now."""
        self.model.require_causal()
        self._merged = merged(self.model)

    def initial_state(self, batch_size: int = 1) -> Any:
        """The state before anything was observed."""
        return self.model.initial_state(batch_size)

    @torch.no_grad()
    def step(
        self,
        state: Any,
        obs_t: Float[Tensor, "B O"],
        action_t: Float[Tensor, "B A"] | None = None,
        obs_mask: Bool[Tensor, " B"] | Bool[Tensor, "B O"] | None = None,
        planned_actions: Float[Tensor, "B n A"] | None = None,
    ) -> tuple[Prediction, Any]:
        """`model.step` without gradients: arguments, results and errors as there."""
        checked = self.model.check_step(state, obs_t, action_t, obs_mask, planned_actions)
        obs, mask = (x[:, 0] for x in checked.observed(self.model.obs_dim))
        given = {"obs": obs, "obs_mask": mask, "action": checked.actions[:, 0], "prior": row(state.prior)}
        if planned_actions is not None and self.model.longest_plan:
            given["plan"] = planned_actions[:, : self.model.longest_plan]
        slow: tuple[SlowState, ...] = getattr(state, "slow", ())
        for i, part in enumerate(slow):
            given[f"slow_{i}_closed"] = row(part.closed)
            given[f"slow_{i}_gathered"] = _gathered(part)
            given[f"slow_{i}_steps"] = part.steps.to(obs)[:, None]
        with exactly(obs.device.type):
            out = self._merged.forward(given)  # not as a module: nothing is hooked on, and a call of it takes longer
        prior = belief_of(out["next_prior"])
        after = tuple(self._slow_state(i, part, out) for i, part in enumerate(slow))
        reward = None
        if "reward_mean" in out:
            reward = Prediction(out["reward_mean"][:, None], out["reward_var"][:, None])
        pred = Prediction(out["mean"][:, None], out["var"][:, None], reward)
        return pred, type(state)(prior, after) if after else replace(state, prior=prior)

    def _slow_state(self, i: int, before: SlowState, out: dict[str, Tensor]) -> SlowState:
        gathered, dim = out[f"next_slow_{i}_gathered"], before.closed.dim
        acts = before.actions is not None
        parts = gathered.split([dim, dim, 2 * dim, 2 * dim] if acts else dim, -1)
        actions = Evidence(*parts[2:]) if acts else None
        steps = out[f"next_slow_{i}_steps"][:, 0].to("cpu", torch.long)
        return SlowState(belief_of(out[f"next_slow_{i}_closed"]), Evidence(*parts[:2]), actions, steps)


def _gathered(part: SlowState) -> Float[Tensor, "B F"]:
    """What the open window has gathered as a row."""
    of_actions = () if part.actions is None else (part.actions.precision, part.actions.information)
    return torch.cat((part.obs.precision, part.obs.information, *of_actions), -1)


def merged(model: WorldModel) -> MergedStep:
    """The step of a model with its networks and maps put together.

    Raises:
        UserError: if a part of the model is not known exactly.
    """
    why = refusal(model)
    if why is not None:
        raise UserError(f"the step cannot be prepared: {why}; use model.step, which computes the same in more time")
    known = cast(LatentModel, model)
    with torch.no_grad():
        return MergedStep(known.fast, known.levels(), known.obs_dim)
