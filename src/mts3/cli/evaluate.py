"""`mts3 evaluate`: the evaluation alone, from a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mts3.cli.config import composed
from mts3.cli.config_checks import check_types, flat, with_value
from mts3.cli.experiment import load_experiment, load_other_data
from mts3.cli.mapping import COLUMNS
from mts3.cli.overrides import parse, prepare
from mts3.cli.process import backend_in_force, set_threads
from mts3.cli.report import note
from mts3.cli.run_files import absolute_paths, is_unfinished, read_config
from mts3.cli.run_lock import locked
from mts3.cli.scores import check_evaluation, print_scores, refuse_foreign_scores, score, training_record
from mts3.data.sets.load import FILE
from mts3.errors import UserError, unknown_name
from mts3.models import load
from mts3.run_layout import LAST

_OTHER_DATA = ("data", "data.path")
# What of the configuration says which data are meant.
_SOURCE = ("name", "path", "columns", "size", "seed")


def evaluate(arguments: list[str]) -> None:
    """Run `mts3 evaluate run=DIR [data=NAME] [output=DIR] ...`.

    Raises:
        UserError: if there is no run, or its model does not fit the data.
    """
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    if not given.get("run"):
        raise UserError("which run? give run=DIR, a folder that mts3 train wrote")
    run_dir, output = Path(given.pop("run")), given.pop("output", None)
    if output == "":
        raise UserError("output is empty; name a folder as output=DIR, or leave it out")
    trained = read_config(run_dir)
    config = absolute_paths(_with_overrides(trained, [f"{key}={value}" for key, value in given.items()]))
    set_threads(config["threads"])
    check_evaluation(config)
    model = load(run_dir)
    if model.normalizer is None:
        raise UserError(f"the model in {run_dir} was saved without its normalizer; train again")
    other = _is_other(config["data"], trained["data"])
    experiment = load_other_data(config, model, trained) if other else load_experiment(config, model)
    # The run's own scores stay what they are: another question is answered in another folder.
    own = run_dir if config["data"] == trained["data"] else run_dir / f"evaluate-{experiment.dataset.name}"
    folder = Path(output) if output else own
    if output:
        refuse_foreign_scores(folder, run_dir)
    record = training_record(run_dir)
    if (run_dir / LAST).is_file() and is_unfinished(run_dir):
        note(f"the training of {run_dir} has not come to its end: its best weights so far are evaluated")
    with backend_in_force(config["backend"]), locked(folder):
        print_scores(score(model, experiment, config, folder, record), folder)


def _with_overrides(trained: dict[str, Any], arguments: list[str]) -> dict[str, Any]:
    config, overrides = trained, prepare(arguments)
    given = [(parse(text).key_or_group, text) for text in overrides]
    if any(key in _OTHER_DATA for key, _ in given):
        data = composed([text for key, text in given if key == "data" or key.startswith("data.")]).config["data"]
        config = config | {"data": _other_data(data, trained["data"], [key for key, _ in given])}
    known = [*flat({"data": config["data"], "evaluate": config["evaluate"]}), "backend", "threads", "split_seed"]
    for key, text in given:
        if key not in (*known, *_OTHER_DATA) and not key.startswith(COLUMNS):
            raise unknown_name("option", key, [*known, "run", "output", *_OTHER_DATA])
        if key not in _OTHER_DATA:
            config = with_value(config, key, parse(text).value())
    check_types(config, trained | {"threads": None})  # a number, auto or null
    return config


def _is_other(asked: dict[str, Any], trained: dict[str, Any]) -> bool:
    """Whether the data are not those of the run. A file of the same name in place of one that is gone has moved."""
    then, now = trained["path"], asked["path"]
    if then and now and then != now and Path(then).name == Path(now).name and not Path(then).exists():
        note(f"{then} is gone: {now} is taken for the same file, and its test part is scored")
        return False
    return any(asked.get(key) != trained.get(key) for key in _SOURCE)


def _other_data(asked: dict[str, Any], trained: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """Another file is read with the mapping of the run's own file and cut as it was, but for what is asked."""
    if "data" in keys or trained["name"] != FILE:
        return asked
    given = {key.split(".")[1] for key in keys if key.startswith("data.")} | {"path", "name"}
    columns = {**(trained["columns"] or {}), **(asked["columns"] or {})} or None
    return trained | {key: asked[key] for key in given} | {"columns": columns}
