"""What every model returns: beliefs about observations, and everything that is asked of them.

Whoever trains, scores, scales, joins, draws or exports a prediction calls these methods and nothing else. `Prediction`
is the Gaussian; another likelihood is a subclass in a file of its own that says how its density, distribution
function, quantiles, draws and CRPS differ, see `mts3.likelihoods`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from mts3.types import Float


@dataclass(frozen=True)
class Prediction:
    """Beliefs about the next observations: entry t is the belief about obs[t+1] given obs[..t], actions[..t].

    p(obs[t+1]) = N(mean[t], diag(var[t])).

    Attributes:
        mean: (B, T, O).
        var: (B, T, O), positive.
        reward: The belief about the reward of step t, mean and var (B, T, 1); None from a model without that head.
    """

    mean: Float[Tensor, "B T O"]
    var: Float[Tensor, "B T O"]
    reward: Prediction | None = None

    @property
    def std(self) -> Float[Tensor, "B T O"]:
        """Standard deviation."""
        return self.var.sqrt()

    def log_prob(self, obs: Float[Tensor, "B T O"]) -> Float[Tensor, "B T"]:
        """Log density of `obs`, summed over dimensions. NaN means not observed and adds nothing."""
        if obs.shape != self.mean.shape:
            raise ValueError(f"obs has shape {tuple(obs.shape)}, the prediction has {tuple(self.mean.shape)}")
        observed = ~torch.isnan(obs)
        # where() before the arithmetic: a NaN that is only masked afterwards still poisons the gradient.
        log_density = self.log_density(torch.where(observed, obs - self.mean, 0.0))
        return torch.where(observed, log_density, 0.0).sum(-1)

    def interval(self, level: float = 0.9) -> tuple[Float[Tensor, "B T O"], Float[Tensor, "B T O"]]:
        """The central interval that holds `level` of the probability, per dimension: (lower, upper).

        Raises:
            ValueError: if `level` is not strictly between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
        return self.quantile(0.5 - 0.5 * level), self.quantile(0.5 + 0.5 * level)

    def log_density(self, error: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
        """Log density of each value, given how far it lies above the mean."""
        return -0.5 * (error**2 / self.var + self.var.log() + math.log(2.0 * math.pi))

    def cdf(self, obs: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
        """The probability of a value at most `obs`, per dimension; NaN stays NaN."""
        return 0.5 + 0.5 * torch.erf((obs - self.mean) / (self.std * math.sqrt(2.0)))

    def quantile(self, p: float) -> Float[Tensor, "B T O"]:
        """The value below which a share `p` of the probability lies, per dimension.

        Raises:
            ValueError: if `p` is not strictly between 0 and 1.
        """
        check_probability(p)
        return (
            self.mean
            + math.sqrt(2.0) * torch.erfinv(torch.tensor(2.0 * p - 1.0, dtype=torch.float64)).item() * self.std
        )

    def crps(self, obs: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
        """Continuous ranked probability score of each value: a distance in the units of `obs`, smaller is better.

        CRPS(F, x) = integral of (F(y) - 1[y >= x])^2 dy; of N(m, s^2) it is s [z (2 Phi(z) - 1) + 2 phi(z) -
        1/sqrt(pi)] with z = (x - m) / s, Phi and phi the standard normal distribution and density. It tends to
        |x - m| as s tends to 0, so it compares with the absolute error of a point forecast. NaN stays NaN.

        Reference: Gneiting and Raftery, JASA 2007, equation 21.
        """
        z = (obs - self.mean) / self.std
        density = torch.exp(-0.5 * z.square()) / math.sqrt(2.0 * math.pi)
        # 2 Phi(z) - 1 = erf(z / sqrt 2)
        return self.std * (z * torch.erf(z / math.sqrt(2.0)) + 2.0 * density - 1.0 / math.sqrt(math.pi))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n B T O"]:
        """`n` independent draws a step. Steps are independent: these are marginals, not coherent trajectories.

        Args:
            n: Number of draws.
            generator: Source of randomness; None uses torch's default.
        """
        return self.mean + self.std * self.noise((n, *self.mean.shape), generator)

    def noise(self, shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
        """Standard normal draws in the dtype and on the device of the prediction."""
        return torch.randn(shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)

    def moved(self, mean: Float[Tensor, "B T O"], var: Float[Tensor, "B T O"]) -> Prediction:
        """Beliefs of the same shape with another mean and variance."""
        return replace(self, mean=mean, var=var)

    def affine(self, scale: Tensor | float, offset: Tensor | float) -> Prediction:
        """The beliefs about scale * obs + offset, as from normalized to physical units; the reward stays as it is."""
        return self.moved(self.mean * scale + offset, self.var * scale**2)

    def steps(self, part: slice) -> Prediction:
        """The beliefs of some steps."""
        return self.map(lambda field: field[:, part])

    @staticmethod
    def cat(parts: Sequence[Prediction]) -> Prediction:
        """Predictions of the same kind, one after the other in time, as one."""
        first = parts[0]
        if len(parts) == 1:
            return first
        joined = {}
        for entry in fields(first):
            values = [getattr(part, entry.name) for part in parts]
            if isinstance(values[0], Prediction):
                joined[entry.name] = Prediction.cat(values)
            else:
                joined[entry.name] = None if values[0] is None else torch.cat(values, 1)
        return type(first)(**joined)

    def map(self, change: Callable[[Tensor], Tensor]) -> Prediction:
        """Every field after `change`, those of the reward too."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        changed = {
            name: value.map(change) if isinstance(value, Prediction) else change(value)
            for name, value in values.items()
            if value is not None
        }
        return replace(self, **changed)


def check_probability(p: float) -> None:
    """Refuse a probability that has no quantile.

    Raises:
        ValueError: if `p` is not strictly between 0 and 1.
    """
    if not 0.0 < p < 1.0:
        raise ValueError(f"a quantile is asked for at a probability strictly between 0 and 1, got {p}")
