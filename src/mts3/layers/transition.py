"""Transitions: learned linear maps between latents, of several structures behind one interface."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from mts3.errors import UserError, unknown_name
from mts3.gaussian import DenseMap, ModalMap, dense_map, modal_map
from mts3.layers.locally_linear import LocallyLinearTransition
from mts3.layers.prepared import Prepared
from mts3.types import Float, Tensor


class DenseTransition(nn.Module):
    """Any matrix M (2D, 2D), or the part of it that `keep` leaves: what is zero there is zero and stays zero.

    M = keep * (M_0 + change / (2D)): Adam moves every entry of `change` by about the learning rate, and the division
    keeps the step in M's spectral norm at about that size whatever D is (Yang et al. 2021, arXiv 2203.03466, table 3).
    Without it a long-memory M leaves stability within the first updates.

    Args:
        dim: D.
        initial: (2, 2, D) blocks; M starts with them on the diagonals of M11, M12; M21, M22.
        keep: (2D, 2D) of zeros and ones, see `band` and `upper_only`; None keeps all.
    """

    initial: Tensor
    keep: Tensor | None

    def __init__(
        self, dim: int, initial: Float[Tensor, "2 2 D"], keep: Float[Tensor, "twoD twoD"] | None = None
    ) -> None:
        super().__init__()
        rows = [torch.cat([torch.diag(block) for block in row], 1) for row in initial]
        self.register_buffer("initial", torch.cat(rows, 0))
        self.register_buffer("keep", keep, persistent=False)
        self.change = nn.Parameter(torch.zeros(2 * dim, 2 * dim))
        self.prepared = Prepared()

    def matrix(self) -> Float[Tensor, "twoD twoD"]:
        """M."""
        matrix = self.initial + self.change / self.change.shape[0]
        return matrix if self.keep is None else matrix * self.keep

    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of M11, M12; M21, M22."""
        dim = self.change.shape[0] // 2
        halves = [half.diagonal() for row in self.matrix().split(dim) for half in row.split(dim, 1)]
        return torch.stack(halves).unflatten(0, (2, 2))

    def forward(self) -> DenseMap:
        """The map, prepared for a sequence."""
        keep = () if self.keep is None else (self.keep,)
        return self.prepared(lambda: dense_map(self.matrix()), self.change, self.initial, *keep)


def band(dim: int, bandwidth: int) -> Float[Tensor, "twoD twoD"]:
    """Ones where an entry is at most `bandwidth` (0 to D - 1) from the diagonal of its block."""
    index = torch.arange(dim)
    near = (index[:, None] - index[None, :]).abs() <= bandwidth
    return near.repeat(2, 2).to(torch.get_default_dtype())


def upper_only(dim: int) -> Float[Tensor, "twoD twoD"]:
    """Ones in M11: a latent without its memory half."""
    keep = torch.zeros(2 * dim, 2 * dim)
    keep[:dim, :dim] = 1.0
    return keep


class ModalTransition(nn.Module):
    """D separate 2x2 systems: exact inference, and the only kind that composes over time.

    Args:
        dim: D.
        initial: (2, 2, D).
    """

    def __init__(self, dim: int, initial: Float[Tensor, "2 2 D"]) -> None:
        super().__init__()
        self.raw = nn.Parameter(initial.clone())
        self.prepared = Prepared()

    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of M11, M12; M21, M22."""
        return self.raw

    def forward(self) -> ModalMap:
        """The map, prepared for a sequence."""
        return self.prepared(lambda: modal_map(self.blocks()), self.raw)


class OscillatorTransition(nn.Module):
    """D damped oscillators, stable at any horizon: a modal map of a state onto itself.

        M_d = exp(-1/tau) [[cos w, g sin w], [-sin w / g, cos w]],   tau, w, g > 0.

    Its eigenvalues exp(-1/tau +- i w) never leave the unit disc; w -> 0 with g w fixed is an integrator.
    Time constant, frequency and gain are learned as logarithms, so that a step of the optimizer is a relative
    change of each, from fast modes to slow ones.

    Args:
        dim: D.
        shortest, longest: Range the time constants start in, in steps; w starts at 1/tau.
    """

    def __init__(self, dim: int, shortest: float = 3.0, longest: float = 1000.0) -> None:
        super().__init__()
        self.log_memory = nn.Parameter(torch.linspace(math.log(shortest), math.log(longest), dim))
        self.log_frequency = nn.Parameter(-self.log_memory.detach().clone())
        self.log_gain = nn.Parameter(torch.zeros(dim))
        self.prepared = Prepared()

    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of M11, M12; M21, M22."""
        decay = torch.exp(-torch.exp(-self.log_memory))
        angle, gain = self.log_frequency.exp(), self.log_gain.exp()
        c, s = decay * torch.cos(angle), decay * torch.sin(angle)
        return torch.stack((torch.stack((c, s * gain)), torch.stack((-s / gain, c))))

    def forward(self) -> ModalMap:
        """The map, prepared for a sequence."""
        sources = (self.log_memory, self.log_frequency, self.log_gain)
        return self.prepared(lambda: modal_map(self.blocks()), *sources)


Transition = DenseTransition | ModalTransition | OscillatorTransition | LocallyLinearTransition
TRANSITIONS = ("dense", "banded", "modal", "locally_linear")


def _published(dim: int) -> Tensor:
    """Off-diagonal blocks +-0.2 I, zero diagonal blocks: what the published code starts from; forgets within steps."""
    ones = torch.ones(dim)
    return torch.stack((torch.stack((0.0 * ones, 0.2 * ones)), torch.stack((-0.2 * ones, 0.0 * ones))))


def _identity(dim: int) -> Tensor:
    """M = I: the latent stays where it is."""
    return torch.eye(2)[:, :, None].expand(2, 2, dim).clone()


def _oscillator(dim: int) -> Tensor:
    """Damped rotations, see `OscillatorTransition`."""
    return OscillatorTransition(dim).blocks().detach()


INITIALS: dict[str, Callable[[int], Tensor]] = {
    "oscillator": _oscillator,
    "identity": _identity,
    "published": _published,
}


def make_transition(
    kind: str, dim: int, init: str, bandwidth: int = 3, bases: int = 15, memory: bool = True
) -> Transition:
    """A transition by name.

    Args:
        kind: "dense", "banded", "modal" or "locally_linear".
        dim: D.
        init: "oscillator", "identity" or "published". A modal oscillator stays one, and stable, while it learns.
        bandwidth: For "banded" and "locally_linear".
        bases: K, for "locally_linear".
        memory: False drops the lower half of the latent: only M11 is left. For "dense" and "banded".
    Raises:
        UserError: for an unknown kind or initialisation, with the nearest names, or a kind that needs its memory.
    """
    if init not in INITIALS:
        raise unknown_name("transition initialisation", init, INITIALS)
    if kind not in TRANSITIONS:
        raise unknown_name("transition", kind, TRANSITIONS)
    initial = INITIALS[init](dim)
    if not memory and kind not in ("dense", "banded"):
        raise UserError(f"memory=False needs transition=dense or banded, got '{kind}', which is made of both halves")
    if kind == "dense":
        return DenseTransition(dim, initial, None if memory else upper_only(dim))
    if kind == "banded":
        return DenseTransition(dim, initial, band(dim, bandwidth) * (1.0 if memory else upper_only(dim)))
    if kind == "modal":
        return OscillatorTransition(dim) if init == "oscillator" else ModalTransition(dim, initial)
    return LocallyLinearTransition(dim, initial, bandwidth, bases)


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
