"""MTS3: a fast state and a slow task, each a Gaussian filter, the task pushing the state along."""

from __future__ import annotations

from dataclasses import dataclass

from mts3.gaussian import Belief
from mts3.layers.transition import make_transition
from mts3.models.acrkn import initial_belief
from mts3.models.base import WorldModel
from mts3.models.fast_level import FastLevel
from mts3.models.slow_level import SlowLevel, SlowState
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class MTS3State:
    """What is known before the next observation.

    Attributes:
        prior: Belief about the fast state at the next step, (B) beliefs.
        slow: The task's last closed window and what the open one has gathered.
    """

    prior: Belief
    slow: SlowState

    @property
    def batch_size(self) -> int:
        """B."""
        return self.prior.mean.shape[0]


class MTS3(WorldModel):
    """Multi-time-scale state-space model with two levels.

    Slow: task_{k-1} -> task_k through X, pushed by the abstract action of window k through Y, conditioned on the
    set of abstract observations of the window. Fast: state_t -> state_{t+1} through A, pushed by the task through C,
    shifted by b(a_t), conditioned on the encoded o_t.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        window_len: H, fast steps per slow step.
        latent_obs_dim: D; state and task have 2D dimensions each.
        transition: "dense", "banded" or "modal", for state and task.
        transition_init: "oscillator", "identity" or "published", for A and X.
        task_init: The same names, for C and Y.
        bandwidth: Of banded transitions.
        task_belief: Which task belief the fast level sees, see `SlowLevel`.
        encoder_hidden, set_encoder_hidden, control_hidden, decoder_hidden: Units of the hidden layers.
        detach_between_windows: Cut the gradient of the state between windows, as the published code does.
    Reference: Shaj et al. 2023 (arXiv 2310.18534). Differs from the paper in: the first window's actions inform the
        first task; what pushes a latent is scaled, see `mts3.layers.transition.input_gain`. Differs from the
        published code in: the abstract action's variance reaches the task; bands are applied; causal by default.
    """

    name = "mts3"

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        window_len: int = 30,
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
    ) -> None:
        super().__init__(locals())
        self.latent_obs_dim = latent_obs_dim
        self.window_len = window_len
        self.detach_between_windows = detach_between_windows

        def linear(init: str):
            return make_transition(transition, latent_obs_dim, init, bandwidth)

        self.slow = SlowLevel(
            obs_dim,
            action_dim,
            latent_obs_dim,
            window_len,
            [linear(transition_init)] + ([linear(task_init)] if action_dim else []),
            set_encoder_hidden,
            task_belief,
        )
        self.fast = FastLevel(
            obs_dim,
            action_dim,
            latent_obs_dim,
            [linear(transition_init), linear(task_init)],
            encoder_hidden,
            control_hidden,
            decoder_hidden,
        )

    def initial_state(self, batch_size: int) -> MTS3State:
        """The state before anything was observed."""
        belief = initial_belief(batch_size, self.latent_obs_dim, next(self.parameters()))
        return MTS3State(belief, self.slow.initial_state(belief))

    def observe(
        self,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"] | None = None,
        obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
        state: MTS3State | None = None,
    ) -> tuple[Prediction, MTS3State]:
        """Filter a sequence, see `WorldModel.observe`."""
        obs, actions, mask = self._check_sequence(obs, actions, obs_mask)
        return self._observe(state or self.initial_state(obs.shape[0]), obs, actions, mask)

    def step(
        self,
        state: MTS3State,
        obs_t: Float[Tensor, "B O"],
        action_t: Float[Tensor, "B A"] | None = None,
        obs_mask: Bool[Tensor, " B"] | Bool[Tensor, "B O"] | None = None,
        planned_actions: Float[Tensor, "B n A"] | None = None,
    ) -> tuple[Prediction, MTS3State]:
        """One step, see `WorldModel.step`; needs a causal `task_belief`."""
        self.slow.require_causal()
        if planned_actions is not None:
            self._check("planned_actions", planned_actions, 3, self.action_dim)
            self._check_batch("planned_actions", planned_actions.shape[0], obs_t.shape[0])
        obs, actions, mask = self._check_sequence(*self._one_step(obs_t, action_t, obs_mask))
        return self._observe(state, obs, actions, mask, planned_actions)

    def _observe(
        self,
        state: MTS3State,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"],
        mask: Bool[Tensor, "B T O"],
        plan: Float[Tensor, "B n A"] | None = None,
    ) -> tuple[Prediction, MTS3State]:
        self._check_batch("state", state.batch_size, obs.shape[0])
        steps, taken = obs.shape[1], state.slow.steps
        task, slow = self.slow.observe(state.slow, obs, actions, mask, plan)
        # C moves a window's task before it is spread over the steps: K products in place of T.
        pushed = _to_steps(self.fast.offset([task]), self.window_len, taken, steps)
        cuts = range(-taken % self.window_len, steps, self.window_len) if self.detach_between_windows else ()
        pred, prior = self.fast.observe(state.prior, pushed, obs, actions, mask, frozenset(cuts))
        return pred, MTS3State(prior, slow)


def _to_steps(windows: Belief, window_len: int, taken: int, steps: int) -> Belief:
    """(B, K, 1 or H) beliefs as (B, T): `steps` of them after the first `taken`."""

    def spread(fields: Tensor) -> Tensor:
        every = fields.expand(-1, -1, window_len, -1).flatten(1, 2)
        return every[:, taken : taken + steps]

    return Belief(spread(windows.mean), spread(windows.cov))
