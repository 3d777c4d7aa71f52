"""Which backend runs: by name, or the first that can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mts3.errors import unknown_name
from mts3.kernels.associative import ASSOCIATIVE
from mts3.kernels.backend import Backend, BackendRefused, Problem
from mts3.kernels.fused import FUSED
from mts3.kernels.reference import REFERENCE
from mts3.kernels.triton_backend import TRITON

AUTO = "auto"
BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (TRITON, FUSED, ASSOCIATIVE, REFERENCE)}
"""Fastest first: what `auto` tries in this order."""

_wanted: ContextVar[str | None] = ContextVar("backend", default=None)


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Filter with this backend within the context: "auto", or one of `BACKENDS`, which then refuses what it cannot do.

    The environment variable MTS3_BACKEND sets what holds outside of any context. A backend changes no result and is
    no part of a model: the same parameters, the same checkpoint. "reference" takes every network as plain modules too
    (see `mts3.layers.mlp`): it is slow, clear, and has derivatives of any order.

    Raises:
        UserError: for an unknown name.
    """
    if name not in (AUTO, *BACKENDS):
        raise unknown_name("backend", name, (AUTO, *BACKENDS))
    token = _wanted.set(name)
    try:
        yield
    finally:
        _wanted.reset(token)


def wanted_backend() -> str:
    """The name in force here."""
    return _wanted.get() or os.environ.get("MTS3_BACKEND", AUTO)


def choose(problem: Problem) -> Backend:
    """The backend for a problem.

    Raises:
        BackendRefused: if the one asked for by name cannot do it; says why.
        UserError: if there is no such backend.
    """
    name = wanted_backend()
    if name == AUTO:
        return next(backend for backend in BACKENDS.values() if backend.refusal(problem) is None)
    if name not in BACKENDS:
        raise unknown_name("backend", name, (AUTO, *BACKENDS))
    why = BACKENDS[name].refusal(problem)
    if why is not None:
        raise BackendRefused(f"backend '{name}' {why}; choose auto or another of {', '.join(BACKENDS)}")
    return BACKENDS[name]
