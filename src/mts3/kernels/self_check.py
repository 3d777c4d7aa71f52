"""A small problem before the first real one: does a backend compute on this device what the reference does?

Kernels are compiled where they run. If a new driver, compiler or card computes them wrongly, nobody should train with
the results without knowing it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch

from mts3.gaussian import Belief, DenseMap, Evidence, LinearMap, ModalMap, dense_map, modal_map
from mts3.kernels.backend import Problem
from mts3.kernels.reference import REFERENCE
from mts3.types import Tensor

BATCH, STEPS, DIM = 3, 6, 5
WITHIN = 1e-3
"""Of the largest entry of a value or gradient; a wrong kernel is off by more than rounding in float32."""


@cache
def failure(
    run: Callable[[Problem], Belief], kind: type[LinearMap], dtype: torch.dtype, device: torch.device
) -> str | None:
    """Why `run` is not to be trusted, in words, which is also a warning; None if it agrees with the reference.

    Args:
        run: Of a backend.
        kind: `DenseMap` or `ModalMap`.
        dtype, device: Of the tensors.
    """
    with torch.inference_mode(False), torch.enable_grad():
        expected = _computed(REFERENCE.run, kind, dtype, device)
        try:
            found = _computed(run, kind, dtype, device)
        except Exception as error:  # whatever a compiler or driver raises
            why = f"failed a small problem on {device} ({type(error).__name__}: {str(error).splitlines()[:1]})"
        else:
            if all(_close(f, e) for f, e in zip(found, expected, strict=True)):
                return None
            why = f"computes other values than the reference on {device}"
    warnings.warn(f"the compiled filter {why}; it is not used. Please report it.", stacklevel=2)
    return why


def _close(found: Tensor, expected: Tensor) -> bool:
    return bool(torch.isfinite(found).all() and (found - expected).abs().max() <= WITHIN * expected.abs().max())


def _computed(
    run: Callable[[Problem], Belief], kind: type[LinearMap], dtype: torch.dtype, device: torch.device
) -> list[Tensor]:
    """Values and every gradient of a small problem with gaps and a cut."""
    g = torch.Generator().manual_seed(0)

    def leaf(*shape: int, least: float = 0.0, width: float = 1.0) -> Tensor:
        values = least + width * torch.rand(*shape, generator=g, dtype=torch.float64)
        return values.to(device, dtype).requires_grad_()

    matrix = leaf(2, 2, DIM, width=0.4) if kind is ModalMap else leaf(2 * DIM, 2 * DIM, width=0.1)
    transition: ModalMap | DenseMap = (modal_map if kind is ModalMap else dense_map)(matrix)
    wide = (BATCH, STEPS, DIM)
    var = [leaf(BATCH, DIM, least=0.5), leaf(BATCH, DIM, width=0.2), leaf(BATCH, DIM, least=0.5)]
    noise = [leaf(*wide, least=0.1), leaf(*wide, width=0.05), leaf(*wide, least=0.1)]
    means = [leaf(BATCH, 2 * DIM, least=-0.5), leaf(BATCH, STEPS, 2 * DIM, least=-0.5)]
    evidence = [leaf(*wide), leaf(*wide, least=-0.5)]
    there = (torch.arange(STEPS, device=device) % 3 > 0)[:, None]
    problem = Problem(
        Belief(means[0], torch.cat(var, -1)),
        transition,
        Belief(means[1], torch.cat(noise, -1)),
        Evidence(*(torch.where(there, part, 0.0) for part in evidence)),
        (4,),
    )
    predicted = run(problem)
    leaves = [matrix, *var, *noise, *means, *evidence]
    grads = torch.autograd.grad(predicted.mean.sin().sum() + predicted.cov.sin().sum(), leaves)
    return [predicted.mean.detach(), predicted.cov.detach(), *grads]
