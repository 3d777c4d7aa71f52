"""What lies in a run folder, and whether a new run may go there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mts3.cli.config import checked_config
from mts3.cli.config_checks import flat
from mts3.cli.report import note
from mts3.data.readers.formats.minari import PREFIX as MINARI_PREFIX
from mts3.errors import UserError
from mts3.files import write_aside
from mts3.run_layout import CONFIG, FIGURES, HORIZON, LAST, LOG_FILES, LOGS, METRICS, PLOTS, RUN_FILES

_SECTIONS = {"data", "model", "train", "trainer", "evaluate", "seed", "name"}
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
    """What a folder holds of a run."""

    NOTHING = "to be trained"
    FINISHED = "trained and evaluated"
    INTERRUPTED = "can be continued from its last checkpoint"
    REMAINS = "has neither scores nor a checkpoint: to be trained again"


def claim(run_dir: Path, config: dict[str, Any]) -> bool:
    """Refuse a folder that holds a run, unless the configuration continues or replaces it.

    Returns: whether there is a checkpoint to continue from; otherwise the run starts, or starts again.
    Raises:
        UserError: if a run or a file of somebody else would be lost, there is none to continue, or it was started with
            other options.
    """
    refuse_foreign(run_dir, "hydra.run.dir=DIR")
    found = look(run_dir)
    if config["resume"]:
        return _continued(run_dir, config, found)
    if found is Found.NOTHING or config["overwrite"]:
        return False
    here, goes_on = f"{run_dir} already holds a run", "continue it with resume=true, "
    if found is Found.REMAINS:
        here = f"{run_dir} holds the beginning of a run that was stopped before its first checkpoint"
        goes_on = "start it again with resume=true, "
    elif not (run_dir / LAST).is_file():
        goes_on = ""
    raise UserError(f"{here}: {goes_on}replace it with overwrite=true, or name another folder with hydra.run.dir=DIR")


def _continued(run_dir: Path, config: dict[str, Any], found: Found) -> bool:
    checkpoint = (run_dir / LAST).is_file()
    if not checkpoint and found is Found.FINISHED:
        raise UserError(f"nothing to resume: {run_dir} holds a finished run without {LAST}; overwrite=true replaces it")
    if not checkpoint and not (run_dir / CONFIG).is_file():
        raise UserError(f"nothing to resume: {run_dir / LAST} does not exist; start without resume=true")
    differing = _difference(run_dir, config, _FREE)
    if differing:
        raise UserError(
            f"resume=true continues {run_dir}, which was started with {differing}: repeat the options it was "
            "started with"
        )
    if not checkpoint:
        note(f"{run_dir} holds no checkpoint yet: the run starts again from its beginning")
    return checkpoint


def find_run(run_dir: Path, config: dict[str, Any]) -> Found:
    """What there is already of the run that a configuration asks for: nothing, if `overwrite` asks to start anew.

    Raises:
        UserError: if the folder is a file, or holds a run that another configuration made or files of somebody else.
    """
    refuse_foreign(run_dir, "runs=DIR")
    found = look(run_dir)
    if config["overwrite"] or found is Found.NOTHING:
        return Found.NOTHING
    differing = _difference(run_dir, config, _IMMATERIAL if found is Found.FINISHED else _FREE)
    if differing:
        raise UserError(
            f"{run_dir} holds a run with {differing}: replace it with overwrite=true, or keep it and name another "
            "folder for these runs with runs=DIR"
        )
    if found is Found.FINISHED and not (run_dir / HORIZON).is_file():
        raise UserError(f"{run_dir / HORIZON} is missing: run mts3 evaluate run={run_dir}, or give overwrite=true")
    return found


def look(run_dir: Path) -> Found:
    """What training has left there."""
    if (run_dir / METRICS).exists() and not ((run_dir / LAST).exists() and is_unfinished(run_dir)):
        return Found.FINISHED
    if (run_dir / LAST).exists():
        return Found.INTERRUPTED
    return Found.REMAINS if any((run_dir / name).exists() for name in RUN_FILES if name != CONFIG) else Found.NOTHING


def is_unfinished(run_dir: Path) -> bool:
    """Whether training was stopped before its end: only one that ends writes its steps beside the scores."""
    try:
        metrics = json.loads((run_dir / METRICS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except (OSError, ValueError, RecursionError):  # damaged, which whoever needs it says
        return False
    return isinstance(metrics, dict) and metrics.get("gradient_steps", 0) is None


def refuse_foreign(run_dir: Path, how: str) -> None:
    """Refuse a folder with files that a run would replace and that no run of ours has written.

    A folder is a run's if it holds the configuration of one.

    Args:
        how: The option that names another folder, as in "hydra.run.dir=DIR".
    Raises:
        UserError: naming the first such file, or the folder if it is a file.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"{run_dir} is a file; name a folder with {how}")
    foreign = next(_written(run_dir), None)
    if (run_dir / CONFIG).exists():
        foreign = run_dir / CONFIG
        with suppress(UserError):
            config = _read_yaml(foreign)
            if isinstance(config, dict) and config.keys() >= _SECTIONS:  # of a run, whatever its values
                return
    if foreign is not None:
        raise UserError(
            f"{foreign} is of no run of mts3 train and would be replaced: name another folder with {how}, or move the "
            "file"
        )


