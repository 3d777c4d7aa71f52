import json
from pathlib import Path

import pytest

from mts3.evaluate import Baselines
from tests.cli.conftest import FILE, Command, besides_the_backend


def test_every_combination_runs_in_its_own_folder(mts3: Command) -> None:
    done = mts3("train", "-m", *FILE, "model=mts3,acrkn", "seed=0,1")
    assert done.code == 0
    runs = {path.parent.name: json.loads(path.read_text()) for path in Path("runs").glob("*/metrics.json")}
    assert runs.keys() == {f"arm-{model}-seed{seed}" for model in ("mts3", "acrkn") for seed in (0, 1)}
    assert all(name == f"arm-{found['model']}-seed{found['seed']}" for name, found in runs.items())
    assert besides_the_backend(done.err) == [
        f"== arm-{model}-seed{seed}" for model in ("mts3", "acrkn") for seed in (0, 1)
    ]


def test_folders_are_told_apart_by_whatever_varies(mts3: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, of = [], Baselines.of
    monkeypatch.setattr(Baselines, "of", lambda *rest: fitted.append(rest) or of(*rest))
    assert mts3("train", *FILE, "model.transition=dense,modal", "--multirun").code == 0
    for kind in ("dense", "modal"):
        arguments = json.loads(Path(f"runs/arm-mts3-seed0-transition={kind}/model.json").read_text())["arguments"]
        assert arguments["transition"] == kind
    assert len(fitted) == 1  # the baselines depend on nothing that varies


@pytest.mark.parametrize("slip", ["model=mts3,mts4", "seed=0,one", "train.batchsize=1,2", "seed=0,1)"])
def test_a_slip_in_any_value_is_found_before_the_first_run(mts3: Command, slip: str) -> None:
    refused = mts3("train", "-m", *FILE, slip)
    assert refused.code == 2
    assert refused.line.startswith("mts3 train: ")
    assert not Path("runs").exists()


def test_a_run_that_fails_says_so_and_the_others_go_on(mts3: Command) -> None:
    done = mts3("train", "-m", *FILE, "model.transition=diagonal,modal")
    assert done.code == 2
    assert "mts3 train: unknown transition 'diagonal'" in done.err
    assert "Traceback" not in done.err
    assert [path.parent.name for path in Path("runs").glob("*/metrics.json")] == ["arm-mts3-seed0-transition=modal"]
    assert not Path("runs/arm-mts3-seed0-transition=diagonal").exists()
