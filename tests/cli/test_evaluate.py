import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mts3.data import load_dataset, save_dataset
from tests.cli.conftest import RUN, TINY, Command, write_recording


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
    assert trained("evaluate", f"run={RUN}", "data.path=other.npz").code == 0
    assert metrics(RUN) == before
    other = metrics(RUN / "evaluate-other")
    assert other["data"] == "other"
    assert other["nrmse"] != before["nrmse"]
    assert other["rmse"] / other["nrmse"] == pytest.approx(before["rmse"] / before["nrmse"], rel=0.2)
    assert trained("evaluate", f"run={RUN}", "data.path=other.npz", "output=out").code == 0
    assert metrics(Path("out")) == other


def write_table(path: Path, columns: str, step: float = 0.1, seed: int = 0) -> None:
    """A driven oscillator as CSV, its columns in the given order."""
    rng = np.random.default_rng(seed)
    x, v, force, noise = 0.0, 1.0, rng.normal(size=200), 0.01 * rng.normal(size=(200, 2))
    rows = [columns]
    for t in range(200):
        cells = {"t": step * t, "x": x + noise[t, 0], "v": v + noise[t, 1], "u": force[t], "z": x, "spare": t}
        rows.append(",".join(f"{cells[name]:.9g}" for name in columns.split(",")))
        x, v = x + 0.1 * v, 0.95 * v - 0.1 * x + 0.2 * force[t]
    path.write_text("\n".join(rows))


@pytest.fixture
def oscillator(mts3: Command) -> Command:
    """A run on log.csv, a closed-form fit that predicts well."""
    write_table(Path("log.csv"), "t,x,v,u")
    mapping = ["obs=[x,v]", "actions=u", "time=t"]
    given = [f"data.columns.{key}" for key in mapping]
    done = mts3("train", "data.path=log.csv", *given, *TINY, "model=linear", "hydra.run.dir=run", "logger=csv")
    assert done.code == 0
    return mts3


def test_other_data_are_cut_as_the_runs_own_and_scored_whole(oscillator: Command) -> None:
    write_table(Path("other.csv"), "t,x,v,u", seed=1)
    assert oscillator("evaluate", "run=run", "data.path=other.csv").code == 0
    # 200 rows in sequences of 16 steps, 40 rows apart; of the run's own data the last 30 rows are the test part.
    assert (metrics(Path("run"))["sequences"], metrics(Path("run/evaluate-other"))["sequences"]) == (2, 6)
    assert metrics(Path("run/evaluate-other"))["context"] == 8
    # The linear rollout is fitted on the run's own training part, while that is at hand.
    Path("log.csv").unlink()
    done = oscillator("evaluate", "run=run", "data.path=other.csv", "output=alone")
    assert done.code == 0
    assert "the linear rollout is fitted on other itself" in done.err
    assert metrics(Path("alone"))["nrmse"] == metrics(Path("run/evaluate-other"))["nrmse"]
    assert metrics(Path("alone"))["linear_nrmse"] != metrics(Path("run/evaluate-other"))["linear_nrmse"]


def test_a_file_that_moved_is_the_runs_own(oscillator: Command) -> None:
    before = metrics(Path("run"))
    Path("moved").mkdir()
    Path("log.csv").rename("moved/log.csv")
    done = oscillator("evaluate", "run=run", "data.path=moved/log.csv")
    assert done.code == 0
    assert "is taken for the same file" in done.err
    assert metrics(Path("run/evaluate-log"))["nrmse"] == before["nrmse"]


def test_channels_travel_with_the_model_and_meet_data_by_name(oscillator: Command) -> None:
    described = json.loads(Path("run/model.json").read_text())
    assert (described["obs_names"], described["action_names"]) == (["x", "v"], ["u"])
    assert described["roles"] == {"obs": ["x", "v"], "actions": ["u"]}
    assert described["units"] == {"obs": ["", ""], "actions": [""]}
    assert described["sample_time"] == pytest.approx(0.1)
    write_table(Path("same.csv"), "t,x,v,u", seed=1)
    write_table(Path("turned.csv"), "spare,u,v,t,x", seed=1)
    for name in ("same", "turned"):
        assert oscillator("evaluate", "run=run", f"data.path={name}.csv").code == 0
    same, turned = metrics(Path("run/evaluate-same")), metrics(Path("run/evaluate-turned"))
    assert same["nrmse"] < 0.1
    # Whatever order they are named in, too.
    assert turned["per_dim"] == same["per_dim"]
    order = ["data.columns.obs=[v,x]", "output=order"]
    assert oscillator("evaluate", "run=run", "data.path=turned.csv", *order).code == 0
    assert metrics(Path("order"))["per_dim"] == same["per_dim"]


