"""MTS3: a fast state and slow tasks, each a Gaussian filter, each pushing the one below along."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from mts3.gaussian import Belief
from mts3.kernels import wanted_backend
from mts3.layers import GaussianMarginalization, make_transition
from mts3.layers.prepared import Prepared, traced, unhooked
from mts3.models.acrkn import initial_belief
from mts3.models.fast_level import FastLevel
from mts3.models.latent import LatentModel, last
from mts3.models.lean_step import LeanStep, is_lean
from mts3.models.slow_level import SlowLevel, SlowState
from mts3.models.windows import OverWindows
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class MTS3State:
    """What is known before the next observation.

    Attributes:
        prior: Belief about the fast state at the next step, (B) beliefs.
        slow: Of each slow level, shortest windows first: the last closed window and what the open one has gathered.
    """

    prior: Belief
    slow: tuple[SlowState, ...]

    @property
    def batch_size(self) -> int:
        """B."""
        return self.prior.mean.shape[0]


class MTS3(LatentModel):
    """Multi-time-scale state-space model: a fast level and any number of slow ones, one in the paper.

    Every slow level: task_{k-1} -> task_k through X, pushed by the abstract action of window k through Y and by the
    level above through C, conditioned on the set of abstract observations of the window. The fast level: state_t ->
    state_{t+1} through A, pushed by the lowest task through C, shifted by b(a_t), conditioned on the encoded o_t.
    A level is the list of its parents; no slow level at all is Ac-RKN with a linear transition.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        window_len: H, fast steps per slow step; or a list [H_1, H_2, ...], one for each slow level, each a multiple of
            the one before. An empty list leaves the fast level alone.
        latent_obs_dim: D; state and tasks have 2D dimensions each.
        transition: "dense", "banded" or "modal", for state and tasks.
        transition_init: "oscillator", "identity" or "published", for A and X.
        task_init: The same names, for C and Y.
        bandwidth: Of banded transitions.
        task_belief: Which task belief the level below sees, see `SlowLevel`.
        encoder_hidden, set_encoder_hidden, control_hidden, decoder_hidden: Units of the hidden layers.
        detach_between_windows: Cut the gradient of the state between windows, as the published code does.
        abstract_action: False drops the abstract actions: tasks hear of actions through observations alone.
        memory: False drops the lower half of every latent.
        image_shape: (C, H, W) if observations are images, flat in the last axis.
        reward: Whether a second decoder tells the reward, `Prediction.reward`.
        adaptive: For hidden parameters that multiply what actions do, as a mass does: abstract observations are sets of
            transitions (o_{t-1}, a_{t-1}, o_t) and their change, and the shift is b(a_t, E[task]).
    Raises:
        ValueError: if a window length is no multiple of the one before, or for images with `adaptive`.
    Reference: Shaj et al. 2023 (arXiv 2310.18534). Differs from the paper in: any number of levels; the first window's
        actions inform the first task; what pushes a latent is scaled, see `mts3.layers.transition.input_gain`. Differs
        from the published code in: the abstract action's variance reaches the task; bands are applied; causal by
        default.
    """

    name = "mts3"

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        window_len: int | Sequence[int] = 30,
        latent_obs_dim: int = 30,
        transition: str = "dense",
        transition_init: str = "oscillator",
        task_init: str = "published",
        bandwidth: int = 3,
        task_belief: str = "predicted",
        encoder_hidden: int = 120,
        set_encoder_hidden: int = 240,
        control_hidden: int = 120,
        decoder_hidden: int = 240,
        detach_between_windows: bool = False,
        abstract_action: bool = True,
        memory: bool = True,
        image_shape: Sequence[int] | None = None,
        reward: bool = False,
        adaptive: bool = False,
    ) -> None:
        super().__init__(locals())
        if adaptive and image_shape is not None:
            raise ValueError("adaptive=True compares one observation with the next, which images do not allow")
        self.adaptive = adaptive
        self.latent_obs_dim = latent_obs_dim
        self.detach_between_windows = detach_between_windows
        windows = _checked_windows(window_len)

        def parents(others: int) -> GaussianMarginalization:
            """A latent from itself and `others` more."""
            inits = [transition_init, *[task_init] * others]
            transitions = [make_transition(transition, latent_obs_dim, i, bandwidth, memory=memory) for i in inits]
            return GaussianMarginalization(latent_obs_dim, transitions, memory)

        acted = action_dim if abstract_action else 0
        self.slow = nn.ModuleList()
        for number, length in enumerate(windows, 1):
            level = parents((acted > 0) + (number < len(windows)))
            self.slow.append(
                SlowLevel(
                    obs_dim,
                    acted,
                    latent_obs_dim,
                    length,
                    level,
                    set_encoder_hidden,
                    task_belief,
                    image_shape,
                    adaptive,
                )
            )
        self.fast = FastLevel(
            obs_dim,
            action_dim,
            latent_obs_dim,
            parents(1 if windows else 0),
            encoder_hidden,
            control_hidden,
            decoder_hidden,
            image_shape,
            reward,
            task_dim=2 * latent_obs_dim if adaptive and windows else 0,
        )

        self.prepared = Prepared()

    def initial_state(self, batch_size: int) -> MTS3State:
        """The state before anything was observed."""
        belief = initial_belief(batch_size, self.latent_obs_dim, self._like)
        return MTS3State(belief, tuple(level.initial_state(belief) for level in self._levels()))

    def _levels(self) -> list[SlowLevel]:
        """The slow levels, shortest windows first."""
        return cast("list[SlowLevel]", list(self.slow))

    def require_causal(self) -> None:
        """Refuse to go step by step with a `task_belief` that needs the future."""
        for level in self._levels():
            level.require_causal()

    def _believe(
        self,
        state: MTS3State,
        obs: Float[Tensor, "B T O"] | None,
        actions: Float[Tensor, "B T A"],
        obs_mask: Bool[Tensor, "B T O"] | None,
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Belief, MTS3State]:
        steps = actions.shape[1]
        task: OverWindows | None = None
        slow: list[SlowState] = []
        for level, part in zip(reversed(self._levels()), reversed(state.slow), strict=True):
            task, after = level.observe(part, obs, actions, obs_mask, plan, task)
            slow.insert(0, after)
        if task is None:
            beliefs = self.fast.observe(state.prior, self.fast.offset([]), obs, actions, obs_mask)
            return beliefs, MTS3State(last(beliefs), ())
        # C moves a window's task before it is spread over the steps: K products in place of T.
        pushed = replace(task, belief=self.fast.offset([task.belief])).spread(1, 0, steps)
        told = task.spread(1, 0, steps).map(_drop).mean if self.adaptive else None
        cuts = range(-task.taken % task.window_len, steps, task.window_len) if self.detach_between_windows else ()
        beliefs = self.fast.observe(state.prior, pushed.map(_drop), obs, actions, obs_mask, frozenset(cuts), told)
        return beliefs, MTS3State(last(beliefs), tuple(slow))

    def _step(
        self,
        state: MTS3State,
        obs: Float[Tensor, "B O"],
        action: Float[Tensor, "B A"],
        obs_mask: Bool[Tensor, "B O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Prediction, MTS3State]:
        lean = self._lean() if len(obs) == 1 and obs.is_cpu else None
        if lean is None:
            return super()._step(state, obs, action, obs_mask, plan)
        pred, prior, slow = lean.step(state.prior, state.slow, obs, action, obs_mask, plan)
        return pred, MTS3State(prior, slow)

    def _lean(self) -> LeanStep | None:
        """How a single sequence goes on online, sooner; None where that is not what was asked for."""
        if torch.is_grad_enabled() or self.adaptive or wanted_backend() != "auto" or torch.is_autocast_enabled("cpu"):
            return None
        found = None if traced() else unhooked(self)
        if found is None:
            return None
        sources, kinds = found
        return self.prepared(self._make_lean, *sources, kinds=kinds)

    def _make_lean(self) -> LeanStep | None:
        levels = self._levels()
        return LeanStep(self.fast, levels, self.obs_dim) if is_lean(self.fast, levels) else None

    def _next(
        self,
        state: MTS3State,
        obs: Float[Tensor, "B 1 O"],
        action: Float[Tensor, "B 1 A"],
        obs_mask: Bool[Tensor, "B 1 O"],
        plan: Float[Tensor, "B n A"] | None,
    ) -> tuple[Belief, MTS3State]:
        task: Belief | None = None
        slow: list[SlowState] = []
        for level, part in zip(reversed(self._levels()), reversed(state.slow), strict=True):
            task, after = level.step(part, obs, action, obs_mask, plan, task)
            slow.insert(0, after)
        offset = self.fast.offset([] if task is None else [task])
        told = task.mean if self.adaptive and task is not None else None
        starts = self.detach_between_windows and slow and state.slow[0].steps == 0
        belief = self.fast.step(state.prior.detach() if starts else state.prior, offset, obs, action, obs_mask, told)
        return belief, MTS3State(belief, tuple(slow))


def _drop(fields: Tensor) -> Tensor:
    """(B, T, 1, F) of windows of one step as (B, T, F)."""
    return fields.squeeze(2)


def _checked_windows(window_len: int | Sequence[int]) -> list[int]:
    """The window length of each slow level."""
    windows = [window_len] if isinstance(window_len, int) else list(window_len)
    if min(windows, default=1) < 1 or any(b <= a or b % a for a, b in itertools.pairwise(windows)):
        raise ValueError(
            "expected window_len >= 1, or a list of growing lengths, each a multiple of the one before, as in "
            f"[10, 60]; got {window_len}"
        )
    return windows
