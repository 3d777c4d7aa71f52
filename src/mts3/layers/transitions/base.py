"""What a transition is, how it may start, and the registry that each kind enters from its own file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from mts3.errors import UserError
from mts3.gaussian import LinearMap
from mts3.registry import Registry
from mts3.types import Float, Tensor


class Transition(nn.Module, ABC):
    """A linear map between latents, made from parameters."""

    @abstractmethod
    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of M11, M12; M21, M22 as they are now, for `input_gain`."""

    @abstractmethod
    def forward(self) -> LinearMap:
        """The map, for a whole sequence."""


@dataclass(frozen=True)
class TransitionOptions:
    """What a transition may be made from; each kind looks at what concerns it.

    Attributes:
        kind: Its name in `TRANSITIONS`.
        dim: D.
        init: How it starts, a name in `INITIALS`.
        bandwidth: Diagonals kept on either side, of banded kinds.
        bases: K, of a locally linear one.
        memory: False drops the lower half of the latent: only M11 is left.
    """

    kind: str
    dim: int
    init: str
    bandwidth: int = 3
    bases: int = 15
    memory: bool = True

    def initial(self) -> Float[Tensor, "2 2 D"]:
        """Blocks to start from."""
        return INITIALS[self.init](self.dim)

    def require_memory(self) -> None:
        """Refuse to go without the lower half, for kinds that are made of both."""
        if not self.memory:
            raise UserError(
                f"memory=False needs transition=dense or banded, got '{self.kind}', which is made of both halves"
            )


TRANSITIONS: Registry[Callable[[TransitionOptions], Transition]] = Registry("transition")
INITIALS: Registry[Callable[[int], Tensor]] = Registry("transition initialisation")


@INITIALS.register("identity")
def identity(dim: int) -> Tensor:
    """M = I: the latent stays where it is."""
    return torch.eye(2)[:, :, None].expand(2, 2, dim).clone()


@INITIALS.register("published")
def published(dim: int) -> Tensor:
    """Off-diagonal blocks +-0.2 I, zero diagonal blocks: what the published code starts from; forgets within steps."""
    ones = torch.ones(dim)
    return torch.stack((torch.stack((0.0 * ones, 0.2 * ones)), torch.stack((-0.2 * ones, 0.0 * ones))))


def input_gain(transition: Transition) -> Float[Tensor, " D"]:
    """How much of a push each dimension should take, sqrt(1 - rho_d^2), so that white pushes add up to their size.

    A dimension that remembers for tau steps sums up as many pushes: unscaled, a random control net moves it by tau
    times its output before it has learned anything. Dimensions that do not decay (rho = 1) take pushes whole.

    Args:
        transition: Looked at as it is now, rho_d being the spectral radius of the 2x2 block of dimension d.
    Reference: Orvieto et al. 2023 (arXiv 2303.06349), section 3.4.
    """
    m11, m12, m21, m22 = transition.blocks().flatten(0, 1)
    determinant, half_trace = m11 * m22 - m12 * m21, 0.5 * (m11 + m22)
    # Complex eigenvalues: rho^2 is the determinant. Real ones: the larger of half_trace +- root.
    root = (half_trace**2 - determinant).clamp_min(0.0).sqrt()
    squared_radius = torch.where(root > 0, (half_trace.abs() + root) ** 2, determinant.abs())
    forgotten = 1.0 - squared_radius
    return torch.where(forgotten > 0, forgotten.clamp_min(1e-6).sqrt(), 1.0).detach()
