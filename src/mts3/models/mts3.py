"""MTS3: a fast state and slow tasks, each a Gaussian filter, each pushing the one below along."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from mts3.gaussian import Belief
from mts3.layers import (
    ActionSetEncoder,
    GaussianMarginalization,
    TripleEncoder,
    make_obs_encoder,
    make_transition,
)
from mts3.layers.sizes import check_sizes
from mts3.models.acrkn import AcRKNState, initial_belief
from mts3.models.fast_level import make_fast_level
from mts3.models.inputs import Inputs
from mts3.models.latent import LatentModel, last
from mts3.models.slow_level import SlowLevel, SlowState, VisibleTask


@dataclass(frozen=True)
class MTS3State(AcRKNState):
    """What is known before the next observation.

    Attributes:
        prior: Belief about the fast state at the next step, (B) beliefs.
        slow: Of each slow level, shortest windows first: the last closed window and what the open one has gathered.
    """

    slow: tuple[SlowState, ...]


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
        abstract_action: False drops the abstract actions: tasks depend on actions through observations alone.
        memory: False drops the lower half of every latent.
        image_shape: (C, H, W) if observations are images, flat in the last axis.
        reward: Whether a second decoder predicts the reward, `Prediction.reward`.
        adaptive: For hidden parameters that multiply what actions do, as a mass does: abstract observations are sets of
            transitions (o_{t-1}, a_{t-1}, o_t) and their change, and the shift is b(a_t, E[task]).
        decoder: The likelihood of an observation, "gaussian" or "student_t", see `mts3.layers.DECODERS`.
    Raises:
        ValueError: if a window length is no multiple of the one before, or for images with `adaptive`.
    Reference: Shaj et al. 2023 (arXiv 2310.18534). Differs from the paper in: any number of levels; the first window's
        actions inform the first task; what pushes a latent is scaled, see `mts3.layers.transitions.base.input_gain`.
        Differs from the published code in: the abstract action's variance reaches the task; bands are applied; causal
        by default.
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
        decoder: str = "gaussian",
    ) -> None:
        super().__init__(obs_dim, action_dim)
        check_sizes(latent_obs_dim=latent_obs_dim)
        if adaptive and image_shape is not None:
            raise ValueError("adaptive=True compares one observation with the next, which images do not allow")
        self.adaptive = adaptive
        self.latent_obs_dim = latent_obs_dim
        self.static_step = image_shape is None
        self.detach_between_windows = detach_between_windows
        windows = _checked_windows(window_len)

        def parents(others: int) -> GaussianMarginalization:
            """A latent from itself and `others` more."""
            inits = [transition_init, *[task_init] * others]
            transitions = [make_transition(transition, latent_obs_dim, i, bandwidth, memory=memory) for i in inits]
            return GaussianMarginalization(latent_obs_dim, transitions, memory)

        window_actions = action_dim if abstract_action else 0
        self.slow = nn.ModuleList()
        for number, length in enumerate(windows, 1):
            level = parents((window_actions > 0) + (number < len(windows)))
            if adaptive:
                elements = TripleEncoder(obs_dim, window_actions, latent_obs_dim, set_encoder_hidden, True, True)
            else:
                elements = make_obs_encoder(obs_dim, latent_obs_dim, set_encoder_hidden, True, image_shape)
            of_actions = (
                ActionSetEncoder(window_actions, latent_obs_dim, set_encoder_hidden) if window_actions else None
            )
            self.slow.append(SlowLevel(length, level, elements, of_actions, task_belief))
        self.longest_plan = max(windows) - 1 if windows and window_actions else 0
        self.fast = make_fast_level(
            obs_dim,
            action_dim,
            latent_obs_dim,
            parents(1 if windows else 0),
            encoder_hidden,
            control_hidden,
            decoder_hidden,
            decoder,
            image_shape,
            reward,
            task_dim=2 * latent_obs_dim if adaptive and windows else 0,
        )

    def initial_state(self, batch_size: int) -> MTS3State:
        """The state before anything was observed."""
        belief = initial_belief(batch_size, self.latent_obs_dim, self.like)
        return MTS3State(belief, tuple(level.initial_state(belief) for level in self.levels()))

    def levels(self) -> list[SlowLevel]:
        """The slow levels, shortest windows first."""
        return cast("list[SlowLevel]", list(self.slow))

    def require_causal(self) -> None:
        """Refuse to go step by step with a `task_belief` that needs the future."""
        for level in self.levels():
            level.require_causal()

    def cut_every(self, state: MTS3State) -> tuple[int, int] | None:
        """Between the longest windows, where all sequences begin them together."""
        if not state.slow:
            return 1, 0
        before = set(state.slow[-1].steps.tolist())
        return (self.levels()[-1].window_len, before.pop()) if len(before) == 1 else None

    def believe(self, state: MTS3State, given: Inputs) -> tuple[Belief, MTS3State]:
        """See `LatentModel.believe`."""
        task: VisibleTask | None = None
        slow: list[SlowState] = []
        for level, part in zip(reversed(self.levels()), reversed(state.slow), strict=True):
            task, after = level.observe(part, given, task)
            slow.insert(0, after)
        if task is None:
            parents, detach_at, task_mean = self.fast.marginalization.offset([]), (), None
        else:
            # C moves a window's task before it holds at each of its steps: K products in place of T.
            parents = replace(task, belief=self.fast.marginalization.offset([task.belief])).at_steps()
            detach_at = task.windows.starts() if self.detach_between_windows and torch.is_grad_enabled() else ()
            task_mean = task.at_steps().mean if self.adaptive else None
        beliefs = self.fast.observe(self.fast.problem(state.prior, parents, given, detach_at, task_mean))
        return beliefs, MTS3State(last(beliefs), tuple(slow))


def _checked_windows(window_len: int | Sequence[int]) -> list[int]:
    """The window length of each slow level."""
    windows = [window_len] if isinstance(window_len, int) else list(window_len)
    if min(windows, default=1) < 1 or any(b <= a or b % a for a, b in itertools.pairwise(windows)):
        raise ValueError(
            "expected window_len >= 1, or a list of growing lengths, each a multiple of the one before, as in "
            f"[10, 60]; got {window_len}"
        )
    return windows
