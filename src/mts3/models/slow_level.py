"""A slow level: a latent task that lives for a window, moved by what was done in it, informed by what was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from mts3.errors import UserError, unknown_name
from mts3.gaussian import Belief, Evidence, aggregate, condition, diagonal
from mts3.kernels import filter_sequence
from mts3.layers import ActionSetEncoder, GaussianMarginalization, TripleEncoder, make_obs_encoder
from mts3.models.last_step import LastStep, last_step
from mts3.models.windows import OverWindows, add_to_last, into_windows
from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class SlowState:
    """What the slow level knows: the last closed window, and what was gathered in the open one.

    Attributes:
        closed: Posterior of the task at the end of the last closed window, (B) beliefs.
        obs: Evidence of the open window's observations so far, (B, D).
        actions: Evidence of the open window's actions so far, (B, 2D); None without actions.
        steps: Steps already taken in the open window, 0 <= steps < H.
        last: The last step, where the next transition begins; None where observations are encoded one by one.
    """

    closed: Belief
    obs: Evidence
    actions: Evidence | None
    steps: int
    last: LastStep | None = None


@dataclass(frozen=True)
class Windows:
    """The task over the windows a call touches.

    Attributes:
        prior: Given everything before the window and its planned actions, (B, K, 1) beliefs; (B, K, H) where the level
            above is itself informed step by step.
        posterior: Given its observations too, (B, K, 1) beliefs.
        evidence: Of the observation of each step, (B, K, H, D).
    """

    prior: Belief
    posterior: Belief
    evidence: Evidence


def _predicted(windows: Windows) -> Belief:
    return windows.prior


def _filtered(windows: Windows) -> Belief:
    return condition(windows.prior, windows.evidence.cumsum(2))


def _window_posterior(windows: Windows) -> Belief:
    return windows.posterior


TASK_BELIEFS: dict[str, Callable[[Windows], Belief]] = {
    "predicted": _predicted,
    "filtered": _filtered,
    "window_posterior": _window_posterior,
}


class SlowLevel(nn.Module):
    """task_{k-1} -> task_k through the first transition, and one more transition for each other parent.

    The other parents are the abstract action of window k, unless there are no actions, and the task of the level above,
    if there is one; in this order.

    Args:
        obs_dim: O.
        action_dim: A; 0 drops the abstract action.
        latent_obs_dim: D.
        window_len: H.
        marginalization: The task from its parents.
        hidden: Units of the set encoders.
        task_belief: What the level below sees: "predicted" (the window's prior), "filtered" (that prior given the
            window's observations up to t) or "window_posterior" (given all of them: not causal).
        image_shape: (C, H, W) if observations are images.
        adaptive: The elements of an abstract observation are transitions (o_{t-1}, a_{t-1}, o_t) with their change, in
            place of single observations.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        latent_obs_dim: int,
        window_len: int,
        marginalization: GaussianMarginalization,
        hidden: int,
        task_belief: str,
        image_shape: Sequence[int] | None = None,
        adaptive: bool = False,
    ) -> None:
        super().__init__()
        if window_len < 1:
            raise ValueError(f"expected window_len >= 1, got {window_len}")
        if task_belief not in TASK_BELIEFS:
            raise unknown_name("task_belief", task_belief, TASK_BELIEFS)
        self.window_len = window_len
        self.task_belief = task_belief
        self.dims = (obs_dim, action_dim) if adaptive else None
        self.obs_encoder = (
            TripleEncoder(obs_dim, action_dim, latent_obs_dim, hidden, with_change=True, with_phase=True)
            if adaptive
            else make_obs_encoder(obs_dim, latent_obs_dim, hidden, with_phase=True, image_shape=image_shape)
        )
        self.action_encoder = ActionSetEncoder(action_dim, latent_obs_dim, hidden) if action_dim else None
        self.marginalization = marginalization

    @property
    def is_causal(self) -> bool:
        """False if the level below sees observations after its own step."""
        return self.task_belief != "window_posterior"

    def require_causal(self) -> None:
        """Refuse to go step by step with a task belief that needs the future."""
        if not self.is_causal:
            raise UserError(
                "step needs a causal task_belief: 'window_posterior' looks at observations after the step; "
                "build the model with task_belief='filtered' or 'predicted'"
            )

    def initial_state(self, closed: Belief) -> SlowState:
        """Nothing gathered yet after `closed`."""
        nothing = torch.zeros_like(closed.upper_mean)
        double = torch.zeros_like(closed.mean)
        actions = None if self.action_encoder is None else Evidence(double, double)
        last = None if self.dims is None else LastStep.none(len(nothing), *self.dims, nothing)
        return SlowState(closed, Evidence(nothing, nothing), actions, steps=0, last=last)

    def observe(
        self,
        state: SlowState,
        obs: Float[Tensor, "B T O"] | None,
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"] | None,
        plan: Float[Tensor, "B n A"] | None = None,
        above: OverWindows | None = None,
    ) -> tuple[OverWindows, SlowState]:
        """Filter the task over windows.

        Args:
            state: Where to go on from.
            obs, actions, obs_mask: As in `WorldModel.observe`, checked; no observations and no mask observe nothing.
            plan: Known actions after the last step; those beyond its window are not used.
            above: What the level above lets this one see; None for the top level.
        Returns: the task belief the level below sees, and the next state.
        """
        steps = actions.shape[1]
        phase = self._phase(state.steps, steps, actions)
        seen, last = self._encode(state, obs, actions, obs_mask, phase)
        seen = into_windows(seen, state.obs, state.steps, self.window_len)
        parents, done = [], None
        if self.action_encoder is not None and state.actions is not None:
            encoded: Evidence = self.action_encoder(actions, phase)
            done = into_windows(encoded, state.actions, state.steps, self.window_len).sum(2)
            planned = add_to_last(done, self._plan_evidence(plan, state.steps + steps))
            parents.append(_abstract_action(planned))
        if above is not None:
            parents.append(above.spread(self.window_len, state.steps, seen.precision.shape[1]))
        windows = self._filter(state.closed, seen, parents)
        task = OverWindows(TASK_BELIEFS[self.task_belief](windows), self.window_len, state.steps)
        return task, replace(self._next(state, steps, windows, seen.sum(2), done), last=last)

    def step(
        self,
        state: SlowState,
        obs: Float[Tensor, "B 1 O"],
        action: Float[Tensor, "B 1 A"],
        obs_mask: Bool[Tensor, "B 1 O"],
        plan: Float[Tensor, "B n A"] | None = None,
        above: Belief | None = None,
    ) -> tuple[Belief, SlowState]:
        """One step of `observe`: the open window and nothing around it. Arguments as there, and (B) beliefs.

        Returns: the task belief the level below sees at this step, and the next state.
        """
        acts = action if plan is None else torch.cat((action, plan[:, : self.window_len - 1 - state.steps]), 1)
        phase = torch.arange(state.steps, state.steps + acts.shape[1], dtype=obs.dtype, device=obs.device)
        phase = phase / self.window_len
        new, last = self._encode(state, obs, action, obs_mask, phase[:1])
        seen, done, planned = state.obs + new.map(_last), state.actions, None
        if self.action_encoder is not None and done is not None:
            encoded: Evidence = self.action_encoder(acts, phase)
            planned = done + encoded.sum(1)
            done = done + encoded.map(lambda fields: fields[:, 0])
        task, posterior = self.believe(state.closed, seen, planned, above)
        if state.steps + 1 == self.window_len:
            return task, replace(self.initial_state(posterior), last=last)
        return task, SlowState(state.closed, seen, done, state.steps + 1, last)

    def believe(
        self, closed: Belief, seen: Evidence, planned: Evidence | None, above: Belief | None
    ) -> tuple[Belief, Belief]:
        """The task of one window, (B) beliefs: what the level below sees of it, and the posterior.

        Args:
            closed: Posterior of the window before.
            seen: Evidence of the window's observations so far, (B, D).
            planned: Evidence of its actions, done and planned, (B, 2D); None without actions.
            above: The task of the level above; None for the top level.
        """
        parents = [] if planned is None else [diagonal(*aggregate(planned))]
        parents += [] if above is None else [above]
        prior = self.marginalization.transitions[0]().apply(closed) + self.marginalization.offset(parents)
        posterior = condition(prior, seen)
        return (prior if self.task_belief == "predicted" else posterior), posterior

    def _encode(
        self, state: SlowState, obs: Tensor | None, actions: Tensor, obs_mask: Tensor | None, phase: Tensor
    ) -> tuple[Evidence, LastStep | None]:
        """Evidence (B, T, D) of each step, and where the next transition begins."""
        last = state.last
        if last is not None:
            actions = actions[..., : last.action.shape[-1]]  # none where the level does not hear of actions
        after = None if last is None else last_step(obs, obs_mask, actions, last.obs.shape[-1])
        if obs is None or obs_mask is None:
            nothing = state.obs.precision.new_zeros(()).expand(*actions.shape[:2], state.closed.dim)
            return Evidence(nothing, nothing), after
        if last is None:
            return self.obs_encoder(obs, obs_mask, phase), None
        return self.obs_encoder(*last.before(obs, obs_mask, actions), obs, obs_mask, phase), after

    def _filter(self, closed: Belief, seen: Evidence, parents: list[Belief]) -> Windows:
        """Priors and posteriors of all windows; `parents` are (B, K, 1 or H) beliefs."""
        offset = self.marginalization.offset(parents)
        total = seen.sum(2)
        if not parents:
            offset = offset.map(lambda fields: fields.expand(*total.precision.shape[:2], 1, -1))
        transition = self.marginalization.transitions[0]()
        # What the level above says at the end of the window is all that it will ever say about it.
        at_end = offset.map(lambda fields: fields[:, :, -1])
        prior = _before(at_end.map(lambda fields: fields[:, 0]) + transition.apply(closed))
        if total.precision.shape[1] > 1:
            later, before = at_end.map(lambda fields: fields[:, 1:]), total.map(lambda fields: fields[:, :-1])
            prior = _joined(prior, filter_sequence(prior.map(_last), transition, later, before))
        posterior = condition(prior, total)
        if offset.mean.shape[2] == 1:
            return Windows(_unsqueeze(prior), _unsqueeze(posterior), seen)
        earlier = _joined(_before(closed), posterior.map(lambda fields: fields[:, :-1]))
        return Windows(_unsqueeze(transition.apply(earlier)) + offset, _unsqueeze(posterior), seen)

    def _next(
        self, state: SlowState, steps: int, windows: Windows, obs: Evidence, actions: Evidence | None
    ) -> SlowState:
        """The state after the last step: its window is closed if it is full."""
        taken = (state.steps + steps) % self.window_len
        *before, last = [state.closed, *windows.posterior.map(lambda fields: fields[:, :, 0]).unbind(1)]
        if taken == 0:
            return self.initial_state(last)
        gathered = None if actions is None else actions.map(_last)
        return SlowState(before[-1], obs.map(_last), gathered, taken)

    def _plan_evidence(self, plan: Tensor | None, taken: int) -> Evidence | None:
        """Evidence (B, 2D) of the planned actions that still fall into the open window; `taken` steps are done."""
        left = -taken % self.window_len
        if plan is None or self.action_encoder is None or min(left, plan.shape[1]) == 0:
            return None
        plan = plan[:, :left]
        return self.action_encoder(plan, self._phase(taken % self.window_len, plan.shape[1], plan)).sum(1)

    def _phase(self, start: int, steps: int, like: Tensor) -> Float[Tensor, " T"]:
        """(t mod H) / H, also in a short last window."""
        index = torch.arange(start, start + steps, device=like.device) % self.window_len
        return index.to(like.dtype) / self.window_len


def _abstract_action(evidence: Evidence) -> Belief:
    """Prior N(0, 1), given the actions of each window: (B, K, 1) beliefs whose halves do not correlate."""
    return _unsqueeze(diagonal(*aggregate(evidence)))


def _before(belief: Belief) -> Belief:
    """(B) beliefs as (B, 1), the first of a sequence."""
    return belief.map(lambda fields: fields.unsqueeze(1))


def _joined(first: Belief, then: Belief) -> Belief:
    """Two sequences of beliefs as one."""
    return Belief(torch.cat((first.mean, then.mean), 1), torch.cat((first.cov, then.cov), 1))


def _unsqueeze(belief: Belief) -> Belief:
    """(*batch) beliefs as (*batch, 1), to broadcast over the steps of a window."""
    return belief.map(lambda fields: fields.unsqueeze(-2))


def _last(windows: Tensor) -> Tensor:
    """(B, F) of (B, K, F)."""
    return windows[:, -1]
