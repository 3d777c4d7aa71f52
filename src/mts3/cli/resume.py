"""`resume=true`: the options of a run are in its folder, they need not be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from mts3.cli.config import GROUPS, Composed, checked_choices, composed, defaults_of
from mts3.cli.config_checks import check_types, flat, typed, with_value
from mts3.cli.overrides import OPEN, parse
from mts3.cli.run_files import read_config
from mts3.errors import UserError, unknown_name

_RUN_DIR = "hydra.run.dir"
_DATA = ("data", "data.path")


def asked(overrides: list[str]) -> Composed:
    """The configuration that `mts3 train` is asked for.

    With `resume=true` and no data named it is the run's own, from its folder, with what else is given on top: `claim`
    refuses what must not change. Everything else is composed.

    Args:
        overrides: Prepared.
    Raises:
        UserError: for an unknown choice or key, a value of the wrong type, or a folder that holds no run.
    """
    given = {override.key_or_group: override for override in map(parse, overrides)}
    resume = given.pop("resume", None)
    if resume is None or resume.value() is not True or any(key in given for key in _DATA):
        return composed(overrides)
    checked_choices(overrides)
    folder = given.pop(_RUN_DIR, None)
    if folder is None or not folder.value():
        raise UserError(
            "which run is to be continued? give hydra.run.dir=DIR, a folder that mts3 train wrote, or data=NAME and "
            "whatever else it was started with"
        )
    run_dir = Path(str(folder.value()))
    config = defaults_of() | read_config(run_dir) | {"resume": True, "overwrite": False}
    expected = typed(config)
    for override in given.values():
        config = _with(config, override)
    check_types(config, expected)
    return Composed(config, run_dir)


def _with(config: dict[str, Any], override: Override) -> dict[str, Any]:
    key = override.key_or_group
    if key == "logger":
        return config | {"logger": composed([f"logger={override.value()}"]).config["logger"]}
    if key in GROUPS or override.is_delete():
        raise UserError(f"a run goes on with the {GROUPS.get(key, key)} it was started with: leave {key} out")
    if key == "data.epochs":
        raise UserError("how long a run goes on is given as trainer.max_epochs=N: leave data.epochs out")
    if key not in flat(config) and not key.startswith(OPEN):
        raise unknown_name("option", key, flat(config))
    return with_value(config, key, override.value())
