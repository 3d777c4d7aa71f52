"""Parallel in time: the reference's values and gradients, few operations however long, and what does not compose."""

import dataclasses

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mts3.gaussian import BandedMap, Belief, Evidence, condition, smoothing
from mts3.kernels.associative import ASSOCIATIVE, ModalSteps, smooth
from mts3.kernels.reference import REFERENCE
from mts3.kernels.scan import scan
from tests.kernels.problems import random_problem, value_and_gradients
from tests.kernels.twins import Twins, assert_twins


class TestAssociative(Twins):
    kinds = ("modal",)
    open_loop_kinds = ("modal", "dense")

    name = "associative"

    @pytest.mark.parametrize("kind", ["modal", "dense"])
    def test_open_loops_of_any_length_with_cut_gradients(self, kind):
        assert_twins(ASSOCIATIVE, 1e-9, 1e-11, kind=kind, observed=None, steps=70, detach_at=(0, 33))
        assert_twins(ASSOCIATIVE, 1e-9, 1e-11, kind=kind, observed=None, steps=1, batch=1)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9, 26, 27, 28, 81])
@pytest.mark.parametrize("block", [2, 3, 8])
def test_any_length_in_blocks_of_any_size_is_the_loop(length, block):
    g = torch.Generator().manual_seed(length)
    blocks = torch.rand(2, 2, 1, 1, 3, generator=g, dtype=torch.float64)
    offset = torch.randn(2, length, 4, 3, generator=g, dtype=torch.float64)
    state = start = torch.randn(2, 1, 4, 3, generator=g, dtype=torch.float64)
    expected = []
    for t in range(length):
        state = torch.einsum("ijd,jbd->ibd", blocks[:, :, 0, 0], state[:, 0])[:, None] + offset[:, t : t + 1]
        expected.append(state)
    (found,) = scan((start,), ModalSteps(blocks, offset), block)
    torch.testing.assert_close(found, torch.cat(expected, 1), rtol=1e-11, atol=1e-11)


class Operations(TorchDispatchMode):
    """Counts them, and the numbers they write."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.written = 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.count += 1
        self.written += result.numel() if isinstance(result, torch.Tensor) and not result._is_view() else 0
        return result


def test_few_operations_however_long_and_work_in_proportion():
    """64 times as many steps: two more levels of blocks of 8."""
    used = []
    for steps in (512, 64 * 512):
        problem, _ = random_problem(steps=steps, batch=1, dim=2)
        with torch.no_grad(), Operations() as operations:
            ASSOCIATIVE.run(problem)
        used.append(operations)
    assert used[1].count < 3 * used[0].count
    assert used[1].written < 70 * used[0].written


def test_second_derivatives():
    def seconds(run) -> list[torch.Tensor]:
        problem, leaves = random_problem(batch=1, steps=19, dim=1)
        predicted = run(problem)
        total = predicted.mean.square().sum() + predicted.cov.sin().sum()
        first = torch.autograd.grad(total, list(leaves.values()), create_graph=True)
        return list(torch.autograd.grad(torch.stack([x.sin().sum() for x in first]).sum(), list(leaves.values())))

    for found, expected in zip(seconds(ASSOCIATIVE.run), seconds(REFERENCE.run), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8 * expected.abs().max().item())


@pytest.mark.parametrize("decay", [1.0, 0.999])
@pytest.mark.parametrize("var", [1e-4, 1e2])
def test_float32_stays_as_close_to_the_truth_as_the_loop(decay, var):
    """Slow decay, precise or vague observations; the truth is the loop in float64."""
    exact, _ = random_problem(steps=1_000, batch=1, decay=decay)
    assert exact.evidence is not None
    precision = torch.where(exact.evidence.precision > 0, 1 / var, 0.0)
    noise = exact.offset.cov * torch.tensor(1e-3, dtype=torch.float64)
    exact = dataclasses.replace(
        exact,
        offset=Belief(exact.offset.mean, noise),
        evidence=Evidence(precision, precision * torch.randn(1_000, 4, generator=torch.Generator().manual_seed(1))),
    )
    single = dataclasses.replace(
        exact,
        prior=exact.prior.map(torch.Tensor.float),
        transition=type(exact.transition)(*(x.float() for x in vars(exact.transition).values())),
        offset=exact.offset.map(torch.Tensor.float),
        evidence=Evidence(*(x.float() for x in vars(exact.evidence).values())),
    )
    with torch.no_grad():
        truth, loop, found = REFERENCE.run(exact), REFERENCE.run(single), ASSOCIATIVE.run(single)
    for field in ("mean", "cov"):
        scale = getattr(truth, field).abs().max()
        errors = [((getattr(x, field) - getattr(truth, field)).abs().max() / scale).item() for x in (loop, found)]
        assert errors[1] < 3 * errors[0] + 1e-6, (field, errors)


def test_what_does_not_compose_is_refused():
    problem, _ = random_problem("dense")
    assert "cannot filter a dense transition" in (ASSOCIATIVE.refusal(problem) or "")
    banded = dataclasses.replace(problem, transition=BandedMap(torch.zeros(3, 2, 2, 1, 4, dtype=torch.float64)))
    assert "BandedMap: its map depends on the belief" in (ASSOCIATIVE.refusal(banded) or "")


@pytest.mark.parametrize("steps", [1, 7, 16, 67])
def test_smoothing_in_parallel_is_smoothing_step_by_step(steps):
    problem, leaves = random_problem(steps=steps)
    assert problem.evidence is not None
    predictions = REFERENCE.run(problem)
    before = Belief(
        torch.cat((problem.prior.mean[:, None], predictions.mean[:, :-1]), 1),
        torch.cat((problem.prior.cov[:, None], predictions.cov[:, :-1]), 1),
    )
    posteriors = condition(before, problem.evidence)
    results = [
        value_and_gradients(lambda p, way=way: way(posteriors, predictions, p.transition), problem, leaves)
        for way in (smoothing.smooth, smooth)
    ]
    (expected, expected_gradients), (found, gradients) = results
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(found.cov, expected.cov, rtol=1e-9, atol=1e-10)
    for name, gradient in expected_gradients.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-8, atol=1e-9 * scale + 1e-11, msg=name)
