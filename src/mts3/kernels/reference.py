"""The definition: one step after the other, in PyTorch. Any transition, any device, any derivative."""

from __future__ import annotations

from mts3.gaussian import Belief, filtering, stack
from mts3.kernels.backend import Backend, Problem


def run(problem: Problem) -> Belief:
    """`gaussian.filtering.scan`; without observations the transition alone, which gives the same result faster."""
    if problem.evidence is not None:
        steps = filtering.prepare(problem.transition, problem.offset, problem.evidence)
        return stack(filtering.scan(problem.prior, steps, problem.detach_at), 1)
    predicted, belief = [], problem.prior
    for t, offset in enumerate(problem.offset.unbind(1)):
        belief = problem.transition.apply(belief.detach() if t in problem.detach_at else belief) + offset
        predicted.append(belief)
    return stack(predicted, 1)


REFERENCE = Backend("reference", refusal=lambda problem: None, run=run)
