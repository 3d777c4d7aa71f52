import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mts3.data import load_dataset, save_dataset
from tests.cli.conftest import RUN, Command, write_recording


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def test_it_repeats_what_training_found_and_rewrites_what_is_missing(trained: Command) -> None:
    before = metrics(RUN)
    (RUN / "horizon.csv").unlink()
    done = trained("evaluate", f"run={RUN}")
    assert (done.code, done.err) == (0, "")
    assert metrics(RUN) == before
    assert (RUN / "horizon.csv").is_file()


def test_it_works_from_another_folder(trained: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert trained("evaluate", f"run={tmp_path / RUN}").code == 0


def test_other_data_go_to_another_folder_and_use_the_models_normalizer(trained: Command) -> None:
    before = metrics(RUN)
    write_recording(Path("other.npz"), seed=7)
    small = ["data.window_len=4", "data.context_len=8", "data.sequence_len=16"]
    assert trained("evaluate", f"run={RUN}", "data.path=other.npz", *small).code == 0
    assert metrics(RUN) == before
    other = metrics(RUN / "evaluate-other")
    assert other["data"] == "other"
    assert other["nrmse"] != before["nrmse"]
    assert other["rmse"] / other["nrmse"] == pytest.approx(before["rmse"] / before["nrmse"], rel=0.2)
    assert trained("evaluate", f"run={RUN}", "data.path=other.npz", *small, "output=out").code == 0
    assert metrics(Path("out")) == other


def test_a_validation_part_that_says_nothing_is_no_hindrance(trained: Command) -> None:
    """Nothing is chosen by it. Of three episodes split_seed=0 takes number 0 for validation and 1 for testing."""
    write_recording(Path("other.npz"), trajectories=3, seed=7)
    other = load_dataset(None, "other.npz")
    silent = other.trajectories[0].obs.copy()
    silent[8:] = np.nan
    first = replace(other.trajectories[0], obs=silent)
    save_dataset(replace(other, trajectories=(first, *other.trajectories[1:])), Path("other.npz"))
    small = ["data.window_len=4", "data.context_len=8", "data.sequence_len=16", "data.test_stride=60"]
    done = trained("evaluate", f"run={RUN}", "data.path=other.npz", *small)
    assert (done.code, done.err) == (0, "")
    assert "nothing is observed" in trained("train", "data.path=other.npz", *small).line


def test_another_context_is_another_question(trained: Command) -> None:
    assert trained("evaluate", f"run={RUN}", "data.context_len=12").code == 0
    assert metrics(RUN)["context"] == 8
    assert metrics(RUN / "evaluate-arm")["context"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which run? give run=DIR"),
        (["run=nowhere"], "nowhere is no run folder: config.yaml is missing"),
        ([f"run={RUN}", "data=tiago"], "'tiago' has 8 obs and 5 action channels, the model was trained on 2 and 1"),
        ([f"run={RUN}", "data=tigao"], "did you mean tiago"),
        ([f"run={RUN}", "data.contxt_len=3"], "did you mean data.context_len"),
        ([f"run={RUN}", "seed=3"], "unknown option 'seed'"),
        ([f"run={RUN}", "evaluate.batch_size=many"], "evaluate.batch_size must be like 64"),
        ([f"run={RUN}", "evaluate.metric_window=0"], "metric_window"),
        ([f"run={RUN}", "data.context_len=99"], "data.context_len"),
        ([f"run={RUN}", "data.sequence_len=60"], "choose data.sequence_len=59 or less"),
    ],
)
def test_the_users_mistakes_are_one_line(trained: Command, arguments: list[str], message: str) -> None:
    refused = trained("evaluate", *arguments)
    assert refused.code == 2
    assert refused.line.startswith("mts3 evaluate: ")
    assert message in refused.line


@pytest.mark.parametrize(("name", "message"), [("config.yaml", "not YAML"), ("model.json", "damaged")])
def test_a_damaged_run_is_one_line(trained: Command, name: str, message: str) -> None:
    (RUN / name).write_text("{ [")
    refused = trained("evaluate", f"run={RUN}")
    assert refused.code == 2
    assert message in refused.line
