"""Numbers that stand for choices -> a channel for each choice, 1 for the one that was chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mts3.errors import UserError


def one_hot(values: ArrayLike, n: int, start: int = 0) -> np.ndarray:
    """(..., n) float32 from choices of shape (...).

    Args:
        values: Whole numbers from `start` to `start + n - 1`, of any type of numbers.
        n: How many choices there are.
        start: The first of them.

    Raises:
        UserError: for a value that is no choice.
    """
    given = np.asarray(values)
    choices = np.arange(start, start + n)
    chosen = given[..., None] == choices if given.dtype.kind in "iufb" else np.zeros((*given.shape, n), bool)
    known = chosen.any(-1)
    if not known.all():
        raise UserError(
            f"choice {given[~known][0]!s} is none of the {n} there are; expected {start} to {start + n - 1}"
        )
    return chosen.astype(np.float32)
