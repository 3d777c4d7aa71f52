"""What lies in a run folder, and whether a new run may go there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mts3.errors import UserError
from mts3.files import write_aside

CONFIG, METRICS, LAST = "config.yaml", "metrics.json", "last.ckpt"
_FILES = (CONFIG, "model.safetensors", "model.json", LAST, METRICS, "horizon.csv", "predictions.npz")
_FOLDERS = ("plots", "logs")
# What may differ between a run and its continuation: how long and where it runs, not what it learns.
_FREE = ("name", "data.epochs", "trainer", "logger", "resume", "overwrite", "threads", "evaluate")


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
        if (run_dir / CONFIG).is_file():
            _check_continues(run_dir, config)
    elif holds_run(run_dir) and not config["overwrite"]:
        raise UserError(
            f"{run_dir} already holds a run: continue it with resume=true, replace it with overwrite=true, "
            "or name another folder with hydra.run.dir=DIR"
        )


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
    if path is None:
        return config
    return config | {"data": config["data"] | {"path": str(Path(path).expanduser().absolute())}}


def read_metrics(run_dir: Path) -> dict[str, Any]:
    """`metrics.json`, or nothing before the first evaluation."""
    path = run_dir / METRICS
    return json.loads(path.read_text()) if path.is_file() else {}


def _check_continues(run_dir: Path, config: dict[str, Any]) -> None:
    before = read_config(run_dir)
    for section in config.keys() - set(_FREE):
        then, now = _flat(section, before.get(section)), _flat(section, config[section])
        for key in sorted(then.keys() | now.keys()):
            if key not in _FREE and then.get(key) != now.get(key):
                raise UserError(
                    f"resume=true continues {run_dir}, which was started with {key}={then.get(key)}, not "
                    f"{key}={now.get(key)}: repeat the options it was started with"
                )


def _flat(key: str, value: Any) -> dict[str, Any]:
    if key == "data.path" and value is not None:
        return {key: Path(value).name}  # the file may have moved together with the run
    if not isinstance(value, dict):
        return {key: value}
    return {name: item for part in value for name, item in _flat(f"{key}.{part}", value[part]).items()}
