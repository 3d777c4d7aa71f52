"""`mts3 data make`."""

from __future__ import annotations

import shutil
from pathlib import Path

from mts3.cli.data_action import ACTIONS, name_and_options, print_summary
from mts3.cli.verb import Verb
from mts3.data import DATASETS
from mts3.data.sets.cache import cached
from mts3.data.sets.generators import GENERATED
from mts3.errors import UserError
from mts3.files import write_aside

_USAGE = "make NAME [size=small] [seed=0] [output=FILE.npz]"
_ABOUT = "a generated set, made once and kept in the user's cache (or $MTS3_CACHE); goes on where it was interrupted"


def run(arguments: list[str]) -> None:
    """Make a set, or find it in the cache."""
    takes = "make takes the name of one generated set"
    name, options = name_and_options(takes, arguments, ("size", "seed", "output"))
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


ACTIONS.register("make")(Verb(2, _ABOUT, lambda: _USAGE, run))