def test_a_mapping_given_alone_is_heeded(oscillator: Command) -> None:
    refused = oscillator("evaluate", "run=run", "data.columns.obs=[x,q]")
    assert (refused.code, "'q'" in refused.line) == (2, True)
    before = metrics(Path("run"))
    for option, name in (("data.columns.missing=[-200]", "codes"), ("data.columns.action_shift=1", "shifted")):
        assert oscillator("evaluate", "run=run", option, f"output={name}").code == 0
    # Other than the run's own data, all of which is scored.
    assert before["sequences"] < metrics(Path("codes"))["sequences"] == metrics(Path("shifted"))["sequences"]
    assert metrics(Path("codes"))["nrmse"] != metrics(Path("shifted"))["nrmse"]
    assert metrics(Path("run")) == before


def test_a_table_that_nobody_mapped_is_read_by_the_names_the_model_knows(oscillator: Command) -> None:
    mapping = ["obs=[x,v]", "actions=u", "time=t"]
    assert oscillator("data", "import", "log.csv", "output=log.npz", *mapping).code == 0
    assert oscillator("train", "data.path=log.npz", *TINY, "model=linear", "hydra.run.dir=npz", "logger=csv").code == 0
    write_table(Path("other.csv"), "spare,u,v,t,x", seed=1)
    assert oscillator("evaluate", "run=npz", "data.path=other.csv", "data.columns.time=t").code == 0
    assert oscillator("evaluate", "run=run", "data.path=other.csv").code == 0
    assert metrics(Path("npz/evaluate-other"))["per_dim"] == metrics(Path("run/evaluate-other"))["per_dim"]
    refused = oscillator("evaluate", "run=npz", "data.path=other.csv")
    assert "sampled every 1 s, the model was trained on 0.1 s; expected one rate: between its rows" in refused.err


@pytest.mark.parametrize(
    ("columns", "step", "options", "message"),
    [
        ("t,z,v,u", 0.1, ["data.columns.obs=[z,v]"], "has no channel 'x': it has z, v, u, the model was trained on x"),
        ("t,x,v,u", 0.5, [], "sampled every 0.5 s, the model was trained on 0.1 s; expected one rate"),
    ],
)
def test_other_names_and_rates_are_refused(
    oscillator: Command, columns: str, step: float, options: list[str], message: str
) -> None:
    write_table(Path("other.csv"), columns, step=step)
    refused = oscillator("evaluate", "run=run", "data.path=other.csv", *options)
    assert refused.code == 2
    assert message in refused.line


def test_other_units_are_refused(oscillator: Command) -> None:
    for name, unit in (("metres", "m"), ("millimetres", "mm")):
        write_table(Path(f"{name}.csv"), "t,x,v,u")
        lines = Path(f"{name}.csv").read_text().splitlines()
        Path(f"{name}.csv").write_text("\n".join([lines[0], f"s,{unit},{unit}/s,N", *lines[1:]]))
    given = ["data.columns.obs=[x,v]", "data.columns.actions=u", "data.columns.time=t"]
    trained = ["data.path=metres.csv", *given, *TINY, "model=linear", "hydra.run.dir=metres", "logger=csv"]
    assert oscillator("train", *trained).code == 0
    refused = oscillator("evaluate", "run=metres", "data.path=millimetres.csv")
    assert refused.code == 2
    assert "channel 'x' of 'millimetres' is in mm, the model was trained on m; expected one unit" in refused.line
    # An unknown unit may be any.
    assert oscillator("evaluate", "run=metres", "data.path=log.csv").code == 0
    mapping = [text.removeprefix("data.columns.") for text in given]
    refused = oscillator("data", "import", "metres.csv", "millimetres.csv", "output=both.npz", *mapping)
    assert "channel 'x' of 'millimetres' is in mm, 'metres' m; expected one unit" in refused.line


def test_a_validation_part_that_says_nothing_is_no_hindrance(trained: Command) -> None:
    """Other data have none, and nothing is chosen by it. For training split_seed=0 takes number 0 of three for it."""
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
        ([f"run={RUN}", "data=tiago"], "'tiago' has no channel 'x0': it has torso"),
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