def remove_run(run_dir: Path) -> None:
    """Remove what a run writes, and the folders it made if nothing else is in them. What else lies there stays."""
    for path in list(_written(run_dir)):
        path.unlink(missing_ok=True)
    for folder in (*run_dir.glob(f"{LOGS}/version_*"), run_dir / LOGS, run_dir / PLOTS):
        with suppress(OSError):  # not there, or not empty
            folder.rmdir()


def _written(run_dir: Path) -> Iterator[Path]:
    """Whatever of the files of a run is there."""
    logs = (f"{LOGS}/version_*/{name}" for name in LOG_FILES)
    patterns = (*RUN_FILES, *(f"{PLOTS}/{name}" for name in FIGURES), *logs)
    return (path for pattern in patterns for path in run_dir.glob(pattern) if path.is_file() or path.is_symlink())


def write_config(run_dir: Path, config: dict[str, Any]) -> None:
    """The resolved configuration."""
    with write_aside(run_dir / CONFIG) as path:
        OmegaConf.save(OmegaConf.create(config), path)


def read_config(run_dir: Path) -> dict[str, Any]:
    """The configuration of a run.

    Raises:
        UserError: if there is none, it cannot be read, or lacks what is needed or has it of another type.
    """
    path = run_dir / CONFIG
    if not path.is_file():
        raise UserError(f"{run_dir} is no run folder: {CONFIG} is missing; name one that mts3 train wrote")
    config = _read_yaml(path)
    try:
        return checked_config(config)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error}; put it right or train again") from error


def _read_yaml(path: Path) -> Any:
    try:
        return OmegaConf.to_container(OmegaConf.load(path))
    except (YAMLError, OmegaConfBaseException, ValueError, RecursionError, OSError) as error:
        raise UserError(f"cannot read {path}: it is not YAML; train again") from error


def absolute_paths(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with a data path that holds from any folder."""
    path = config["data"]["path"]
    if path is None or path.startswith(MINARI_PREFIX):
        return config
    return config | {"data": config["data"] | {"path": str(Path(path).expanduser().absolute())}}


def _difference(run_dir: Path, config: dict[str, Any], free: tuple[str, ...]) -> str | None:
    """The first option of a run that is not as asked for, as in "seed=0, not seed=1"; `free` ones may differ."""
    before = read_config(run_dir)
    for section in (name for name in config if name not in free):
        then, now = (flat({section: options.get(section)}) for options in (before, config))
        for options in (then, now):
            if options.get("data.path") is not None:  # the file may have moved together with the run
                options["data.path"] = Path(options["data.path"]).name
        for key in sorted(then.keys() | now.keys()):
            if key not in free and then.get(key) != now.get(key):
                return f"{key}={then.get(key)}, not {key}={now.get(key)}"
    return None
