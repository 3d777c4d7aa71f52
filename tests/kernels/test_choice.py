"""Which backend runs, and what it says when it cannot."""

import pytest
import torch

from mts3.errors import UserError
from mts3.kernels import BACKENDS, BackendRefused, choose, filter_sequence, use_backend, wanted_backend
from mts3.kernels.backend import Backend
from tests.kernels.problems import random_problem


def test_auto_takes_the_first_that_can():
    problem, _ = random_problem()
    first = next(backend for backend in BACKENDS.values() if backend.refusal(problem) is None)
    with use_backend("auto"):
        assert choose(problem) is first


def test_a_name_holds_inside_the_context_alone():
    before = wanted_backend()
    with use_backend("reference"):
        assert wanted_backend() == "reference"
        assert choose(random_problem()[0]).name == "reference"
    assert wanted_backend() == before


def test_an_unknown_name_is_refused_with_the_nearest():
    with (
        pytest.raises(UserError, match="unknown backend 'referense': did you mean reference"),
        use_backend("referense"),
    ):
        pass


def test_what_a_backend_refuses_nobody_else_does_in_its_place(monkeypatch):
    never = Backend("never", refusal=lambda problem: "has no hands", run=lambda problem: problem.prior)
    monkeypatch.setitem(BACKENDS, "never", never)
    with use_backend("never"), pytest.raises(BackendRefused, match="backend 'never' has no hands; choose auto or"):
        choose(random_problem()[0])


def test_autocast_leaves_the_filter_alone():
    problem, _ = random_problem("dense", dtype=torch.float32)
    with use_backend("reference"):
        expected = filter_sequence(problem)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = filter_sequence(problem)
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.cov, expected.cov)
