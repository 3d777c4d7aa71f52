"""The GPU backend: on a GPU where there is one, and always in Triton's interpreter, which computes on the CPU.

Triton decides for the interpreter when it is first imported, once a process: those tests run in a process of their own.
"""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mts3.gaussian import BandedMap, Belief
from mts3.kernels import BACKENDS, Backend, BackendRefused, Problem, triton_backend
from mts3.kernels.reference import REFERENCE
from mts3.kernels.triton_backend import TRITON, interpreted
from tests.kernels.problems import random_problem, value_and_gradients
from tests.kernels.twins import Twins, assert_twins

ROOT = Path(__file__).parents[2]
ON_GPU = torch.cuda.is_available() and not interpreted()


def filtered_on_the_gpu(problem: Problem) -> Belief:
    """There and back."""

    def there(fields: torch.Tensor) -> torch.Tensor:
        return fields.to("cuda")

    transition = type(problem.transition)(*map(there, vars(problem.transition).values()))
    evidence = None if problem.evidence is None else problem.evidence.map(there)
    problem = Problem(problem.prior.map(there), transition, problem.offset.map(there), evidence, problem.detach_at)
    assert TRITON.refusal(problem) is None
    return TRITON.run(problem).map(torch.Tensor.cpu)


@pytest.mark.skipif(not (ON_GPU or interpreted()), reason="runs in the process that test_in_the_interpreter starts")
class TestTriton(Twins):
    kinds = ("modal", "dense")
    open_loop_kinds = ("modal", "dense")

    @property
    def backend(self) -> Backend:
        return Backend("triton", lambda problem: None, filtered_on_the_gpu) if ON_GPU else TRITON

    def test_thousands_of_steps(self):
        """The interpreter takes milliseconds a step: fewer there."""
        steps = 10_000 if ON_GPU else 25
        for kind in self.kinds:
            assert_twins(self.backend, 1e-7, 1e-9, kind=kind, batch=1, steps=steps, dim=3)
            assert_twins(self.backend, 2e-3, 2e-4, kind=kind, batch=1, steps=steps, dim=3, dtype=torch.float32)

    @pytest.mark.parametrize("steps", [1, 2, 3, 8])
    @pytest.mark.parametrize("batch", [1, 5])
    def test_odd_lengths_and_single_sequences(self, batch, steps):
        """Time is one loop, without blocks: no length is odd, and the interpreter is slow."""
        for kind in self.kinds:
            assert_twins(self.backend, 1e-9, 1e-11, kind=kind, batch=batch, steps=steps)

    def test_many_dimensions(self):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-8, 1e-10, kind=kind, batch=2, steps=3, dim=40)

    def test_cuts_without_observations(self):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-9, 1e-11, kind=kind, observed=None, detach_at=(0, 5, 16))

    @pytest.mark.parametrize("kind", ["modal", "dense"])
    def test_views_of_longer_recordings(self, kind):
        """Neither the steps nor the sequences need lie next to each other, nor the dimensions."""
        given, leaves = random_problem(kind=kind, batch=6, steps=20)
        part = (slice(None, None, 2), slice(3, 17))
        mean = given.offset.mean.mT.contiguous().mT[part]
        cov = given.offset.cov.transpose(0, 1).contiguous().transpose(0, 1)[part]
        evidence = given.evidence.map(lambda fields: fields[part])
        prior = given.prior.map(lambda fields: fields[::2])
        given = Problem(prior, given.transition, Belief(mean, cov), evidence, (4,))
        expected, expected_gradients = value_and_gradients(REFERENCE.run, given, leaves)
        found, gradients = value_and_gradients(self.backend.run, given, leaves)
        torch.testing.assert_close(vars(found), vars(expected), rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(gradients, expected_gradients, rtol=1e-8, atol=1e-9)

    @pytest.mark.parametrize("kind", ["modal", "dense"])
    def test_a_gradient_that_is_one_number_expanded(self, kind):
        given, leaves = random_problem(kind=kind)
        totals = [run(given).mean.sum() for run in (self.backend.run, REFERENCE.run)]
        found, expected = (torch.autograd.grad(total, leaves["prior_mean"])[0] for total in totals)
        torch.testing.assert_close(found, expected)

    def test_second_derivatives_are_refused(self):
        given, leaves = random_problem()
        total = self.backend.run(given).mean.sum()
        with pytest.raises(BackendRefused, match="first derivatives only; choose reference"):
            torch.autograd.grad(total, leaves["prior_mean"], create_graph=True)

    def test_the_benchmark_compares_results(self, monkeypatch):
        monkeypatch.setitem(BACKENDS, "triton", TRITON)
        script = runpy.run_path(str(ROOT / "benchmarks" / "gpu.py"))
        for kind in self.kinds:
            row = script["difference"](kind, 1, 4, "cuda" if ON_GPU else "cpu")
            assert 0.0 <= max(row["values"], row["gradients"]) < 1e-4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_benchmark_says_that_it_needs_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "benchmarks" / "gpu.py"), run_name="__main__")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "this benchmark needs a CUDA device, and PyTorch sees none\n"


