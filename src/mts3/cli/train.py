"""`mts3 train`: data and model by name -> a run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import LambdaCallback

from mts3.cli.building import build_model
from mts3.cli.config_checks import AUTO
from mts3.cli.experiment import load_experiment
from mts3.cli.process import backend_in_force, filter_line, set_threads
from mts3.cli.report import note
from mts3.cli.run_files import absolute_paths
from mts3.cli.run_start import begun, claimed
from mts3.cli.scores import TRAINING, Fitted, check_evaluation, print_scores, score
from mts3.cli.threads import choose_threads
from mts3.data import SequenceDataset
from mts3.models import load
from mts3.train import TrainingModule, build_loggers, fit, is_main_process


def train(config: dict[str, Any], run_dir: Path, fitted: Fitted | None = None) -> float:
    """Train, evaluate and report one resolved configuration.

    Args:
        config: Resolved and checked.
        run_dir: The run folder.
        fitted: Baselines of earlier runs of the same command, to which those of this one are added.
    Returns: the best validation CRPS.
    Raises:
        UserError: for the user's mistakes; unless training had begun, no file of ours is left behind.
        TrainingDiverged: if a loss or gradient is not finite.
    """
    set_threads(config["threads"])
    check_evaluation(config)
    config = absolute_paths(config)
    with backend_in_force(config["backend"]), claimed(run_dir, config) as resume:
        config = config | {"resume": resume}
        experiment = load_experiment(config)
        model = build_model(config, experiment)
        with begun(run_dir, config):
            result = fit(
                model,
                experiment.train,
                experiment.validation,
                run_dir,
                context_len=config["data"]["context_len"],
                window_len=config["data"]["window_len"],
                seed=config["seed"],
                resume=resume,
                loggers=build_loggers(run_dir=run_dir, **config["logger"]),
                trainer=config["trainer"],
                callbacks=[LambdaCallback(on_train_start=partial(_opening, experiment.train, config["threads"]))],
                **{key: value for key, value in config["train"].items() if key != "target"},
            )
        if is_main_process():
            training = {key: getattr(result, key) for key in TRAINING}
            print_scores(score(load(run_dir), experiment, config, run_dir, training, fitted), run_dir)
    return result.best_val_crps


def _opening(train: SequenceDataset, threads: int | str | None, trainer: Trainer, module: LightningModule) -> None:
    """Say which backend filters, and with `threads=auto` on the CPU choose the number of threads.

    The model is on its device, in its precision, a resumed one with its weights.
    """
    assert isinstance(module, TrainingModule)
    lines = [filter_line(module.model)]
    # Processes that measure at the same time would measure one another.
    if threads == AUTO and module.device.type == "cpu" and trainer.world_size == 1:
        with trainer.precision_plugin.forward_context():
            lines.append(choose_threads(module, train))
    for line in filter(None, lines):
        note(line)
