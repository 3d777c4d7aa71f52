"""What compiles on the user's machine is looked at before it is trusted."""

from dataclasses import replace

import pytest
import torch

from mts3.gaussian import DenseMap, ModalMap
from mts3.kernels.fused import FUSED
from mts3.kernels.reference import REFERENCE
from mts3.kernels.self_check import failure

CPU = torch.device("cpu")


def slightly_wrong(problem):
    """The noise of one step goes missing."""
    cov = problem.offset.cov.clone()
    cov[:, 3] *= 0.9
    return REFERENCE.run(replace(problem, offset=replace(problem.offset, cov=cov)))


def wrong_backwards(problem):
    """Right values, and half of a gradient."""
    return REFERENCE.run(replace(problem, prior=problem.prior.map(lambda fields: 0.5 * (fields + fields.detach()))))


def crashing(problem):
    raise RuntimeError("no kernel image is available\nmore")


@pytest.mark.parametrize("kind", [DenseMap, ModalMap])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_right_one_passes(kind, dtype):
    with torch.no_grad():
        assert failure(FUSED.run, kind, dtype, CPU) is None


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (slightly_wrong, "computes other values than the reference on cpu"),
        (wrong_backwards, "computes other values than the reference on cpu"),
        (crashing, "failed a small problem on cpu .*no kernel image is available"),
    ],
)
def test_a_wrong_one_is_named_once(run, words):
    with pytest.warns(UserWarning, match=words):
        why = failure(run, ModalMap, torch.float64, CPU)
    assert why is not None
    assert failure(run, ModalMap, torch.float64, CPU) == why  # and warns no more
