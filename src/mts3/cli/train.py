"""`mts3 train`: data and model by name -> a run folder."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mts3.cli.backend import backend_in_force
from mts3.cli.experiment import Experiment, load_experiment
from mts3.cli.opening import Opening
from mts3.cli.process import set_threads
from mts3.cli.report import TERMINATED, Terminated
from mts3.cli.run_files import Found, absolute_paths, claim, look, remove_run, write_config
from mts3.cli.run_lock import locked
from mts3.cli.scores import check_evaluation, print_scores, score
from mts3.data import change_std, channels_of
from mts3.errors import UserError, unknown_name
from mts3.files import remove_stale
from mts3.models import MODELS, DeltaTarget, WorldModel, build, load
from mts3.models.unbuilt import check_memory
from mts3.run_layout import CONFIG, LAST, METRICS, PLOTS
from mts3.train import FitResult, build_loggers, fit, is_main_process, seeded

TARGETS = ("obs", "delta")


def train(config: dict[str, Any], run_dir: Path) -> float:
    """Train, evaluate and report one resolved configuration.

    Returns: the best validation CRPS.
    Raises:
        UserError: for the user's mistakes; unless training had begun, no file of ours is left behind.
        TrainingDiverged: if a loss or gradient is not finite.
    """
    set_threads(config["threads"])
    check_evaluation(config)
    config = absolute_paths(config)
    # Further processes of the same run find what the first has begun, and are covered by its lock.
    alone = locked(run_dir) if is_main_process() else nullcontext()
    with backend_in_force(config["backend"]), alone, _saying_how_to_go_on(run_dir):
        return _train(config, run_dir)


def _train(config: dict[str, Any], run_dir: Path) -> float:
    main = is_main_process()
    resume = claim(run_dir, config) if main else config["resume"] and (run_dir / LAST).is_file()
    config = config | {"resume": resume}
    experiment = load_experiment(config)
    model = build_model(config, experiment)
    try:
        if main:
            _prepare(run_dir, config)
        result = fit_model(model, config, experiment, run_dir)
    except (UserError, OSError):
        if main and look(run_dir) is Found.NOTHING:
            remove_run(run_dir)
        raise
    if not main:
        return result.best_val_crps
    record = {
        "train_seconds": result.train_seconds,
        "gradient_steps": result.gradient_steps,
        "best_epoch": result.best_epoch,
        "device": result.device,
    }
    print_scores(score(load(run_dir), experiment, config, run_dir, record), run_dir)
    return result.best_val_crps


def _prepare(run_dir: Path, config: dict[str, Any]) -> None:
    """Make the folder what the start of a training, or of a continuation, finds."""
    if not config["resume"]:
        remove_run(run_dir)
    for folder in (run_dir, run_dir / PLOTS):
        remove_stale(folder)
    # Whoever finds scores takes the run for finished, with these weights.
    (run_dir / METRICS).unlink(missing_ok=True)
    write_config(run_dir, config)


@contextmanager
def _saying_how_to_go_on(run_dir: Path) -> Iterator[None]:
    """Tell a process that is asked to end what becomes of the run."""
    try:
        yield
    except (Terminated, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != TERMINATED:  # Lightning ends a training between two steps
            raise
        if not is_main_process():
            raise SystemExit(TERMINATED) from None
        checkpoint = run_dir / LAST
        if checkpoint.is_file():
            goes_on = f"{checkpoint} is whole, resume=true goes on from it"
        elif (run_dir / CONFIG).is_file():
            goes_on = f"{run_dir} holds no checkpoint yet, resume=true starts the run again"
        else:
            goes_on = "nothing was begun"
        raise Terminated(f"terminated; {goes_on}") from None


def build_model(config: dict[str, Any], experiment: Experiment) -> WorldModel:
    """The model a configuration names, for the channels of its data.

    Raises:
        UserError: for an unknown model or argument, or a value the model refuses.
    """
    arguments = dict(config["model"])
    name, dataset = arguments.pop("name"), experiment.dataset
    if arguments.get("reward") and not dataset.has_reward:
        raise UserError(f"model.reward=true needs data with a reward; '{dataset.name}' has none")
    if dataset.image_shape is not None and "image_shape" in inspect.signature(MODELS.get(name, WorldModel)).parameters:
        arguments.setdefault("image_shape", list(dataset.image_shape))
    _check_windows(arguments.get("window_len"), config["data"]["sequence_len"])
    make = partial(build, name, obs_dim=dataset.obs_dim, action_dim=dataset.action_dim, **arguments)
    try:
        with seeded(config["seed"]):
            check_memory(make)
    except UserError:
        raise
    except Exception as error:  # whatever a constructor makes of a value it does not expect
        reason = str(error).partition("\n")[0]
        raise UserError(f"model={name}: {reason}") from error
    with seeded(config["seed"]):
        model = make()
    model.normalizer, model.channels = experiment.train.normalizer, channels_of(dataset)
    target = config["train"]["target"]
    if target not in TARGETS:
        raise unknown_name("train.target", target, TARGETS)
    if target == "obs":
        return model
    if model.fitted_in_closed_form:
        raise UserError(f"model {name} is fitted in closed form and predicts changes already: leave train.target out")
    return DeltaTarget(model, torch.from_numpy(change_std(experiment.train.trajectories, model.normalizer)))


def _check_windows(window_len: Any, sequence_len: int) -> None:
    """Sequences are padded to whole windows, which may be longer, but not without bound."""
    for length in window_len if isinstance(window_len, list) else [window_len]:
        if isinstance(length, int) and length > 100 * sequence_len:
            raise UserError(
                f"model.window_len={length} is more than 100 sequences of data.sequence_len={sequence_len} steps; "
                "choose a smaller one"
            )


def fit_model(model: WorldModel, config: dict[str, Any], experiment: Experiment, run_dir: Path) -> FitResult:
    """`mts3.train.fit` with the values of a configuration."""
    logger = dict(config["logger"])
    options = {key: value for key, value in config["train"].items() if key != "target"}
    return fit(
        model,
        experiment.train,
        experiment.validation,
        run_dir,
        context_len=config["data"]["context_len"],
        window_len=config["data"]["window_len"],
        seed=config["seed"],
        resume=config["resume"],
        loggers=build_loggers(logger.pop("name"), run_dir, **logger),
        trainer=config["trainer"],
        callbacks=[Opening(experiment.train, config["threads"])],
        **options,
    )
