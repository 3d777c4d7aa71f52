"""The compiled pass: the values and gradients of the reference, whatever is asked of it and however it is divided."""

import sys
from dataclasses import replace

import pytest
import torch

pytest.importorskip("numba")

import numba

from mts3.gaussian import Belief, Evidence
from mts3.gaussian.banded import BandedMap
from mts3.kernels import BackendRefused, Problem, filter_sequence, fused, fused_lanes, use_backend
from mts3.kernels.fused import FUSED
from mts3.kernels.reference import REFERENCE
from tests.kernels.problems import random_problem, value_and_gradients
from tests.kernels.twins import Twins

KINDS = ("modal", "dense")
BOTH = pytest.mark.parametrize("kind", KINDS)


class TestFused(Twins):
    kinds = KINDS
    open_loop_kinds = KINDS

    name = "fused"


def inputs_of(problem: Problem) -> list[torch.Tensor]:
    return [
        x for part in (problem.transition, problem.prior, problem.offset, problem.evidence) for x in vars(part).values()
    ]


def with_inputs(problem: Problem, inputs: list[torch.Tensor]) -> Problem:
    evidence = Evidence(*inputs[6:])
    return Problem(Belief(*inputs[2:4]), type(problem.transition)(*inputs[:2]), Belief(*inputs[4:6]), evidence, ())


def at_the_filter(**arguments) -> tuple[Problem, list[torch.Tensor]]:
    """A random problem and its inputs, which are leaves."""
    problem, _ = random_problem(**arguments)
    inputs = [x.detach().clone().requires_grad_() for x in inputs_of(problem)]
    return with_inputs(problem, inputs), inputs


def last_step(predicted: Belief) -> torch.Tensor:
    return predicted.mean[:, -1].sum() + predicted.cov[:, -1].sum()


def is_subnormal(x: torch.Tensor) -> torch.Tensor:
    return (x != 0) & (x.abs() < torch.finfo(x.dtype).tiny)


def unseen_after_the_first_steps(kind: str, dtype: torch.dtype = torch.float32) -> tuple[Problem, list[torch.Tensor]]:
    problem, inputs = at_the_filter(kind=kind, steps=300, dim=6, decay=0.2, observed=1.0, dtype=dtype)
    with torch.no_grad():
        for evidence in inputs[6:]:
            evidence[:, 5:] = 0.0
    return problem, inputs


class TestRefusals:
    def test_another_transition(self):
        problem, _ = random_problem()
        banded = replace(problem, transition=BandedMap(torch.zeros(3, 2, 2, 3, 4, dtype=torch.float64)))
        assert FUSED.refusal(banded) == "knows ModalMap and DenseMap, not BandedMap"

    def test_another_precision(self):
        half, _ = random_problem(dtype=torch.float16)
        assert FUSED.refusal(half) == "needs all in float32 or all in float64, not torch.float16"
        single, _ = random_problem(dtype=torch.float32)
        mixed = replace(single, prior=random_problem()[0].prior)
        assert FUSED.refusal(mixed) == "needs all in float32 or all in float64, not torch.float32 and torch.float64"

    def test_another_device(self):
        problem, _ = random_problem()
        elsewhere = replace(problem, prior=problem.prior.map(lambda x: x.to("meta")))
        assert FUSED.refusal(elsewhere) == "runs on the CPU, not on cpu and meta"

    def test_numba_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numba", None)
        assert FUSED.refusal(random_problem()[0]).startswith('needs numba: pip install "mts3[fast]"')

    def test_a_gradient_is_not_differentiated(self):
        problem, inputs = at_the_filter()
        total = last_step(FUSED.run(problem))
        with pytest.raises(
            BackendRefused, match=r'create_graph=True asks for; filter within use_backend\("reference"\)'
        ):
            torch.autograd.grad(total, inputs[2], create_graph=True)

    def test_shapes_that_do_not_fit(self):
        """A compiled loop would read beyond the array."""
        problem, _ = random_problem()
        other, _ = random_problem(batch=2, steps=16, dim=3)
        for part in ("transition", "prior", "evidence", "offset"):
            with pytest.raises(ValueError, match=r"is \(.*\); with an offset of \(.*\) it must be"):
                FUSED.run(replace(problem, **{part: getattr(other, part)}))


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_evidence_is_zero_evidence(kind, dtype):
    problem, inputs = at_the_filter(kind=kind, dtype=dtype)
    zeros = Evidence(*(torch.zeros_like(x) for x in inputs[6:]))
    found, expected = (FUSED.run(replace(problem, evidence=evidence)) for evidence in (None, zeros))
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.cov, expected.cov)
    gradients = [torch.autograd.grad(last_step(x), inputs[:6]) for x in (found, expected)]
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


@BOTH
def test_threads_change_nothing(kind, monkeypatch):
    problem, inputs = at_the_filter(kind=kind, batch=19, dtype=torch.float32)
    one = FUSED.run(problem)
    one_gradient = torch.autograd.grad(last_step(one), inputs)
    monkeypatch.setattr(fused, "_WORTH_A_THREAD", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two = FUSED.run(problem)
        two_gradient = torch.autograd.grad(last_step(two), inputs)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one.mean, two.mean)
    assert torch.equal(one.cov, two.cov)
    for a, b in zip(one_gradient[2:], two_gradient[2:], strict=True):
        assert torch.equal(a, b)
    for a, b in zip(one_gradient[:2], two_gradient[:2], strict=True):  # a product by PyTorch, on its own threads
        torch.testing.assert_close(a, b)


