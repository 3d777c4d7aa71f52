"""Transitions: learned linear maps between latents, of several structures behind one interface."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from mts3.errors import unknown_name
from mts3.gaussian import DenseMap, ModalMap, dense_map, modal_map
from mts3.types import Float, Tensor


class DenseTransition(nn.Module):
    """Any matrix M (2D, 2D).

    Args:
        dim: D.
        initial: (2, 2, D) blocks; M starts with them on the diagonals of M11, M12; M21, M22.
    """

    def __init__(self, dim: int, initial: Float[Tensor, "2 2 D"]) -> None:
        super().__init__()
        rows = [torch.cat([torch.diag(block) for block in row], 1) for row in initial]
        self.matrix = nn.Parameter(torch.cat(rows, 0))

    def forward(self) -> DenseMap:
        """The map, prepared for a sequence."""
        return dense_map(self.matrix)


class BandedTransition(DenseTransition):
    """As dense, but each block's entries further than `bandwidth` from its diagonal are zero, and stay zero.

    Args:
        dim: D.
        initial: (2, 2, D).
        bandwidth: Diagonals kept on either side, 0 to D - 1.
    """

    band: Tensor

    def __init__(self, dim: int, initial: Float[Tensor, "2 2 D"], bandwidth: int) -> None:
        super().__init__(dim, initial)
        index = torch.arange(dim)
        near = (index[:, None] - index[None, :]).abs() <= bandwidth
        self.register_buffer("band", near.repeat(2, 2).to(initial.dtype), persistent=False)

    def forward(self) -> DenseMap:
        """The map, prepared for a sequence."""
        return dense_map(self.matrix * self.band)


class ModalTransition(nn.Module):
    """D separate 2x2 systems: exact inference, and the only kind that composes over time.

    Args:
        dim: D.
        initial: (2, 2, D).
    """

    def __init__(self, dim: int, initial: Float[Tensor, "2 2 D"]) -> None:
        super().__init__()
        self.blocks = nn.Parameter(initial.clone())

    def forward(self) -> ModalMap:
        """The map, prepared for a sequence."""
        return modal_map(self.blocks)


Transition = DenseTransition | ModalTransition
TRANSITIONS = ("dense", "banded", "modal")


def _published(dim: int) -> Tensor:
    """Off-diagonal blocks +-0.2 I, zero diagonal blocks: what the published code starts from; forgets within steps."""
    ones = torch.ones(dim)
    return torch.stack((torch.stack((0.0 * ones, 0.2 * ones)), torch.stack((-0.2 * ones, 0.0 * ones))))


def _identity(dim: int) -> Tensor:
    """M = I: the state stays where it is."""
    return torch.eye(2)[:, :, None].expand(2, 2, dim).clone()


def _oscillator(dim: int) -> Tensor:
    """Damped rotations whose memory and period are spread from a few to about a thousand steps."""
    memory = torch.logspace(math.log10(3.0), math.log10(1000.0), dim)
    decay, angle = torch.exp(-1.0 / memory), 1.0 / memory
    c, s = decay * torch.cos(angle), decay * torch.sin(angle)
    return torch.stack((torch.stack((c, s)), torch.stack((-s, c))))


def _zero(dim: int) -> Tensor:
    """M = 0: a parent that has no influence until training gives it one."""
    return torch.zeros(2, 2, dim)


INITIALS: dict[str, Callable[[int], Tensor]] = {
    "published": _published,
    "identity": _identity,
    "oscillator": _oscillator,
    "zero": _zero,
}


def make_transition(kind: str, dim: int, init: str, bandwidth: int = 3) -> Transition:
    """A transition by name.

    Args:
        kind: "dense", "banded" or "modal".
        dim: D.
        init: "published", "identity", "oscillator" or "zero".
        bandwidth: For "banded".
    Raises:
        UserError: for an unknown kind or initialisation, with the nearest names.
    """
    if init not in INITIALS:
        raise unknown_name("transition initialisation", init, INITIALS)
    initial = INITIALS[init](dim)
    if kind == "dense":
        return DenseTransition(dim, initial)
    if kind == "banded":
        return BandedTransition(dim, initial, bandwidth)
    if kind == "modal":
        return ModalTransition(dim, initial)
    raise unknown_name("transition", kind, TRANSITIONS)
