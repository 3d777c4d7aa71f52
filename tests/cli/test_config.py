from pathlib import Path

import pytest

from mts3.cli.config import GROUPS, choices_of, composed
from mts3.cli.overrides import prepare
from mts3.errors import UserError


def compose(*arguments: str):
    return composed(prepare(arguments))


@pytest.mark.parametrize("group", sorted(GROUPS.keys() - {"ablation", "data", "model"}))
def test_every_choice_composes_and_names_itself(group: str) -> None:
    """Of the others each choice trains two steps (`test_train`), into a folder of its name."""
    for choice in choices_of(group):
        assert compose(f"{group}={choice}").config[group].get("name", choice) == choice


def test_a_label_says_what_differs_from_the_usual() -> None:
    run = compose("data=soil", "model=acrkn_linear", "ablation=no_imputation", "train.target=delta", "seed=1")
    assert run.run_dir == Path("runs/soil-acrkn_linear-no_imputation-delta-seed1")
    assert run.config["model"] == {"name": "acrkn", "transition": "dense"}
    assert run.config["train"]["forecast_rate"] == 0.0


def test_windows_may_be_a_list() -> None:
    assert compose("data=soil", "model=mts3_three_levels").config["model"] == {"name": "mts3", "window_len": [24, 144]}
    assert compose("data=soil", "model.window_len=[24,168]").config["model"]["window_len"] == [24, 168]


def test_everything_is_resolved_and_the_models_window_is_the_datas() -> None:
    run = compose("data=soil", "model=mts3", "seed=3")
    assert run.config["split_seed"] == 3
    assert run.config["model"]["window_len"] == run.config["data"]["window_len"] == 24
    assert run.config["evaluate"]["metric_window"] == 24
    assert "hydra" not in run.config
    assert compose("model.window_len=7", "data=soil").config["model"]["window_len"] == 7


def test_run_folders_are_named_after_data_model_and_seed() -> None:
    assert compose("data=soil", "model=acrkn", "seed=2").run_dir == Path("runs/soil-acrkn-seed2")
    assert compose("data.path=logs/robot one.csv").run_dir == Path("runs/robot one-mts3-seed0")
    assert compose("hydra.run.dir=else/where").run_dir == Path("else/where")
    assert compose("name=mine").run_dir == Path("runs/mine")


@pytest.mark.parametrize("name", ["a b.csv", "log (1),[2].csv", "x=y.csv", 'quo"te.csv', "back\\slash.csv", "{c}.csv"])
def test_any_file_name_arrives_as_it_is(name: str) -> None:
    assert compose(f"data.path=/data/{name}").config["data"]["path"] == f"/data/{name}"


def test_arguments_that_no_file_lists_pass_through() -> None:
    config = compose("model.transition=modal", "trainer.precision=bf16-mixed", "data.columns.obs=[x,y]").config
    assert config["model"]["transition"] == "modal"
    assert config["trainer"]["precision"] == "bf16-mixed"
    assert config["data"]["columns"] == {"obs": ["x", "y"]}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("data=plaza2", "unknown data set 'plaza2': did you mean plaza1"),
        ("model=mts4", "unknown model 'mts4': did you mean mts3"),
        ("logger=tensorbord", "did you mean tensorboard"),
        ("trainer=fast", "unknown trainer 'fast'"),
        ("seeed=1", "unknown option 'seeed': did you mean seed"),
        ("train.learn_rate=1", "did you mean train.learning_rate"),
        ("data.window=3", "did you mean data.window_len"),
        ("seed=one", "seed must be like 0 .a whole number., got 'one'"),
        ("seed=1.5", "seed must be like 0"),
        ("resume=1", "resume must be like False .true or false., got 1"),
        ("train.learning_rate=fast", "train.learning_rate must be like 0.003 .a number."),
        ("data.split_fractions=0.7", "data.split_fractions must be like"),
        ("data=pam,soil", "data=pam,soil names several values: add -m"),
        ("data.columns.sample_time=fast", "sample_time=fast is no number; give seconds"),
        ("seed=1)", r"cannot read 'seed=1\)'"),
        ("+seeed=1", "unknown option 'seeed': did you mean seed"),
        ("+data.window=3", "unknown option 'data.window': did you mean data.window_len"),
        ("+evaluate.batch=3", "unknown option 'evaluate.batch': did you mean evaluate.batch_size"),
        ("data@other=soil", "unknown option 'data@other': write data=NAME, without @"),
        ("+model@other=mts3", "unknown option '.model@other': write model=NAME, without @"),
        ("hydra.run.dir=null", "hydra.run.dir is empty"),
        ("seed", "expected key=value, as in data=tiago or seed=1; got 'seed'"),
        ("=1", "expected key=value"),
        ("split_seed=${sed}", "unknown|Interpolation key 'sed' not found"),
    ],
)
def test_a_slip_names_what_was_given_and_what_was_expected(argument: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        compose(argument)
    assert "\n" not in str(caught.value)