@BOTH
def test_sequences_do_not_mix(kind):
    """Alone, in a full tile and beside one that is not a number: the same, bit for bit."""
    problem, inputs = at_the_filter(kind=kind, batch=11, dtype=torch.float32)
    together = FUSED.run(problem)
    gradients = torch.autograd.grad(last_step(together), inputs[2:])
    with torch.no_grad():
        inputs[2][4] = torch.nan
    beside = FUSED.run(problem)
    beside_gradients = torch.autograd.grad(last_step(beside), inputs[2:])
    assert beside.mean[4].isnan().any()
    for b in (0, 3, 5, 10):
        own = [x.detach()[b : b + 1].clone().requires_grad_() for x in inputs[2:]]
        alone = FUSED.run(with_inputs(problem, [*inputs[:2], *own]))
        own_gradients = torch.autograd.grad(last_step(alone), own)
        for found in (together, beside):
            assert torch.equal(found.mean[b], alone.mean[0])
            assert torch.equal(found.cov[b], alone.cov[0])
        for found in (gradients, beside_gradients):
            assert all(torch.equal(x[b], y[0]) for x, y in zip(found, own_gradients, strict=True))


@BOTH
def test_any_part_alone_can_be_differentiated(kind):
    problem, inputs = at_the_filter(kind=kind)
    everything = torch.autograd.grad(last_step(FUSED.run(problem)), inputs)
    for i, expected in enumerate(everything):
        parts = [x.detach().requires_grad_(i == j) for j, x in enumerate(inputs)]
        (found,) = torch.autograd.grad(last_step(FUSED.run(with_inputs(problem, parts))), parts[i])
        assert torch.equal(found, expected)


@BOTH
@pytest.mark.parametrize("field", ["mean", "cov"])
def test_one_field_of_the_result_alone_can_be_differentiated(kind, field):
    problem, inputs = at_the_filter(kind=kind)
    found, expected = (
        torch.autograd.grad(getattr(run(problem), field).sum(), inputs, allow_unused=True, materialize_grads=True)
        for run in (FUSED.run, REFERENCE.run)
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


@BOTH
def test_views_of_any_kind(kind):
    """One prior for all sequences, noise for all steps of each, evidence with gaps between its entries in memory."""
    problem, leaves = random_problem(kind=kind)
    evidence = problem.evidence.map(lambda x: torch.stack((x, x), -1)[..., 0])
    transition = type(problem.transition)(*(x.mT.contiguous().mT for x in vars(problem.transition).values()))
    views = Problem(
        problem.prior.map(lambda x: x[:1].expand_as(x)),
        transition,
        Belief(
            problem.offset.mean.transpose(0, 1).contiguous().transpose(0, 1),
            leaves["offset_cov"][:, :1].expand(-1, 17, -1),
        ),
        evidence,
        (),
    )
    expected, expected_gradients = value_and_gradients(REFERENCE.run, views, leaves)
    found, gradients = value_and_gradients(FUSED.run, views, leaves)
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(found.cov, expected.cov, rtol=1e-9, atol=1e-11)
    for name, gradient in expected_gradients.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-8, atol=1e-9)


@BOTH
def test_inference_is_the_same_and_keeps_nothing(kind):
    problem, _ = at_the_filter(kind=kind)
    expected = FUSED.run(problem)
    with torch.inference_mode():
        found = FUSED.run(problem)
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.cov, expected.cov)
    with torch.no_grad():
        assert FUSED.run(problem).mean.grad_fn is None


class TestSubnormals:
    """A gradient that dies out must reach zero, not linger where arithmetic is slow."""

    @BOTH
    def test_gradients_hold_none(self, kind):
        problem, inputs = unseen_after_the_first_steps(kind)
        gradients = torch.autograd.grad(last_step(FUSED.run(problem)), inputs)
        assert not any(is_subnormal(x).any() for x in gradients)
        assert all((x[:, 0] == 0).all() for x in gradients[4:])

    @BOTH
    def test_there_would_be_some(self, kind, monkeypatch):
        monkeypatch.setattr(fused, "_flushing", lambda function, *arguments: function(*arguments))
        problem, inputs = unseen_after_the_first_steps(kind)
        gradients = torch.autograd.grad(last_step(FUSED.run(problem)), inputs)
        assert any(is_subnormal(x).any() for x in gradients)

    @pytest.mark.parametrize("before", [False, True])
    def test_the_setting_is_left_as_found(self, before):
        problem, _ = at_the_filter()
        try:
            assert torch.set_flush_denormal(before)
            FUSED.run(problem)
            assert (sys.float_info.min * 0.5 == 0.0) is before
        finally:
            torch.set_flush_denormal(False)


def test_without_a_place_for_the_cache_kernels_compile_all_the_same(monkeypatch):
    compile_it = numba.njit

    def nowhere(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_it(**options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert fused_lanes.kernel(lambda x: x + 1)(1) == 2


def test_transforms_look_at_single_operations():
    """torch.func hands out tensors without memory of their own: the compiled kernels stand aside, they do not crash."""
    problem, leaves = random_problem(dtype=torch.float64)
    weight = leaves["offset_mean"].detach()

    def total(shift: torch.Tensor) -> torch.Tensor:
        offset = Belief(shift, problem.offset.cov)
        return filter_sequence(Problem(problem.prior, problem.transition, offset, problem.evidence)).mean.square().sum()

    with use_backend("auto"):
        found = torch.func.grad(total)(weight)
    with use_backend("reference"):
        (expected,) = torch.autograd.grad(total(weight.requires_grad_()), weight)
    torch.testing.assert_close(found, expected)
