"""D separate 2x2 systems: inference on them is exact, and they compose over time."""

from __future__ import annotations

import math

import torch
from torch import nn

from mts3.gaussian import ModalMap, modal_map
from mts3.layers.transitions.base import INITIALS, TRANSITIONS, Transition, TransitionOptions
from mts3.types import Float, Tensor


class ModalTransition(Transition):
    """D separate 2x2 systems: exact inference, and the only kind that composes over time.

    Args:
        dim: D.
        initial: (2, 2, D).
    """

    def __init__(self, dim: int, initial: Float[Tensor, "2 2 D"]) -> None:
        super().__init__()
        self.raw = nn.Parameter(initial.clone())

    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of M11, M12; M21, M22."""
        return self.raw

    def forward(self) -> ModalMap:
        """The map, for a whole sequence."""
        return modal_map(self.blocks())


class OscillatorTransition(Transition):
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

    def blocks(self) -> Float[Tensor, "2 2 D"]:
        """The diagonals of M11, M12; M21, M22."""
        decay = torch.exp(-torch.exp(-self.log_memory))
        angle, gain = self.log_frequency.exp(), self.log_gain.exp()
        c, s = decay * torch.cos(angle), decay * torch.sin(angle)
        return torch.stack((torch.stack((c, s * gain)), torch.stack((-s / gain, c))))

    def forward(self) -> ModalMap:
        """The map, for a whole sequence."""
        return modal_map(self.blocks())


@INITIALS.register("oscillator")
def oscillator(dim: int) -> Tensor:
    """Damped rotations, see `OscillatorTransition`."""
    return OscillatorTransition(dim).blocks().detach()


@TRANSITIONS.register("modal")
def modal(options: TransitionOptions) -> ModalTransition | OscillatorTransition:
    """An oscillator stays one, and stable, while it learns."""
    options.require_memory()
    if options.init == "oscillator":
        return OscillatorTransition(options.dim)
    return ModalTransition(options.dim, options.initial())
