"""A scan in blocks: all states of a long sequence, with most of the work done in parallel.

Steps that compose can be grouped. The sequence is cut into blocks of a few steps. In parallel, each block is composed
into one stretch. A scan over the stretches, by the same method, gives the state before each block. From there, again
in parallel, each block is computed step by step. Every step is composed once and applied once: O(T) work, O(log T)
depth. The steps that do not fill a block are applied last, so there is no padding.

Reference: Blelloch, Prefix sums and their applications (1990), with blocks in place of pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import torch

from mts3.types import Tensor

State = tuple[Tensor, ...]
"""Tensors (*fields, T, B, n), T states of a batch."""

TIME = -3
BLOCK = 8  # of 4, 8, 16, 32: within a fifth of the fastest from 1,000 to 100,000 steps, on a CPU


class Steps(Protocol):
    """T steps: a NamedTuple of tensors (*fields, T, B, n), or (*fields, 1, ...) where one holds for all of them."""

    def advance(self, state: State) -> State:
        """The T states after these steps, each given the one before it."""
        ...

    def after(self, stretches: Any) -> Any:
        """T stretches, each followed by one of these steps: again T `Steps`. None: the steps come first."""
        ...


def scan(state: State, steps: Any, block: int = BLOCK) -> State:
    """The states after each of T steps, (*fields, T, B, n).

    Args:
        state: The one before them, (*fields, 1, B, n).
        steps: `Steps`.
        block: Steps in a block. More make fewer levels and longer walks.
    """
    length = max(field.shape[TIME] for field in steps)
    count = length // block
    if count < 2:
        return _join(_walk(state, _split(steps, [1] * length)))
    whole, rest = _split(steps, [count * block, length - count * block])
    places = _places(whole, count, block)
    stretches = None
    for place in places:
        stretches = place.after(stretches)
    starts = _join([state, scan(state, _split(stretches, [count - 1, 1])[0], block)])
    inside = tuple(torch.stack(f, TIME).flatten(TIME - 1, TIME) for f in zip(*_walk(starts, places), strict=True))
    last = tuple(field.narrow(TIME, -1, 1) for field in inside)
    return _join([inside, *_walk(last, _split(rest, [1] * (length - count * block)))])


def _walk(state: State, steps: Iterable[Steps]) -> list[State]:
    states = []
    for step in steps:
        state = step.advance(state)
        states.append(state)
    return states


def _split(steps: Any, lengths: list[int]) -> list[Any]:
    """The steps in parts. Split, not indexed: the gradient of each index would be a tensor of full length."""
    parts = ([f] * len(lengths) if f.shape[TIME] == 1 else f.split(lengths, TIME) for f in steps)
    return [type(steps)(*fields) for fields in zip(*parts, strict=True)]


def _places(steps: Any, count: int, block: int) -> list[Any]:
    """The first steps of all blocks, the second ones, and so on, each contiguous."""
    parts = (
        [f] * block if f.shape[TIME] == 1 else f.unflatten(TIME, (count, block)).movedim(TIME, 0).contiguous().unbind(0)
        for f in steps
    )
    return [type(steps)(*fields) for fields in zip(*parts, strict=True)]


def _join(states: list[State]) -> State:
    """States one after the other in time."""
    return tuple(torch.cat(fields, TIME) for fields in zip(*states, strict=True))
