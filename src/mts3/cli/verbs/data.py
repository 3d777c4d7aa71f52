"""`mts3 data`."""

from __future__ import annotations

from mts3.cli.verb import VERBS, Verb


def run(arguments: list[str]) -> None:
    """One of the actions."""
    from mts3.cli.data import data

    data(arguments)


def help_text() -> str:
    """Of all actions."""
    from mts3.cli.data import help_text

    return help_text()


VERBS.register("data")(Verb(4, "list, make, show, check, import and record data sets", help_text, run))
