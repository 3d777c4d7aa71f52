import json
import sys
from pathlib import Path

import pytest
import torch

import mts3 as package
from mts3.cli.process import backend_in_force, filter_line
from mts3.kernels import BACKENDS, BackendRefused, use_backend, wanted_backend
from mts3.models import DeltaTarget, build
from tests.cli.conftest import FILE, MODEL, RUN, Command

FASTER = 'pip install "mts3[fast]" makes training faster'


@pytest.fixture(autouse=True)
def nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite may run under one backend."""
    monkeypatch.delenv("MTS3_BACKEND", raising=False)


def small(name: str, **arguments) -> package.models.WorldModel:
    return build(name, obs_dim=2, action_dim=1, latent_obs_dim=2, **arguments)


@pytest.fixture
def no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)


def test_the_line_names_the_backend_that_filters() -> None:
    pytest.importorskip("numba")
    for name in ("mts3", "hiprssm", "acrkn"):
        assert filter_line(small(name, transition="dense")) == "filter: fused"
    assert filter_line(DeltaTarget(small("mts3"), torch.ones(2))) == "filter: fused"
    assert filter_line(small("mts3").double()) == "filter: fused"
    assert filter_line(small("acrkn")) == "filter: reference"  # locally linear: numba would not help


@pytest.mark.usefixtures("no_numba")
def test_without_numba_the_line_says_how_to_get_faster() -> None:
    assert filter_line(small("mts3")) == f"filter: reference; {FASTER}"
    assert filter_line(small("mts3", transition="modal")) == f"filter: associative; {FASTER}"
    assert filter_line(small("acrkn")) == "filter: reference"
    with use_backend("reference"):
        assert filter_line(small("mts3")) == "filter: reference"


def test_a_model_that_does_not_filter_has_no_line() -> None:
    with use_backend("triton"):
        assert filter_line(build("gru", obs_dim=2, action_dim=1)) is None


def test_what_is_in_force_and_what_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTS3_BACKEND", "reference")
    with backend_in_force("auto"):
        assert wanted_backend() == "reference"
    with backend_in_force("associative"):
        assert wanted_backend() == "associative"
        with pytest.raises(BackendRefused, match="backend 'associative' cannot filter a dense transition"):
            filter_line(small("mts3"))
    assert wanted_backend() == "reference"


def test_every_backend_is_in_the_help(mts3: Command) -> None:
    (line,) = [line for line in mts3("train", "--help").out.splitlines() if line.startswith("  backend=")]
    assert line.strip().removeprefix("backend=") == "|".join(("auto", *BACKENDS))


def test_the_command_filters_with_the_backend_asked_for(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    done = mts3("train", *FILE, "backend=reference", "model.transition=modal")
    assert (done.code, done.err) == (0, "filter: reference\n")
    assert "backend: reference\n" in (RUN / "config.yaml").read_text()
    before = json.loads((RUN / "metrics.json").read_text())
    used = []
    for name, backend in BACKENDS.items():  # frozen, and so is what `run` they are asked for
        spy = type(backend)(name, backend.refusal, lambda problem, b=backend: (used.append(b.name), b.run(problem))[1])
        monkeypatch.setitem(BACKENDS, name, spy)
    assert mts3("evaluate", f"run={RUN}").code == 0
    assert set(used) == {"reference"}
    used.clear()
    assert mts3("evaluate", f"run={RUN}", "backend=associative").code == 0
    assert set(used) == {"associative"}
    after = json.loads((RUN / "metrics.json").read_text())
    assert after["nrmse"] == pytest.approx(before["nrmse"], rel=1e-4)


def test_a_run_of_an_earlier_version_is_evaluated(trained: Command) -> None:
    path = RUN / "config.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("backend")))
    assert trained("evaluate", f"run={RUN}").code == 0


@pytest.mark.parametrize("verb", ["train", "evaluate", "benchmark"])
def test_an_unknown_backend_is_one_line(trained: Command, verb: str) -> None:
    given = {
        "train": [*FILE, "hydra.run.dir=runs/new"],
        "evaluate": [f"run={RUN}"],
        "benchmark": [*FILE, "seeds=[1]"],
    }[verb]
    refused = trained(verb, *given, "backend=fuzed")
    assert refused.code == 2
    assert refused.err.splitlines()[-1] == f"mts3 {verb}: unknown backend 'fuzed': did you mean fused?"
    assert not Path("runs/new").exists()


def test_a_backend_that_refuses_is_one_line_and_leaves_nothing(mts3: Command) -> None:
    refused = mts3("train", *[option for option in FILE if option not in MODEL], "model=acrkn", "backend=associative")
    assert refused.code == 2
    assert refused.line.startswith("mts3 train: backend 'associative' cannot scan a LocallyLinearMap")
    assert not list(Path("runs").glob("*"))
