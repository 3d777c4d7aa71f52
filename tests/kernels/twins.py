"""What every backend promises, inherited by the tests of each: the values and every gradient of the reference."""

from functools import cache

import pytest
import torch

from mts3.kernels import BACKENDS
from mts3.kernels.backend import Backend
from mts3.kernels.reference import REFERENCE
from tests.kernels.problems import random_problem, value_and_gradients


@cache
def defined(**problem):
    """A problem, its leaves, and what the reference makes of them: once for all backends, for it takes its time."""
    given, leaves = random_problem(**problem)
    return given, leaves, *value_and_gradients(REFERENCE.run, given, leaves)


def assert_twins(backend: Backend, rtol: float, atol: float, **problem) -> None:
    """The same values and gradients as the reference, gradients relative to the largest entry of each leaf's."""
    given, leaves, expected, expected_gradients = defined(**problem)
    assert backend.refusal(given) is None
    found, gradients = value_and_gradients(backend.run, given, leaves)
    torch.testing.assert_close(found.mean, expected.mean, rtol=rtol, atol=atol)
    torch.testing.assert_close(found.cov, expected.cov, rtol=rtol, atol=atol)
    for name, gradient in expected_gradients.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(
            gradients[name],
            gradient,
            rtol=rtol,
            atol=rtol * scale + atol,
            msg=lambda text, name=name: f"{name}: {text}",
        )


class Twins:
    """Inherit, and say which backend and which transitions it knows."""

    name: str
    kinds: tuple[str, ...] = ("modal",)
    open_loop_kinds: tuple[str, ...] = ("modal",)

    @property
    def backend(self) -> Backend:
        return BACKENDS[self.name]

    def test_values_and_gradients_in_float64(self):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-9, 1e-11, kind=kind)

    def test_values_and_gradients_in_float32(self):
        for kind in self.kinds:
            assert_twins(self.backend, 2e-4, 2e-5, kind=kind, dtype=torch.float32)

    @pytest.mark.parametrize("steps", [1, 2, 3, 31, 64, 65])
    @pytest.mark.parametrize("batch", [1, 5])
    def test_odd_lengths_and_single_sequences(self, batch, steps):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-9, 1e-11, kind=kind, batch=batch, steps=steps)

    @pytest.mark.parametrize("dim", [1, 7, 30])
    def test_any_dimension(self, dim):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-8, 1e-10, kind=kind, dim=dim)

    @pytest.mark.parametrize("observed", [0.0, 1.0])
    def test_nothing_or_everything_observed(self, observed):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-9, 1e-11, kind=kind, observed=observed)

    def test_open_loop(self):
        for kind in self.open_loop_kinds:
            assert_twins(self.backend, 1e-9, 1e-11, kind=kind, observed=None)

    def test_cut_gradients(self):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-9, 1e-11, kind=kind, detach_at=(0, 5, 6))

    def test_thousands_of_steps(self):
        for kind in self.kinds:
            assert_twins(self.backend, 1e-7, 1e-9, kind=kind, batch=1, steps=3_000, dim=3)
            assert_twins(self.backend, 2e-3, 2e-4, kind=kind, batch=1, steps=3_000, dim=3, dtype=torch.float32)

    def test_expanded_offsets(self):
        """Noise is one row for all steps: a view without strides."""
        for kind in self.kinds:
            given, leaves = random_problem(kind=kind)
            noise = leaves["offset_cov"][:1, :1].expand_as(given.offset.cov)
            given = type(given)(
                given.prior, given.transition, type(given.offset)(given.offset.mean, noise), given.evidence, ()
            )
            expected, expected_gradients = value_and_gradients(REFERENCE.run, given, leaves)
            found, gradients = value_and_gradients(self.backend.run, given, leaves)
            torch.testing.assert_close(found.cov, expected.cov, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(gradients["offset_cov"], expected_gradients["offset_cov"], rtol=1e-8, atol=1e-9)
