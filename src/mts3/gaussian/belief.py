"""Gaussian beliefs made of D independent 2x2 blocks, and the evidence that enters them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from mts3.types import Bool, Float, Tensor


@dataclass(frozen=True)
class Belief:
    """A Gaussian over z = (u, l), u the upper (observed) and l the lower (memory) half, each in R^D.

    Dimension d of u correlates with dimension d of l and with nothing else:

        (u_d, l_d) ~ N((mu_u, mu_l), [[var_u, s], [s, var_l]]),   var_u * var_l > s^2.        (1)

    The halves are stored side by side, so that moving a belief through a linear map is one product each
    for the mean and for the covariance.

    Attributes:
        mean: (*batch, 2D), mu_u then mu_l.
        cov: (*batch, 3D), var_u then s then var_l.
    """

    mean: Float[Tensor, "*batch twoD"]
    cov: Float[Tensor, "*batch threeD"]

    @classmethod
    def from_halves(
        cls, upper_mean: Tensor, lower_mean: Tensor, upper_var: Tensor, side: Tensor, lower_var: Tensor
    ) -> Belief:
        """Build a belief from its five fields, each (*batch, D)."""
        return cls(torch.cat((upper_mean, lower_mean), -1), torch.cat((upper_var, side, lower_var), -1))

    @property
    def dim(self) -> int:
        """D, the dimension of one half."""
        return self.mean.shape[-1] // 2

    @property
    def upper_mean(self) -> Tensor:
        """mu_u (*batch, D)."""
        return self.mean[..., : self.dim]

    @property
    def lower_mean(self) -> Tensor:
        """mu_l (*batch, D)."""
        return self.mean[..., self.dim :]

    @property
    def upper_var(self) -> Tensor:
        """var_u (*batch, D)."""
        return self.cov[..., : self.dim]

    @property
    def side(self) -> Tensor:
        """s, the covariance between the halves (*batch, D)."""
        return self.cov[..., self.dim : 2 * self.dim]

    @property
    def lower_var(self) -> Tensor:
        """var_l (*batch, D)."""
        return self.cov[..., 2 * self.dim :]

    def __add__(self, other: Belief) -> Belief:
        """The belief about the sum of two independent latents: means add, covariances add."""
        return Belief(self.mean + other.mean, self.cov + other.cov)

    def detach(self) -> Belief:
        """The same belief, cut from the graph."""
        return self.map(Tensor.detach)

    def map(self, change: Callable[[Tensor], Tensor]) -> Belief:
        """Both fields after `change`, which picks, moves or expands batch axes and leaves the last axis alone."""
        return Belief(change(self.mean), change(self.cov))

    def unsqueeze(self, dim: int) -> Belief:
        """The same beliefs with one more batch axis, of size 1."""
        return self.map(lambda fields: fields.unsqueeze(dim))

    def select(self, dim: int, index: int) -> Belief:
        """The beliefs at one place of a batch axis."""
        return self.map(lambda fields: fields.select(dim, index))

    def unbind(self, dim: int) -> Iterator[Belief]:
        """The beliefs along one batch axis, one by one."""
        return map(Belief, self.mean.unbind(dim), self.cov.unbind(dim))


def concat(beliefs: Sequence[Belief], dim: int) -> Belief:
    """Beliefs one after the other along a batch axis."""
    return Belief(torch.cat([b.mean for b in beliefs], dim), torch.cat([b.cov for b in beliefs], dim))


def stack(beliefs: list[Belief], dim: int) -> Belief:
    """Beliefs side by side along a new batch axis, the inverse of `Belief.unbind`."""
    return Belief(torch.stack([b.mean for b in beliefs], dim), torch.stack([b.cov for b in beliefs], dim))


def diagonal(mean: Float[Tensor, "*batch twoD"], var: Float[Tensor, "*batch twoD"]) -> Belief:
    """A belief whose halves do not correlate."""
    upper, lower = var.chunk(2, -1)
    return Belief(mean, torch.cat((upper, torch.zeros_like(upper), lower), -1))


@dataclass(frozen=True)
class Evidence:
    """What observations of u add to the belief about it: precision and information, both additive.

    N observations w_n of u with variances r_n and masks m_n enter only through

        Lam = sum_n m_n / r_n,   eta = sum_n m_n w_n / r_n.        (2)

    Missing observations add zero: no infinities, no special cases.

    Attributes:
        precision: Lam (*batch, D), zero or more.
        information: eta (*batch, D).
    """

    precision: Float[Tensor, "*batch D"]
    information: Float[Tensor, "*batch D"]

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.precision + other.precision, self.information + other.information)

    def map(self, change: Callable[[Tensor], Tensor]) -> Evidence:
        """Both fields after `change`, which picks, moves or expands batch axes and leaves the last axis alone."""
        return Evidence(change(self.precision), change(self.information))

    def sum(self, dim: int) -> Evidence:
        """The evidence of a whole set: the sum over a batch axis."""
        return Evidence(self.precision.sum(dim), self.information.sum(dim))

    def cumsum(self, dim: int) -> Evidence:
        """The evidence gathered so far, along a batch axis."""
        return Evidence(self.precision.cumsum(dim), self.information.cumsum(dim))

    def unbind(self, dim: int) -> Iterator[Evidence]:
        """The evidence along one batch axis, one by one."""
        return map(Evidence, self.precision.unbind(dim), self.information.unbind(dim))


def evidence_of(
    obs: Float[Tensor, "*batch D"], var: Float[Tensor, "*batch D"], mask: Bool[Tensor, "*batch"] | None = None
) -> Evidence:
    """The evidence of single observations, equation (2) with N = 1; `.sum(dim)` makes that of a set.

    Args:
        obs: w, latent observations.
        var: r > 0, their variances.
        mask: True where observed. False contributes exactly zero, and receives exactly zero gradient. None: all are.
    """
    if mask is None:
        precision = var.reciprocal()
        return Evidence(precision, precision * obs)
    observed = mask.unsqueeze(-1)
    precision = torch.where(observed, var.reciprocal(), 0.0)
    return Evidence(precision, precision * torch.where(observed, obs, 0.0))
