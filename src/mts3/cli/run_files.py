"""What lies in a run folder, and whether a new run may go there."""

from __future__ import annotations

import json
import shutil
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mts3.data.readers.minari import PREFIX as MINARI_PREFIX
from mts3.errors import UserError
from mts3.files import write_aside

CONFIG, METRICS, HORIZON, LAST = "config.yaml", "metrics.json", "horizon.csv", "last.ckpt"
_FILES = (CONFIG, "model.safetensors", "model.json", LAST, METRICS, HORIZON, "predictions.npz")
_FOLDERS = ("plots", "logs")
# What may differ between a run and its continuation: how long and where it runs, not what it learns.
_FREE = ("name", "data.epochs", "trainer", "logger", "resume", "overwrite", "backend", "threads", "evaluate")
# What may differ between a finished run and the one asked for: what neither its weights nor its scores depend on. Of
# the data's budget the `trainer` and `train` sections hold what was made of it.
_IMMATERIAL = (
    *("name", "logger", "resume", "overwrite", "backend", "threads", "evaluate.batch_size", "train.num_workers"),
    *("data.epochs", "data.batch_size", "data.weight_decay"),
    *("trainer.accelerator", "trainer.enable_progress_bar", "trainer.log_every_n_steps"),
)


class Found(Enum):
    """What a folder holds of the run that a configuration asks for."""

    NOTHING = "to be trained"
    FINISHED = "trained and evaluated"
    INTERRUPTED = "can be continued from its last checkpoint"
    REMAINS = "has neither scores nor a checkpoint: to be trained again"


def claim(run_dir: Path, config: dict[str, Any]) -> None:
    """Refuse a folder that holds a run, unless the configuration continues or replaces it.

    Raises:
        UserError: if a run would be lost, there is none to continue, or it was started with other options.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"{run_dir} is a file; name a folder with hydra.run.dir=DIR")
    if config["resume"]:
        if not (run_dir / LAST).is_file():
            raise UserError(f"nothing to resume: {run_dir / LAST} does not exist; start without resume=true")
        differing = _difference(run_dir, config, _FREE) if (run_dir / CONFIG).is_file() else None
        if differing:
            raise UserError(
                f"resume=true continues {run_dir}, which was started with {differing}: repeat the options it was "
                "started with"
            )
    elif holds_run(run_dir) and not config["overwrite"]:
        raise UserError(
            f"{run_dir} already holds a run: continue it with resume=true, replace it with overwrite=true, "
            "or name another folder with hydra.run.dir=DIR"
        )


def find_run(run_dir: Path, config: dict[str, Any]) -> Found:
    """What there is already of the run that a configuration asks for: nothing, if `overwrite` asks to start anew.

    Raises:
        UserError: if the folder is a file or holds a run that another configuration made.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"{run_dir} is a file; name another folder for the runs with runs=DIR")
    if config["overwrite"] or not holds_run(run_dir):
        return Found.NOTHING
    finished = (run_dir / METRICS).is_file()
    differing = _difference(run_dir, config, _IMMATERIAL if finished else _FREE)
    if differing:
        raise UserError(
            f"{run_dir} holds a run with {differing}: replace it with overwrite=true, or keep it and name another "
            "folder for these runs with runs=DIR"
        )
    if not finished:
        return Found.INTERRUPTED if (run_dir / LAST).is_file() else Found.REMAINS
    if not (run_dir / HORIZON).is_file():
        raise UserError(f"{run_dir / HORIZON} is missing: run mts3 evaluate run={run_dir}, or give overwrite=true")
    return Found.FINISHED


def holds_run(run_dir: Path) -> bool:
    """Whether training has left anything there."""
    return any((run_dir / name).exists() for name in _FILES if name != CONFIG)


def remove_run(run_dir: Path) -> None:
    """Remove what a run writes, and the folder if nothing else is in it."""
    for name in _FILES:
        (run_dir / name).unlink(missing_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(run_dir / name, ignore_errors=True)
    if run_dir.is_dir() and not any(run_dir.iterdir()):
        run_dir.rmdir()


def write_config(run_dir: Path, config: dict[str, Any]) -> None:
    """The resolved configuration."""
    with write_aside(run_dir / CONFIG) as path:
        OmegaConf.save(OmegaConf.create(config), path)


def read_config(run_dir: Path) -> dict[str, Any]:
    """The configuration of a run.

    Raises:
        UserError: if there is none, or it cannot be read.
    """
    path = run_dir / CONFIG
    if not path.is_file():
        raise UserError(f"{run_dir} is no run folder: {CONFIG} is missing; name one that mts3 train wrote")
    try:
        config = OmegaConf.to_container(OmegaConf.load(path))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        raise UserError(f"cannot read {path}: it is not YAML; train again") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} holds no configuration; train again")
    return {str(key): value for key, value in config.items()}


def absolute_paths(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with a data path that holds from any folder."""
    path = config["data"]["path"]
    if path is None or path.startswith(MINARI_PREFIX):
        return config
    return config | {"data": config["data"] | {"path": str(Path(path).expanduser().absolute())}}


def read_metrics(run_dir: Path) -> dict[str, Any]:
    """`metrics.json`, or nothing before the first evaluation."""
    path = run_dir / METRICS
    return json.loads(path.read_text()) if path.is_file() else {}


def _difference(run_dir: Path, config: dict[str, Any], free: tuple[str, ...]) -> str | None:
    """The first option of a run that is not as asked for, as in "seed=0, not seed=1"; `free` ones may differ."""
    before = read_config(run_dir)
    for section in (name for name in config if name not in free):
        then, now = _flat(section, before.get(section)), _flat(section, config[section])
        for key in sorted(then.keys() | now.keys()):
            if key not in free and then.get(key) != now.get(key):
                return f"{key}={then.get(key)}, not {key}={now.get(key)}"
    return None


def _flat(key: str, value: Any) -> dict[str, Any]:
    if key == "data.path" and value is not None:
        return {key: Path(value).name}  # the file may have moved together with the run
    if not isinstance(value, dict):
        return {key: value}
    return {name: item for part in value for name, item in _flat(f"{key}.{part}", value[part]).items()}
