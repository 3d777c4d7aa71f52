"""What a backend is: the filter of a whole sequence, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from mts3.errors import UserError
from mts3.gaussian import Belief, Evidence, LinearMap


class BackendRefused(UserError):
    """A backend that was asked for by name cannot do this; no other one takes its place."""


@dataclass(frozen=True)
class Problem:
    """A sequence to filter: z_{t+1} = M z_t + offset_t + noise, after w_t is observed.

    Attributes:
        prior: p(z_0), (B) beliefs.
        transition: M, one for all steps.
        offset: What other parents and the actions add: (B, T) beliefs, process noise included. Often expanded views.
        evidence: (B, T, D); None if nothing is observed, with the same result as zeros.
        detach_at: Steps before which the gradient of the belief is cut.

    Offset and evidence are taken in the precision of the prior: precisions of 1e4 do not fit into 8 bits.
    """

    prior: Belief
    transition: LinearMap
    offset: Belief
    evidence: Evidence | None
    detach_at: Container[int] = ()

    def __post_init__(self) -> None:
        dtype = self.prior.mean.dtype
        if self.offset.mean.dtype != dtype or self.offset.cov.dtype != dtype:
            object.__setattr__(self, "offset", self.offset.map(lambda fields: fields.to(dtype)))
        if self.evidence is not None and self.evidence.precision.dtype != dtype:
            object.__setattr__(self, "evidence", self.evidence.map(lambda fields: fields.to(dtype)))

    @property
    def steps(self) -> int:
        """T."""
        return self.offset.mean.shape[1]


@dataclass(frozen=True)
class Backend:
    """One implementation.

    Attributes:
        name: What the user calls it.
        refusal: Why it cannot do a problem here and now, in words; None if it can.
        run: The predicted beliefs p(z_{t+1} | w_<=t), (B, T) beliefs, differentiable in everything.
    """

    name: str
    refusal: Callable[[Problem], str | None]
    run: Callable[[Problem], Belief]