@pytest.mark.skipif(interpreted(), reason="this is that process")
def test_in_the_interpreter():
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", __file__, "-k", "TestTriton", "-p", "no:cacheprovider"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) > 25
    assert "skipped" not in done.stdout


@pytest.mark.skipif(interpreted(), reason="interpreted kernels are not compiled")
@pytest.mark.parametrize("kind", ["modal", "dense"])
def test_kernels_compile_for_a_gpu_and_spill_no_register(kind, tmp_path, monkeypatch):
    """For compute capability 8.0, without a GPU: D = 30, as published, and every branch of the kernels."""
    triton = pytest.importorskip("triton")
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    if not (tools / "ptxas").exists() or not (tools / "cuobjdump").exists():
        pytest.skip("this triton comes without ptxas and cuobjdump")
    from mts3.kernels import triton_dense, triton_modal

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernels = triton_modal if kind == "modal" else triton_dense
    for kernel, sizes in (
        (kernels.forward_kernel, kernels.SIZES),
        (kernels.backward_kernel, kernels.GRADIENT_SIZES),
    ):
        for dtype, full in (("fp32", True), ("fp32", False), ("fp64", True)):
            warps = 1 if kind == "modal" else triton_dense.warps(30, dtype == "fp64")
            binary = compiled(kernel, sizes, dtype, full, warps)
            (tmp_path / "kernel.cubin").write_bytes(binary)
            command = [tools / "cuobjdump", "-res-usage", tmp_path / "kernel.cubin"]
            usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert "STACK:0 " in usage, f"{kernel.__name__} {dtype} spills: {usage}"
            assert "LOCAL:0 " in usage


def compiled(kernel, sizes: tuple[str, ...], dtype: str, full: bool, warps: int) -> bytes:
    """The binary of a kernel, with everything in it, or without evidence and cuts."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    constants = {"D": 30, "OBSERVED": full, "CUT": full, "LANES": 32, "P": 32}
    if not full:
        constants |= dict.fromkeys(("precision", "information", "d_precision", "d_information", "cut"))
    constants = {name: value for name, value in constants.items() if name in kernel.arg_names}
    known = dict.fromkeys(sizes, "i32") | {"cut": "*u8"} | dict.fromkeys(constants, "constexpr")
    types = {name: known.get(name, f"*{dtype}") for name in kernel.arg_names}
    aligned = {(i,): [["tt.divisibility", 16]] for i, name in enumerate(types) if types[name].startswith("*")}
    source = ASTSource(kernel, types, constants, aligned)
    options = {"num_warps": warps, "enable_fp_fusion": True}
    return triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options).asm["cubin"]


@pytest.fixture
def without_interpreter(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(triton_backend, "find_spec", lambda name: object())


def test_tensors_of_the_cpu_are_refused(without_interpreter):
    assert TRITON.refusal(random_problem()[0]) == "needs a GPU, and these tensors are on cpu"


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(triton_backend, "find_spec", lambda name: None)
    assert "needs triton, which comes with PyTorch for CUDA on Linux" in TRITON.refusal(random_problem()[0])


def test_what_no_kernel_does_is_refused(without_interpreter, monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    given, _ = random_problem("dense", batch=2, steps=2, dim=3)
    assert TRITON.refusal(given) is None
    banded = BandedMap(torch.zeros(2, 2, 2, 1, 3))
    assert "dense and modal" in TRITON.refusal(Problem(given.prior, banded, given.offset, None, ()))
    half, _ = random_problem(dtype=torch.bfloat16)
    assert "bfloat16 has too few digits" in TRITON.refusal(half)
    large, _ = random_problem("dense", batch=1, steps=1, dim=65)
    assert "up to latent_obs_dim=64, not 65" in TRITON.refusal(large)
    assert TRITON.refusal(random_problem("modal", batch=1, steps=1, dim=65)[0]) is None
