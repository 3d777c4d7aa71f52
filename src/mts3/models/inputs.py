"""What a model is given of a stretch of time, checked and completed."""

from __future__ import annotations

from dataclasses import dataclass

from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class Inputs:
    """T steps of B sequences.

    Attributes:
        actions: (B, T, A), between observations.
        obs: (B, T, O), anything, NaN included, where the mask is False; None if nothing is observed at any step.
        obs_mask: (B, T, O), True where observed; None with `obs`.
        plan: (B, n, A), known actions after the last step; None knows none.
    """

    actions: Float[Tensor, "B T A"]
    obs: Float[Tensor, "B T O"] | None = None
    obs_mask: Bool[Tensor, "B T O"] | None = None
    plan: Float[Tensor, "B n A"] | None = None

    @property
    def steps(self) -> int:
        """T."""
        return self.actions.shape[1]

    def observed(self, obs_dim: int) -> tuple[Float[Tensor, "B T O"], Bool[Tensor, "B T O"]]:
        """Observations and mask, for models that read a mask of nothing as any other."""
        if self.obs is not None and self.obs_mask is not None:
            return self.obs, self.obs_mask
        nothing = self.actions.new_zeros(*self.actions.shape[:2], obs_dim)
        return nothing, nothing.bool()
