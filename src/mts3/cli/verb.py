"""What a command is. Each file of `mts3.cli.verbs` holds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mts3.registry import Registry


@dataclass(frozen=True)
class Verb:
    """A command.

    Attributes:
        place: Where it stands among the others in `mts3 --help`.
        summary: Its line there.
        help: -> what `mts3 VERB --help` prints.
        run: (what follows the verb) -> exit code; None if it is done. What takes time to import is imported inside.
        flags: Which of these may be among them.
    """

    place: int
    summary: str
    help: Callable[[], str]
    run: Callable[[list[str]], int | None]
    flags: frozenset[str] = frozenset()


VERBS: Registry[Verb] = Registry("command")


def in_order(registry: Registry[Verb]) -> list[tuple[str, Verb]]:
    """Names and what they stand for, by `place`, as a help lists them."""
    return sorted(registry.items(), key=lambda item: item[1].place)


def with_choices(text: str) -> str:
    """A help text, with the names that exist today for {data}, {model}, {ablation} and {logger}."""
    from mts3.cli.config import choices_of

    return text.format(**{group: "|".join(choices_of(group)) for group in ("data", "model", "ablation", "logger")})
