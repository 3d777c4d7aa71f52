"""The GPU backend: a whole sequence in one kernel, and its gradients in another."""

from __future__ import annotations

import os
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

from mts3.gaussian import Belief, DenseMap, Evidence, ModalMap
from mts3.kernels.backend import Backend, BackendRefused, Problem
from mts3.kernels.self_check import failure
from mts3.types import Tensor

LARGEST_DENSE_DIM = 64
"""13 tiles of 64 x 64 floats are 208 KB, in the 256 KB of registers that a core of the device has."""


def interpreted() -> bool:
    """Whether Triton runs its kernels on the CPU, slowly, for tests: it reads this variable when it defines them."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def refusal(problem: Problem) -> str | None:
    """Why Triton cannot do it here."""
    mean, transition = problem.prior.mean, problem.transition
    if find_spec("triton") is None:
        return "needs triton, which comes with PyTorch for CUDA on Linux"
    if not mean.is_cuda and not interpreted():
        return f"needs a GPU, and these tensors are on {mean.device}"
    if not isinstance(transition, DenseMap | ModalMap):
        return "knows dense and modal transitions, whose matrix is the same at every step"
    if mean.dtype not in (torch.float32, torch.float64):
        return f"computes in float32 or float64, not in {mean.dtype}: {str(mean.dtype)[6:]} has too few digits for it"
    if isinstance(transition, DenseMap) and problem.prior.dim > LARGEST_DENSE_DIM:
        return f"keeps dense transitions on chip, up to latent_obs_dim={LARGEST_DENSE_DIM}, not {problem.prior.dim}"
    return None if interpreted() else failure(run, type(transition), mean.dtype, mean.device)


def run(problem: Problem) -> Belief:
    """One launch; gradients are another."""
    # Imported here: triton is absent where there is no GPU, and takes a while.
    from mts3.kernels import triton_dense, triton_modal

    match problem.transition:
        case ModalMap(mean_blocks, cov_blocks):
            kernels, maps = triton_modal, (mean_blocks, cov_blocks)
        case DenseMap(mean_matrix, cov_matrix):
            kernels, maps = triton_dense, (mean_matrix, cov_matrix)
        case _:
            raise AssertionError("refused before")
    evidence = problem.evidence
    observed = (None, None) if evidence is None else (_rows(evidence.precision), _rows(evidence.information))
    prior, offset = problem.prior.map(_rows), problem.offset.map(_rows)
    fields = (*maps, prior.mean, prior.cov, offset.mean, offset.cov, *observed)
    return Belief(*_Filter.apply(kernels, _cuts(problem), *fields))  # pyright: ignore[reportGeneralTypeIssues]


def _rows(fields: Tensor) -> Tensor:
    """The same fields, the last axis without gaps, as the kernels read it; other strides may be any, zero included."""
    return fields if fields.stride(-1) == 1 else fields.contiguous()


def _cuts(problem: Problem) -> Tensor | None:
    """(T), one where the gradient is cut before the step; None if it is nowhere."""
    cuts = [t in problem.detach_at for t in range(problem.steps)]
    if not any(cuts):
        return None
    device = problem.prior.mean.device
    # Pinned, so that the copy is queued and nobody waits for the device.
    return torch.tensor(cuts, dtype=torch.uint8, pin_memory=device.type == "cuda").to(device, non_blocking=True)


class _Filter(torch.autograd.Function):
    """The filter of a module of kernels as one node of the graph."""

    @staticmethod
    def forward(ctx, kernels: ModuleType, cut: Tensor | None, *fields: Any):
        *maps, prior_mean, prior_cov, offset_mean, offset_cov, precision, information = fields
        prior = Belief(prior_mean, prior_cov)
        evidence = None if precision is None else Evidence(precision, information)
        with torch.cuda.device_of(prior_mean):
            predicted = kernels.forward(*maps, prior, Belief(offset_mean, offset_cov), evidence)
        ctx.kernels = kernels
        # The offset is not needed: what it led to is.
        ctx.save_for_backward(*maps, prior_mean, prior_cov, precision, information, predicted.mean, predicted.cov, cut)
        return predicted.mean, predicted.cov

    @staticmethod
    def backward(ctx, *grads: Tensor):
        if torch.is_grad_enabled():
            raise BackendRefused("backend 'triton' gives first derivatives only; choose reference for create_graph")
        *maps, prior_mean, prior_cov, precision, information, mean, cov, cut = ctx.saved_tensors
        evidence = None if precision is None else Evidence(precision, information)
        prior, predicted = Belief(prior_mean, prior_cov), Belief(mean, cov)
        with torch.cuda.device_of(prior_mean):
            grad = Belief(*map(_rows, grads))
            return None, None, *ctx.kernels.backward(*maps, prior, evidence, predicted, cut, grad)


TRITON = Backend("triton", refusal, run)
