"""The definition: without evidence it is what no evidence gives, bit for bit."""

import pytest
import torch

from mts3.gaussian import Evidence
from mts3.kernels import Problem
from mts3.kernels.reference import REFERENCE
from tests.kernels.problems import random_problem


@pytest.mark.parametrize("kind", ["modal", "dense"])
def test_no_evidence_is_zero_evidence(kind):
    problem, _ = random_problem(kind, observed=None, detach_at=(3,))
    zeros = torch.zeros(3, 17, 4, dtype=torch.float64)
    given = Problem(problem.prior, problem.transition, problem.offset, Evidence(zeros, zeros), (3,))
    found, expected = REFERENCE.run(problem), REFERENCE.run(given)
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.cov, expected.cov)
