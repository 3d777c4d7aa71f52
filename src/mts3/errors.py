"""The user's mistakes: one clear line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something the user can put right: what was given, what was expected, what to do.

    A command prints it as one line and exits with code 2.
    """


def unknown_name(kind: str, given: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in a list, with the nearest names first.

    Args:
        kind: What the name stands for, as in "model" or "data set".
        given: What the user wrote.
        known: The names that exist.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(given), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose from: {', '.join(names)}."
    return UserError(f"unknown {kind} '{given}': {hint}")
