"""HiP-RSSM: a state, and a hidden task that does not change while an episode lasts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from mts3.gaussian import Belief, Evidence, aggregate, diagonal
from mts3.layers import GaussianMarginalization, TripleEncoder, make_transition
from mts3.layers.last_step import LastStep, last_step
from mts3.layers.sizes import check_sizes
from mts3.models.acrkn import AcRKNState, initial_belief
from mts3.models.arguments import check_state
from mts3.models.fast_level import make_fast_level
from mts3.models.inputs import Inputs
from mts3.models.latent import LatentModel, last
from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class HiPRSSMState(AcRKNState):
    """What is known before the next observation.

    Attributes:
        prior: Belief about the latent state at the next step, (B) beliefs.
        context: Evidence about the task from all complete triples so far, (B, 2D).
        last: The last step, where the next triple begins.
    """

    context: Evidence
    last: LastStep


class HiPRSSM(LatentModel):
    """Hidden-parameter recurrent state-space model: Ac-RKN with a static latent task as one more parent of the state.

    The task is N(0, 1) in 2D dimensions, given the set of triples (o_i, a_i, o_{i+1}) observed so far (Bayesian
    aggregation: precisions add); it enters through a matrix C of its own. A triple counts only if both its
    observations were observed. The belief at t holds the triples that end at or before t: it is causal, sharpens
    while observations come in, and stays as it is where none do. `adapt` adds a context set from elsewhere.

    Args:
        obs_dim: O.
        action_dim: A; 0 for a system without actions.
        latent_obs_dim: D; state and task have 2D dimensions each.
        transition: "locally_linear", "dense", "banded" or "modal".
        transition_init: "oscillator", "identity" or "published".
        task_init: The same names, for C, which is dense (banded where the transition is).
        bandwidth: Of a banded or locally linear transition.
        bases: K, of a locally linear transition.
        encoder_hidden, set_encoder_hidden, control_hidden, decoder_hidden: Units of the hidden layers.
        reward: Whether a second decoder predicts the reward, `Prediction.reward`.
        adaptive: For hidden parameters that multiply what actions do, as a mass does: the context encoder also sees by
            how much the observation changed, and the shift is b(a_t, E[task]).
        decoder: The likelihood of an observation, "gaussian" or "student_t", see `mts3.layers.DECODERS`.
    Reference: Shaj et al. 2022 (arXiv 2206.14697). Differs from the paper in: the context is whatever was observed so
        far in place of a fixed window before the target; what `AcRKN` differs in.
    """

    name = "hiprssm"
    static_step = True
    cut_anywhere = True

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        latent_obs_dim: int = 30,
        transition: str = "locally_linear",
        transition_init: str = "oscillator",
        task_init: str = "published",
        bandwidth: int = 3,
        bases: int = 15,
        encoder_hidden: int = 120,
        set_encoder_hidden: int = 240,
        control_hidden: int = 120,
        decoder_hidden: int = 240,
        reward: bool = False,
        adaptive: bool = False,
        decoder: str = "gaussian",
    ) -> None:
        super().__init__(obs_dim, action_dim)
        check_sizes(latent_obs_dim=latent_obs_dim)
        self.latent_obs_dim = latent_obs_dim
        own = make_transition(transition, latent_obs_dim, transition_init, bandwidth, bases)
        of_task = make_transition("banded" if transition == "banded" else "dense", latent_obs_dim, task_init, bandwidth)
        self.context_encoder = TripleEncoder(obs_dim, action_dim, 2 * latent_obs_dim, set_encoder_hidden, adaptive)
        self.fast = make_fast_level(
            obs_dim,
            action_dim,
            latent_obs_dim,
            GaussianMarginalization(latent_obs_dim, [own, of_task]),
            encoder_hidden,
            control_hidden,
            decoder_hidden,
            decoder,
            reward=reward,
            task_dim=2 * latent_obs_dim if adaptive else 0,
        )
        self.adaptive = adaptive

    def initial_state(self, batch_size: int) -> HiPRSSMState:
        """The state before anything was observed: no triple yet."""
        prior = initial_belief(batch_size, self.latent_obs_dim, self.like)
        nothing = torch.zeros_like(prior.mean)
        last = LastStep.none(batch_size, self.obs_dim, self.action_dim, self.like)
        return HiPRSSMState(prior, Evidence(nothing, nothing), last)

    def adapt(
        self,
        obs: Float[Tensor, "B T O"],
        actions: Float[Tensor, "B T A"] | None = None,
        obs_mask: Bool[Tensor, "B T"] | Bool[Tensor, "B T O"] | None = None,
        context_mask: Bool[Tensor, "B T"] | None = None,
        state: HiPRSSMState | None = None,
    ) -> HiPRSSMState:
        """Tell the task of a context set, without a gradient step and without moving the latent state.

        Args:
            obs, actions, obs_mask: A recording of the same task, as in `observe`.
            context_mask: Which triples count; entry i is about (o_i, a_i, o_{i+1}), so the last one is never used.
                None: all.
            state: The state to add the evidence to; None starts afresh.
        Returns: `state` with the evidence of the triples added.
        Raises:
            ValueError: for what `observe` refuses, or a context mask of another shape or type.
        """
        given = self.check_sequence(obs, actions, obs_mask)
        (obs, mask), actions = given.observed(self.obs_dim), given.actions
        if context_mask is not None and (context_mask.shape != obs.shape[:2] or context_mask.dtype != torch.bool):
            raise ValueError(
                f"expected context_mask {tuple(obs.shape[:2])} of bool, True = counts; got "
                f"{tuple(context_mask.shape)} of {context_mask.dtype}"
            )
        state = state or self.initial_state(obs.shape[0])
        check_state(state, "obs", obs.shape[0])
        counted = mask if context_mask is None else mask & context_mask[..., None]
        # A triple that does not count loses its first observation; its second may still begin another.
        triples: Evidence = self.context_encoder(obs[:, :-1], counted[:, :-1], actions[:, :-1], obs[:, 1:], mask[:, 1:])
        return replace(state, context=state.context + triples.sum(1))

    def believe(self, state: HiPRSSMState, given: Inputs) -> tuple[Belief, HiPRSSMState]:
        """See `LatentModel.believe`."""
        context = state.context.map(lambda part: part[:, None])
        if given.obs is not None and given.obs_mask is not None:
            before = state.last.before(given.obs, given.obs_mask, given.actions)
            context = self.context_encoder(*before, given.obs, given.obs_mask).cumsum(1) + context
        # Where nothing is observed the task stays as it is: one belief for all steps.
        task = diagonal(*aggregate(context))
        task_mean = task.mean.expand(-1, given.steps, -1) if self.adaptive else None
        parents = self.fast.marginalization.offset([task])
        beliefs = self.fast.observe(self.fast.problem(state.prior, parents, given, task_mean=task_mean))
        after = last_step(given.obs, given.obs_mask, given.actions, self.obs_dim)
        return beliefs, HiPRSSMState(last(beliefs), context.map(lambda part: part[:, -1]), after)
