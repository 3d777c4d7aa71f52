"""Transitions: learned linear maps between latents, of several structures behind one interface, a file each."""

from __future__ import annotations

from mts3.layers.transitions.base import INITIALS, TRANSITIONS, Transition, TransitionOptions, input_gain
from mts3.registry import import_all

import_all(__name__, __path__)


def make_transition(
    kind: str, dim: int, init: str, bandwidth: int = 3, bases: int = 15, memory: bool = True
) -> Transition:
    """A transition by name.

    Args:
        kind: One of `TRANSITIONS`: "dense", "banded", "modal", "locally_linear".
        dim: D.
        init: One of `INITIALS`: "oscillator", "identity", "published".
        bandwidth: For "banded" and "locally_linear".
        bases: K, for "locally_linear".
        memory: False drops the lower half of the latent: only M11 is left. For "dense" and "banded".
    Raises:
        UserError: for an unknown kind or initialisation, with the nearest names, or a kind that needs its memory.
    """
    INITIALS[init]  # an unknown one is named whatever the kind makes of it
    return TRANSITIONS[kind](TransitionOptions(kind, dim, init, bandwidth, bases, memory))


__all__ = ["INITIALS", "TRANSITIONS", "Transition", "TransitionOptions", "input_gain", "make_transition"]
