"""A slow level: a latent task that lives for a window, moved by what was done in it, informed by what was observed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mts3.errors import UserError
from mts3.gaussian import Belief, Evidence, aggregate, concat, condition, diagonal
from mts3.kernels import Problem, filter_sequence
from mts3.layers import ActionSetEncoder, GaussianMarginalization, ImageObsEncoder, ObsEncoder, TripleEncoder
from mts3.layers.last_step import LastStep, last_step
from mts3.layers.windows import Windows
from mts3.models.inputs import Inputs
from mts3.registry import Registry
from mts3.types import Int, Tensor


@dataclass(frozen=True)
class SlowState:
    """What the slow level knows: the last closed window, and what was gathered in the open one.

    Attributes:
        closed: Posterior of the task at the end of the last closed window, (B) beliefs.
        obs: Evidence of the open window's observations so far, (B, D).
        actions: Evidence of the open window's actions so far, (B, 2D); None without actions.
        steps: (B,) steps already taken in the open window, 0 <= steps < H, on the CPU.
        last: The last step, where the next transition begins; None where observations are encoded one by one.
    """

    closed: Belief
    obs: Evidence
    actions: Evidence | None
    steps: Int[Tensor, " B"]
    last: LastStep | None = None


@dataclass(frozen=True)
class Filtered:
    """The task over the windows a call touches.

    Attributes:
        prior: Given everything before the window and its planned actions, (B, K, 1) beliefs; (B, K, slots) where the
            level above is itself informed step by step.
        posterior: Given its observations too, (B, K) beliefs.
        evidence: Of the observation of each step, (B, K, slots, D).
    """

    prior: Belief
    posterior: Belief
    evidence: Evidence


TASK_BELIEFS: Registry[Callable[[Filtered], Belief]] = Registry("task_belief")
"""Name -> the task belief that the level below sees, (B, K, 1 or slots) beliefs."""


@TASK_BELIEFS.register("predicted")
def predicted(task: Filtered) -> Belief:
    """The window's prior."""
    return task.prior


@TASK_BELIEFS.register("filtered")
def filtered(task: Filtered) -> Belief:
    """That prior given the window's observations up to t."""
    return condition(task.prior, task.evidence.cumsum(2))


@TASK_BELIEFS.register("window_posterior")
def window_posterior(task: Filtered) -> Belief:
    """Given all of the window's observations: not causal."""
    return task.posterior.unsqueeze(2)


@dataclass(frozen=True)
class VisibleTask:
    """The task as the level below sees it.

    Attributes:
        belief: (B, K, 1) beliefs, or (B, K, slots) where it changes from step to step within a window.
        windows: Its windows.
    """

    belief: Belief
    windows: Windows

    def at_steps(self) -> Belief:
        """The same at each step of the call, (B, T) beliefs."""
        return self.belief.map(self.windows.at_steps)


