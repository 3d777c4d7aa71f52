"""`mts3 data check`: what is wrong with a recording, what it means for training and what to do."""

from __future__ import annotations

import itertools
import textwrap
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from mts3.cli.data_action import ACTIONS, name_and_options
from mts3.cli.verb import Verb
from mts3.data import load_dataset, names_a_set
from mts3.data.quality.check import Checked, check_dataset
from mts3.data.quality.findings import KINDS, Finding
from mts3.data.readers import check_file
from mts3.data.rows.columns import KEYS
from mts3.errors import UserError

_USAGE = "check NAME|FILE [output=PICTURE.png] [window_len=STEPS] [obs=[x,y] .. as of import]"
_ABOUT = """\
what is wrong with a recording, in plain words: irregular times, gaps, stuck sensors, outliers, ...; and a
picture of it (default NAME-check.png)"""
# Lines a kind of flaw; the picture and the count tell of the rest.
SHOWN = 8
SHOWN_SPANS = 3


def run(arguments: list[str]) -> None:
    """Check a set or file."""
    check(*name_and_options("check takes one name or file", arguments, ("output", "window_len", *KEYS)))


def check(name: str, options: dict[str, Any]) -> None:
    """Print the flaws of a data set or file, and draw them.

    Args:
        name: Of a data set, or a file.
        options: `output` (the picture), `window_len`, and for a file the column mapping.

    Raises:
        UserError: if it cannot be read, or if the picture cannot be written.
    """
    output = Path(options.pop("output", f"{Path(name).stem}-check.png"))
    by_name = names_a_set(name)
    window_len = _window_len(name if by_name else "file", options.pop("window_len", None))
    if by_name:
        # Its own columns: `load_dataset` says so where a mapping is given.
        checked = check_dataset(load_dataset(name, columns=options or None), window_len)
    else:
        checked = check_file(name, options or None, window_len)
    from mts3.plot.check import plot_check

    plot_check(checked, output)
    print_report(checked)
    print(f"picture: {output}")


def print_report(checked: Checked) -> None:
    """Everything found, in plain words, by kind of flaw."""
    recording = checked.recording
    lengths = [len(trajectory) for trajectory in recording.trajectories]
    rows = f"{min(lengths)}" if min(lengths) == max(lengths) else f"{min(lengths)} to {max(lengths)}"
    count = "1 trajectory" if len(lengths) == 1 else f"{len(lengths)} trajectories"
    obs, actions = len(recording.obs_names), len(recording.action_names)
    channels = f"{obs} observation{'s' * (obs > 1)} and {actions or 'no'} action{'s' * (actions != 1)}"
    print(f"{recording.name}: {count} of {rows} rows, {channels}")
    if checked.refused:
        print(f"it cannot be used as it is: {checked.refused}")
    for note in checked.notes:
        print(f"read: {note}")
    if not checked.findings:
        print("nothing found: times, actions, lengths and every channel look sound")
    for kind, group in itertools.groupby(checked.findings, lambda finding: finding.kind):
        _print_kind(kind, list(group))
    if any(finding.rows for finding in checked.findings):
        print("\nrows are data rows of a trajectory: 1 is its first one, under the header of the file")


def _print_kind(kind: str, findings: list[Finding]) -> None:
    about = KINDS[kind]
    print(f"\n{about.title}")
    # One line a channel, with its first trajectory: thousands of episodes often share a flaw.
    channels: dict[str, list[Finding]] = {}
    for finding in findings:
        channels.setdefault(finding.channel, []).append(finding)
    for same in list(channels.values())[:SHOWN]:
        print(f"  {_line(same)}")
    if len(channels) > SHOWN:
        print(f"  and {len(channels) - SHOWN} more channels")
    for label, text in (("means", about.means), ("to do", about.do)):
        print(textwrap.fill(f"{label}: {text}", 100, initial_indent="  ", subsequent_indent=" " * 9))


def _line(findings: list[Finding]) -> str:
    """The flaw of one channel: where it is first, and in how many other trajectories."""
    first = findings[0]
    where = " in ".join(part for part in (first.channel, f"'{first.trajectory}'" if first.trajectory else "") if part)
    rows = ", ".join(f"{a + 1}" if b == a + 1 else f"{a + 1}-{b}" for a, b in first.rows[:SHOWN_SPANS])
    if rows:
        rows = f" (row{'s' if first.rows[0][1] - first.rows[0][0] > 1 or len(first.rows) > 1 else ''} {rows}"
        rows += f" and {len(first.rows) - SHOWN_SPANS} more places)" if len(first.rows) > SHOWN_SPANS else ")"
    others = len(findings) - 1
    more = f"; and {others} more trajector{'y' if others == 1 else 'ies'}" if others else ""
    return f"{where + ': ' if where else ''}{first.words}{rows}{more}"


def _window_len(name: str, given: Any) -> int:
    """The window length to check for: the one given, or that of the data set's preset."""
    if given is not None:
        if not str(given).isdecimal() or int(given) < 1:
            raise UserError(f"window_len={given}; expected steps per window, a whole number > 0")
        return int(given)
    presets = resources.files("mts3.configs") / "data"
    preset = presets / f"{name}.yaml"
    text = (preset if preset.is_file() else presets / "file.yaml").read_text(encoding="utf-8")
    return int(yaml.safe_load(text)["window_len"])


ACTIONS.register("check")(Verb(4, _ABOUT, lambda: _USAGE, run))
