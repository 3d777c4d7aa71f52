"""The whole sequence in one compiled pass, and its gradient in another: for CPUs, by numba (extra `fast`).

The batch is divided among as many threads as PyTorch may use. Results do not depend on which thread computes them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import ModuleType

import numpy as np
import torch

from mts3.gaussian import Belief, DenseMap, Evidence, LinearMap, ModalMap
from mts3.kernels.backend import Backend, BackendRefused, Problem
from mts3.kernels.tracing import traced
from mts3.types import Tensor


def refusal(problem: Problem) -> str | None:
    """None for modal and dense transitions on the CPU, all in float32 or all in float64."""
    if not isinstance(problem.transition, ModalMap | DenseMap):
        return f"knows ModalMap and DenseMap, not {type(problem.transition).__name__}"
    tensors = [*_fields(problem.transition), *_fields(problem.prior), *_fields(problem.offset)]
    tensors += [] if problem.evidence is None else _fields(problem.evidence)
    devices, dtypes = {x.device.type for x in tensors}, {x.dtype for x in tensors}
    if devices != {"cpu"}:
        return f"runs on the CPU, not on {' and '.join(sorted(devices))}"
    if dtypes not in ({torch.float32}, {torch.float64}):
        return f"needs all in float32 or all in float64, not {' and '.join(sorted(map(str, dtypes)))}"
    if traced():
        return "cannot be traced, nor transformed by torch.func"
    try:
        import numba  # noqa: F401
    except ImportError as error:
        return f'needs numba: pip install "mts3[fast]" ({error})'
    return None


def run(problem: Problem) -> Belief:
    """The predicted beliefs, see `Backend`.

    Raises:
        ValueError: if shapes do not fit together.
        BackendRefused: from the backward pass, if its result is to be differentiated again.
    """
    prior, offset, evidence = problem.prior, problem.offset, problem.evidence
    if evidence is None:
        zeros = prior.mean.new_zeros(()).expand(*offset.mean.shape[:2], prior.dim)
        evidence = Evidence(zeros, zeros)
    inputs = [*_fields(problem.transition), *_fields(prior), *_fields(offset), *_fields(evidence)]
    _check_shapes(problem.transition, inputs)
    return Belief(*_Filter.apply(_kernels(problem.transition), problem.detach_at, *inputs))


FUSED = Backend("fused", refusal=refusal, run=run)

_WORTH_A_THREAD = 200_000  # numbers in a mean; a kernel with fewer is done before a second thread has woken up


class _Filter(torch.autograd.Function):
    """Inputs in pairs, as `run` gives them: transition, prior, offset, evidence."""

    @staticmethod
    def forward(ctx, kernels: ModuleType, detach_at: Container[int], *inputs: Tensor) -> tuple[Tensor, ...]:
        transition, prior, offset, evidence = _in_pairs(inputs)
        predicted = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in offset]
        weights = tuple(kernels.forward_weights(x.detach()) for x in transition)
        _in_parts(kernels, kernels.forward, predicted[0], weights, *map(_rows, (prior, offset, evidence, predicted)))
        ctx.kernels, ctx.detach_at = kernels, detach_at
        ctx.save_for_backward(*inputs, *predicted)
        ctx.set_materialize_grads(False)
        return tuple(predicted)

    @staticmethod
    def backward(ctx, *d_predicted: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise BackendRefused(
                "backend 'fused' cannot differentiate a gradient, which create_graph=True asks for; "
                'filter within use_backend("reference")'
            )
        transition, prior, offset, evidence, predicted = _in_pairs(ctx.saved_tensors)
        wanted = _in_pairs(ctx.needs_input_grad[2:])
        batch, steps, _ = predicted[0].shape

        def room(like: Sequence[Tensor], all_steps: bool) -> list[Tensor]:
            """(B, T, ..) for what is wanted, else one row a sequence, written over and over."""
            return [x.new_empty(batch, steps if all_steps else 1, x.shape[-1]) for x in like]

        d_prior, d_evidence = room(prior, False), room(evidence, any(wanted[3]))
        d_offset = room(offset, any((*wanted[0], *wanted[2])))  # the gradient of a matrix is computed from it
        work = [ctx.kernels.workspace(x, batch, steps if any(wanted[0]) else 1) for x in transition]
        given = [x.new_zeros(()).expand_as(x) if d is None else d for x, d in zip(predicted, d_predicted, strict=True)]
        _in_parts(
            ctx.kernels,
            ctx.kernels.backward,
            predicted[0],
            np.array([t in ctx.detach_at for t in range(steps)]),
            tuple(ctx.kernels.backward_weights(x.detach()) for x in transition),
            *map(_rows, (prior, evidence, predicted, given, work, d_prior, d_offset, d_evidence)),
        )
        d_transition = [
            ctx.kernels.weight_gradient(*x) if any(wanted[0]) else None
            for x in zip(transition, work, d_offset, strict=True)
        ]
        found = [*d_transition, *(x.squeeze(1) for x in d_prior), *d_offset, *d_evidence]
        return None, None, *(x if needed else None for x, needed in zip(found, ctx.needs_input_grad[2:], strict=True))


def _fields(record: Belief | Evidence | LinearMap) -> list[Tensor]:
    """The two tensors that a belief, evidence, or a transition is made of."""
    return list(vars(record).values())


def _in_pairs(items: Sequence) -> list[Sequence]:
    return [items[i : i + 2] for i in range(0, len(items), 2)]


def _rows(pair: Sequence[Tensor]) -> tuple[np.ndarray, ...]:
    """(B, T, width) arrays for a kernel, C-contiguous; what is the same along B or T is neither copied nor repeated."""
    return tuple(_narrowed(x.detach() if x.ndim == 3 else x.detach().unsqueeze(1)).contiguous().numpy() for x in pair)


def _narrowed(rows: Tensor) -> Tensor:
    for axis in (0, 1):
        if rows.stride(axis) == 0 and rows.shape[axis] > 1:
            rows = rows.narrow(axis, 0, 1)
    return rows


def _kernels(transition: LinearMap) -> ModuleType:
    """The module of a transition; imported late, because importing numba is slow."""
    if isinstance(transition, ModalMap):
        from mts3.kernels import fused_modal as kernels
    else:
        from mts3.kernels import fused_dense as kernels
    return kernels


def _check_shapes(transition: LinearMap, inputs: Sequence[Tensor]) -> None:
    """Kernels do not check shapes: with a wrong one they would read outside of an array.

    Raises:
        ValueError: naming the first shape that does not fit the offset's.
    """
    names = ("transition mean", "transition cov", "prior mean", "prior cov", "offset mean", "offset cov")
    batch, steps, dim = *inputs[4].shape[:2], inputs[4].shape[-1] // 2
    modal = isinstance(transition, ModalMap)
    expected = [
        (2, 2, dim) if modal else (2 * dim, 2 * dim),
        (3, 3, dim) if modal else (3 * dim, 3 * dim),
        (batch, 2 * dim),
        (batch, 3 * dim),
        (batch, steps, 2 * dim),
        (batch, steps, 3 * dim),
        (batch, steps, dim),
        (batch, steps, dim),
    ]
    for name, shape, x in zip((*names, "precision", "information"), expected, inputs, strict=True):
        if tuple(x.shape) != shape:
            raise ValueError(
                f"{name} is {tuple(x.shape)}; with an offset of {tuple(inputs[4].shape)} it must be {shape}"
            )


def _in_parts(kernels: ModuleType, function: Callable, mean: Tensor, *arguments) -> None:
    """Run a kernel on the whole batch of `mean` (B, T, 2D), whole tiles to each thread."""
    batch, threads = len(mean), torch.get_num_threads()
    size = -(-batch // (threads * kernels.TILE)) * kernels.TILE
    if size >= batch or mean.numel() < _WORTH_A_THREAD:
        _flushing(function, 0, batch, *arguments)
        return
    pool, starts = _pool(os.getpid(), threads), range(0, batch, size)
    parts = [pool.submit(_flushing, function, lo, min(lo + size, batch), *arguments) for lo in starts]
    for part in parts:
        part.result()


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads that sleep while they wait; a process that was forked needs its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="mts3-filter")


def _flushing(function: Callable, *arguments):
    """Call with subnormal numbers treated as zero, a setting of the thread, and restore the setting afterwards.

    Over a stretch without observations a gradient decays into them, and many CPUs need a hundred cycles for each.
    """
    before = sys.float_info.min * 0.5 == 0.0
    torch.set_flush_denormal(True)
    try:
        return function(*arguments)
    finally:
        torch.set_flush_denormal(before)
