"""`mts3 data`: list, show and import data sets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mts3.cli.table import print_table
from mts3.data import (
    DATASETS,
    Dataset,
    Summary,
    describe,
    describe_channels,
    describe_known,
    import_files,
    load_dataset,
)
from mts3.errors import UserError, unknown_name

ACTIONS = ("list", "show", "import")
_COLUMNS = ("obs", "actions", "reward", "time", "trajectory", "sample_time")
_LISTS = ("obs", "actions")


def data(arguments: list[str]) -> None:
    """Run `mts3 data ACTION ...`.

    Raises:
        UserError: for anything the action cannot do.
    """
    if not arguments or arguments[0] not in ACTIONS:
        if not arguments:
            raise UserError(f"what about data? say mts3 data {', '.join(ACTIONS)}; see mts3 data --help")
        raise unknown_name("action", arguments[0], ACTIONS)
    action, rest = arguments[0], arguments[1:]
    names, options = _split_options(rest, () if action == "list" else ("output", *_COLUMNS))
    if action == "list":
        if names:
            raise UserError(f"list takes nothing, got '{names[0]}'; try mts3 data show {names[0]}")
        _list()
    elif action == "show":
        if len(names) != 1:
            raise UserError(f"show takes one name or file, got {len(names)}; see mts3 data --help")
        _show(names[0], options)
    else:
        if "output" not in options:
            raise UserError("import needs output=FILE.npz, the file to write")
        dataset = import_files(names, options.pop("output"), options or None)
        print_summary(dataset)


def print_summary(dataset: Dataset) -> None:
    """A data set in a few lines: its size, its channels, its source."""
    summary = describe(dataset)
    print(f"{summary.name}: {_size(summary)}")
    rows = [("channel", "kind", "unit", "mean", "std", "min", "max", "missing")]
    rows += [
        (c.name, c.kind, c.unit, *(f"{x:.4g}" for x in (c.mean, c.std, c.min, c.max)), f"{c.missing:.1%}")
        for c in describe_channels(dataset)
    ]
    print_table(rows)
    if summary.attribution:
        print(f"source: {summary.attribution}")


def _list() -> None:
    width = max(map(len, DATASETS))
    for name, summary in describe_known():
        print(f"{name:{width}} {summary if isinstance(summary, str) else f'{_size(summary)}; {summary.attribution}'}")


def _show(name: str, options: dict[str, Any]) -> None:
    output = Path(options.pop("output", f"{Path(name).stem}.png"))
    by_name = name in DATASETS or not (Path(name).suffix or Path(name).exists())
    dataset = load_dataset(name) if by_name else load_dataset(None, name, options or None)
    from mts3.plot import show_dataset

    show_dataset(dataset, output)
    print_summary(dataset)
    print(f"picture: {output}")


def _size(summary: Summary) -> str:
    missing = f", {summary.missing:.1%} missing" if summary.missing else ""
    return (
        f"{summary.trajectories} trajectories, {summary.rows} rows of {summary.obs_dim} observations and "
        f"{summary.action_dim} actions every {summary.sample_time:g} s{missing}"
    )


def _split_options(arguments: list[str], known: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    names: list[str] = []
    options: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or Path(argument).exists():
            names.append(argument)
        elif key not in known:
            raise unknown_name("option", key, known) if known else UserError(f"unexpected '{argument}'")
        else:
            options[key] = _value(key, value)
    return names, options


def _value(key: str, text: str) -> Any:
    if key in _LISTS:
        return [part for part in re.split(r"\s*,\s*", text.strip().removeprefix("[").removesuffix("]")) if part]
    if key == "sample_time":
        try:
            return float(text)
        except ValueError:
            raise UserError(f"sample_time={text} is no number; give seconds per step") from None
    return text