class SlowLevel(nn.Module):
    """task_{k-1} -> task_k through the first transition, and one more transition for each other parent.

    The other parents are the abstract action of window k, unless there are no actions, and the task of the level above,
    if there is one; in this order.

    Args:
        window_len: H.
        marginalization: The task from its parents.
        obs_encoder: Of the elements of an abstract observation: observations with their phase, or transitions
            (o_{t-1}, a_{t-1}, o_t) with theirs.
        action_encoder: Of the elements of an abstract action; None drops it.
        task_belief: What the level below sees, one of `TASK_BELIEFS`.
    """

    def __init__(
        self,
        window_len: int,
        marginalization: GaussianMarginalization,
        obs_encoder: ObsEncoder | ImageObsEncoder | TripleEncoder,
        action_encoder: ActionSetEncoder | None = None,
        task_belief: str = "predicted",
    ) -> None:
        super().__init__()
        self.window_len = window_len
        self.task_belief = task_belief
        self._visible = TASK_BELIEFS[task_belief]
        self.obs_encoder = obs_encoder
        self.action_encoder = action_encoder
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
        last = None
        if isinstance(self.obs_encoder, TripleEncoder):
            last = LastStep.none(len(nothing), self.obs_encoder.obs_dim, self.obs_encoder.action_dim, nothing)
        return SlowState(closed, Evidence(nothing, nothing), actions, torch.zeros(len(nothing), dtype=torch.long), last)

    def observe(
        self,
        state: SlowState,
        given: Inputs,
        above: VisibleTask | None = None,
    ) -> tuple[VisibleTask, SlowState]:
        """Filter the task over windows; the same for a sequence and for a single step.

        Args:
            state: Where to go on from.
            given: As in `WorldModel.advance`; planned actions beyond the window of the last step are not used.
            above: What the level above lets this one see; None for the top level.
        Returns: the task belief the level below sees, and the next state.
        """
        windows = Windows.of(state.steps, given.steps, self.window_len)
        actions, plan = given.actions, None if self.action_encoder is None else given.plan
        plan = None if plan is None else plan[:, : self.window_len - 1]
        phase = windows.phase(actions, plan)
        evidence, last = self._encode(state, given, phase[..., : windows.steps])
        evidence = _cut(windows, evidence, state.obs)
        parents, done = [], None
        if self.action_encoder is not None and state.actions is not None:
            encoded: Evidence = self.action_encoder(actions if plan is None else torch.cat((actions, plan), 1), phase)
            done = _cut(windows, encoded.map(lambda fields: fields[:, : windows.steps]), state.actions).sum(2)
            known = done if plan is None else _with_plan(windows, done, encoded)
            parents.append(diagonal(*aggregate(known)).unsqueeze(2))
        if above is not None:
            parents.append(above.belief.map(lambda fields: above.windows.below(fields, windows)))
        total = evidence.sum(2)
        task = self._filter(state.closed, evidence, total, parents)
        after = SlowState(
            Belief(*map(windows.last_closed, vars(state.closed).values(), vars(task.posterior).values())),
            total.map(windows.still_open),
            None if done is None else done.map(windows.still_open),
            windows.after,
            last,
        )
        return VisibleTask(self._visible(task), windows), after

    def _encode(self, state: SlowState, given: Inputs, phase: Tensor) -> tuple[Evidence, LastStep | None]:
        """Evidence (B, T, D) of each step, and where the next transition begins."""
        obs, mask, actions, last, after = given.obs, given.obs_mask, given.actions, state.last, None
        if last is not None:
            actions = actions[..., : last.action.shape[-1]]  # none where the level does not look at actions
            after = last_step(obs, mask, actions, last.obs.shape[-1])
        if obs is None or mask is None:
            nothing = state.obs.precision.new_zeros(()).expand(*actions.shape[:2], state.closed.dim)
            return Evidence(nothing, nothing), after
        if last is None:
            return self.obs_encoder(obs, mask, phase), None
        return self.obs_encoder(*last.before(obs, mask, actions), obs, mask, phase), after

    def _filter(self, closed: Belief, evidence: Evidence, total: Evidence, parents: Sequence[Belief]) -> Filtered:
        """Priors and posteriors of all windows; `total` is of each window, `parents` are (B, K, 1 or slots) beliefs."""
        offset = self.marginalization.offset(parents)
        if not parents:
            offset = offset.map(lambda fields: fields.expand(*total.precision.shape[:2], 1, -1))
        transition = self.marginalization.transitions[0]()
        # What the level above lets this one see at the end of the window is all that it has to say about it.
        at_end = offset.select(2, -1)
        prior = (at_end.select(1, 0) + transition.apply(closed)).unsqueeze(1)
        if total.precision.shape[1] > 1:
            later, before = at_end.map(lambda fields: fields[:, 1:]), total.map(lambda fields: fields[:, :-1])
            prior = concat((prior, filter_sequence(Problem(prior.select(1, -1), transition, later, before))), 1)
        posterior = condition(prior, total)
        if offset.mean.shape[2] == 1:
            return Filtered(prior.unsqueeze(2), posterior, evidence)
        earlier = concat((closed.unsqueeze(1), posterior.map(lambda fields: fields[:, :-1])), 1)
        return Filtered(transition.apply(earlier).unsqueeze(2) + offset, posterior, evidence)


def _cut(windows: Windows, new: Evidence, gathered: Evidence) -> Evidence:
    """Evidence of each step in windows, (B, K, slots, F)."""
    pairs = (new.precision, gathered.precision), (new.information, gathered.information)
    return Evidence(*(windows.cut(fields, before) for fields, before in pairs))


def _with_plan(windows: Windows, done: Evidence, encoded: Evidence) -> Evidence:
    """Evidence (B, K, F) of what was done in each window, with that of what is planned for the rest of the last one."""
    planned = encoded.map(lambda fields: fields[:, windows.steps :])
    inside = windows.holds(planned.precision)
    extra = planned.map(lambda fields: torch.where(inside, fields, 0.0)).sum(1)
    pairs = (done.precision, extra.precision), (done.information, extra.information)
    return Evidence(*(windows.add_to_last(sums, more) for sums, more in pairs))
