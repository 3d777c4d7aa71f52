"""What a transition into the next step starts from."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class LastStep:
    """The step before a sequence.

    Attributes:
        obs: (B, O) the last observation, zero where not observed.
        mask: (B, O) what of it was observed; nothing before the first step.
        action: (B, A) what was done then.
    """

    obs: Tensor
    mask: Tensor
    action: Tensor

    @classmethod
    def none(cls, batch_size: int, obs_dim: int, action_dim: int, like: Tensor) -> LastStep:
        """Nothing has happened yet."""
        unseen = like.new_zeros(batch_size, obs_dim)
        return cls(unseen, unseen.bool(), like.new_zeros(batch_size, action_dim))

    def before(
        self, obs: Float[Tensor, "B T O"], obs_mask: Bool[Tensor, "B T O"], actions: Float[Tensor, "B T A"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Observation, mask and action of the step before each step of a sequence."""
        return _shifted(self.obs, obs), _shifted(self.mask, obs_mask), _shifted(self.action, actions)


def last_step(
    obs: Float[Tensor, "B T O"] | None,
    obs_mask: Bool[Tensor, "B T O"] | None,
    actions: Float[Tensor, "B T A"],
    obs_dim: int,
) -> LastStep:
    """The last step of a sequence; without observations and mask nothing was observed."""
    if obs is None or obs_mask is None:
        unseen = actions.new_zeros(len(actions), obs_dim)
        return LastStep(unseen, unseen.bool(), actions[:, -1])
    return LastStep(torch.where(obs_mask[:, -1], obs[:, -1], 0.0), obs_mask[:, -1], actions[:, -1])


def _shifted(first: Tensor, sequence: Tensor) -> Tensor:
    """(B, T, F) one step later, `first` (B, F) in front."""
    return torch.cat((first[:, None], sequence[:, :-1]), 1)
