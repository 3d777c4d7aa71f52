"""`mts3 data`: list, make, show, check, import and record data sets."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

from mts3.cli.data_check import check
from mts3.cli.data_record import OPTIONS as RECORD_OPTIONS
from mts3.cli.data_record import record_data
from mts3.cli.mapping import COLUMNS, mapping_value
from mts3.cli.table import print_table
from mts3.data import (
    DATASETS,
    Dataset,
    Summary,
    describe,
    describe_channels,
    describe_known,
    import_with_notes,
    load_with_notes,
    names_a_set,
)
from mts3.data.rows.columns import KEYS
from mts3.data.sets.cache import cached
from mts3.data.sets.generators import GENERATED
from mts3.errors import UserError, unknown_name
from mts3.files import write_aside

# What may follow each action as KEY=VALUE.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "list": (),
    "make": ("size", "seed", "output"),
    "show": ("output", "size", "seed", *KEYS),
    "check": ("output", "window_len", *KEYS),
    "import": ("output", *KEYS),
    "record": RECORD_OPTIONS,
}
ACTIONS = tuple(_OPTIONS)


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
    names, options = _split_options(rest, _OPTIONS[action])
    if action == "list":
        if names:
            raise UserError(f"list takes nothing, got '{names[0]}'; try mts3 data show {names[0]}")
        _list()
    elif action == "make":
        if len(names) != 1:
            raise UserError(f"make takes the name of one generated set, got {len(names)}; see mts3 data --help")
        _make(names[0], options)
    elif action == "show":
        if len(names) != 1:
            raise UserError(f"show takes one name or file, got {len(names)}; see mts3 data --help")
        _show(names[0], options)
    elif action == "check":
        if len(names) != 1:
            raise UserError(f"check takes one name or file, got {len(names)}; see mts3 data --help")
        check(names[0], options)
    elif action == "record":
        if names:
            raise UserError(f"record takes no name, got '{names[0]}'; see mts3 data --help")
        print_summary(record_data(options))
        print(f"file: {options['output']}")
    else:
        if "output" not in options:
            raise UserError("import needs output=FILE.npz, the file to write")
        dataset, lines = import_with_notes(names, options.pop("output"), options or None)
        print("\n".join(lines))
        print_summary(dataset)


def print_summary(dataset: Dataset) -> None:
    """A data set in a few lines: its size, its channels, its source."""
    summary = describe(dataset)
    print(f"{summary.name}: {_size(summary)}")
    rows = [("channel", "kind", "unit", "mean", "std", "min", "max", "missing")]
    rows += [
        (c.name, c.kind, c.unit, *(_number(x, c.std) for x in (c.mean, c.std, c.min, c.max)), f"{c.missing:.1%}")
        for c in describe_channels(dataset)
    ]
    print_table(rows)
    if summary.attribution:
        print(f"source: {summary.attribution}")


def _list() -> None:
    known = describe_known()
    width = max(len(name) for name, _ in known)
    for name, summary in known:
        print(f"{name:{width}} {summary if isinstance(summary, str) else f'{_size(summary)}; {summary.attribution}'}")


def _make(name: str, options: dict[str, Any]) -> None:
    if name in DATASETS and name not in GENERATED:
        raise UserError(
            f"data set '{name}' is recorded, not generated: use it as data={name}; make takes one of: "
            f"{', '.join(GENERATED)}"
        )
    wanted = cached(name, options.get("size"), options.get("seed"))
    output = Path(options["output"]) if "output" in options else None
    if output is not None and output.suffix != ".npz":
        raise UserError(f"output is {output}; expected a name that ends in .npz")
    kept = wanted.load()
    print_summary(wanted.make() if kept is None else kept)
    print(f"file: {wanted.path}" if kept is None else f"file: {wanted.path} (it was there already)")
    if output is not None:
        with write_aside(output) as aside:
            shutil.copyfile(wanted.path, aside)
        print(f"copy: {output}")


def _show(name: str, options: dict[str, Any]) -> None:
    output = Path(options.pop("output", f"{Path(name).stem}.png"))
    version = {key: options.pop(key) for key in ("size", "seed") if key in options}
    by_name = names_a_set(name)
    source = (name, None, None) if by_name else (None, name, options or None)
    dataset, notes = load_with_notes(*source, **version)
    from mts3.plot import show_dataset

    show_dataset(dataset, output)
    print_summary(dataset)
    for line in notes:
        print(f"read: {line}")
    print(f"picture: {output}")


def _number(value: float, std: float) -> str:
    """Four digits, or as many as tell the values of a channel apart that moves little for its size."""
    fine = std > 0 and abs(value) > 100 * std
    return f"{value:.{max(0, 1 - math.floor(math.log10(std)))}f}" if fine else f"{value:.4g}"


def _size(summary: Summary) -> str:
    counts = {
        "trajectory trajectories": summary.trajectories,
        "row rows": summary.rows,
        "observation observations": summary.obs_dim,
        "action actions": summary.action_dim,
    }
    trajectories, rows, obs, actions = (f"{n} {words.split()[n != 1]}" for words, n in counts.items())
    missing = f", {summary.missing:.1%} missing" if summary.missing else ""
    return f"{trajectories}, {rows} of {obs} and {actions} every {summary.sample_time:g} s{missing}"


def _split_options(arguments: list[str], known: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    names: list[str] = []
    options: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        key = key.removeprefix(COLUMNS)  # as mts3 train calls them
        if not equals or Path(argument).exists():
            names.append(argument)
        elif key not in known:
            raise unknown_name("option", key, known) if known else UserError(f"unexpected '{argument}'")
        else:
            options[key] = _value(key, value)
    return names, options


def _value(key: str, text: str) -> Any:
    if key == "seed":
        if not text.isdecimal():
            raise UserError(f"seed={text} is no whole number >= 0")
        return int(text)
    return mapping_value(key, text) if key in KEYS else text
