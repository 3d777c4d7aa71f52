"""`mts3 data show`."""

from __future__ import annotations

from pathlib import Path

from mts3.cli.data_action import ACTIONS, name_and_options, print_summary
from mts3.cli.verb import Verb
from mts3.data import load_with_notes, names_a_set
from mts3.data.rows.columns import KEYS

_USAGE = "show NAME|FILE [output=PICTURE.png] [size=small] [seed=0] [obs=[x,y] .. as of import]"
_ABOUT = "the same of one set or file, and a picture of it (default NAME.png)"


def run(arguments: list[str]) -> None:
    """Print and draw a set or file."""
    known = ("output", "size", "seed", *KEYS)
    name, options = name_and_options("show takes one name or file", arguments, known)
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


ACTIONS.register("show")(Verb(3, _ABOUT, lambda: _USAGE, run))
