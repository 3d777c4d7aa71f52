"""Whether there is something to score as far ahead as a configuration asks for."""

from __future__ import annotations

from mts3.cli.report import note
from mts3.data import SequenceDataset
from mts3.errors import UserError


def check_test(test: SequenceDataset, context_len: int, window_len: int) -> None:
    """Refuse to score steps that no test sequence has: the rest of it would be read as the whole."""
    longest, rows = test.longest, len(test.longest)
    if rows <= test.sequence_len:
        sizes = {"data.sequence_len": (test.sequence_len, rows - 1)}
        sizes |= {"data.context_len": (context_len, rows - 2), "data.window_len": (window_len, rows - 2)}
        advice = " and ".join(f"{name}={largest}" for name, (size, largest) in sizes.items() if size > largest)
        raise UserError(
            f"data.sequence_len={test.sequence_len} asks for {test.sequence_len + 1 - context_len} steps after the "
            f"context, and no test trajectory has more than {rows - context_len}: the longest, '{longest.name}', has "
            f"{rows} rows; choose {advice} or less, or give longer trajectories"
        )
    if not test.any_observed(context_len):
        raise UserError(
            f"nothing is observed after the first {context_len} rows of any test sequence, so there is nothing to "
            "score; choose a smaller data.context_len or give other data"
        )


def check_validation(validation: SequenceDataset, context_len: int) -> None:
    """Refuse a validation part that could not say which weights are best; say what it cannot see."""
    if not validation.any_observed(context_len):
        raise UserError(
            f"nothing is observed after the first {context_len} rows of any validation sequence, so there is nothing "
            "to choose the best weights by; choose a smaller data.context_len, another split_seed or other "
            "data.split_fractions"
        )
    longest, rows = validation.longest, len(validation.longest)
    if rows <= validation.sequence_len:
        note(
            f"validation sees {rows - context_len} of {validation.sequence_len + 1 - context_len} steps after the "
            f"context: '{longest.name}', its longest trajectory, has {rows} rows, and data.sequence_len is "
            f"{validation.sequence_len}"
        )
