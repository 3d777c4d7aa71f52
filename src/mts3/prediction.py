"""What every model returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mts3.types import Float


@dataclass(frozen=True)
class Prediction:
    """Gaussian beliefs about the next observations: entry t is the belief about obs[t+1] given obs[..t], actions[..t].

    p(obs[t+1]) = N(mean[t], diag(var[t])).

    Attributes:
        mean: (B, T, O).
        var: (B, T, O), positive.
        reward: The belief about the reward of step t, mean and var (B, T, 1); None from a model without that head.
    """

    mean: Float[Tensor, "B T O"]
    var: Float[Tensor, "B T O"]
    reward: Prediction | None = None

    def steps(self, part: slice) -> Prediction:
        """The beliefs of some steps."""
        reward = self.reward.steps(part) if self.reward else None
        return Prediction(self.mean[:, part], self.var[:, part], reward)

    @property
    def std(self) -> Float[Tensor, "B T O"]:
        """Standard deviation."""
        return self.var.sqrt()

    def interval(self, level: float = 0.9) -> tuple[Float[Tensor, "B T O"], Float[Tensor, "B T O"]]:
        """The central interval that holds `level` of the probability, per dimension: (lower, upper).

        Raises:
            ValueError: if `level` is not strictly between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
        half = math.sqrt(2.0) * torch.erfinv(torch.tensor(level, dtype=torch.float64)).item() * self.std
        return self.mean - half, self.mean + half

    def log_prob(self, obs: Float[Tensor, "B T O"]) -> Float[Tensor, "B T"]:
        """Log density of `obs`, summed over dimensions. NaN means not observed and adds nothing."""
        if obs.shape != self.mean.shape:
            raise ValueError(f"obs has shape {tuple(obs.shape)}, the prediction has {tuple(self.mean.shape)}")
        seen = ~torch.isnan(obs)
        # where() before the arithmetic: a NaN that is only masked afterwards still poisons the gradient.
        error = torch.where(seen, obs - self.mean, 0.0)
        log_density = -0.5 * (error**2 / self.var + self.var.log() + math.log(2.0 * math.pi))
        return torch.where(seen, log_density, 0.0).sum(-1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n B T O"]:
        """`n` independent draws a step. Steps are independent: these are marginals, not coherent trajectories.

        Args:
            n: Number of draws.
            generator: Source of randomness; None uses torch's default.
        """
        shape = (n, *self.mean.shape)
        noise = torch.randn(shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        return self.mean + self.std * noise
