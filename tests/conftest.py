"""Shapes in annotations are executed: every call a test makes into these packages is checked."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

# The models' public methods are left out: their own checks speak to the user, and are tested themselves.
install_import_hook(
    [
        "mts3.gaussian",
        "mts3.layers",
        "mts3.models.fast_level",
        "mts3.models.slow_level",
        "mts3.online",
        "mts3.metrics",
        "mts3.prediction",
        "mts3.likelihoods",
    ],
    "beartype.beartype",
)

import pytest
import torch
from hypothesis import settings

from mts3.kernels import BackendRefused, use_backend

torch.set_num_threads(1)

# A busy machine is not a failure; the same examples everywhere are.
settings.register_profile("mts3", deadline=None, derandomize=True, max_examples=50, database=None)
settings.load_profile("mts3")


@pytest.fixture(autouse=True, scope="session")
def _generated_sets_of_the_tests(tmp_path_factory: pytest.TempPathFactory):
    """No test writes to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTS3_CACHE", str(tmp_path_factory.mktemp("generated")))
        yield


@pytest.fixture
def auto_backend():
    """For what only `auto` does, whatever backend the suite runs under."""
    with use_backend("auto"):
        yield


FORCED = os.environ.get("MTS3_BACKEND", "auto") != "auto"
"""The whole suite under one backend: what it refuses is skipped, and says so; everything else has to pass."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item):
    """Fixtures train models too."""
    return (yield from _skipping_refusals())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    """Only with a forced backend: without one, `auto` finds one that does not refuse."""
    return (yield from _skipping_refusals())


def _skipping_refusals():
    try:
        return (yield)
    except BackendRefused as refusal:
        if not FORCED:
            raise
        pytest.skip(str(refusal))
