"""Train, validation and test: by trajectory, or by time for one long recording."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.errors import UserError

# Fewer trajectories than parts cannot be dealt out whole; each is then cut by time.
PARTS = 3


@dataclass(frozen=True)
class Splits:
    """Three parts without a row in common.

    Attributes:
        train: Fits the weights and the normalizer.
        validation: Chooses the checkpoint.
        test: Opened once, at the end.
    """

    train: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]
    test: tuple[Trajectory, ...]


def split(
    dataset: Dataset,
    seed: int,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    min_length: int = 2,
    window_len: int = 1,
) -> Splits:
    """Deal a data set out into train, validation and test.

    Three or more trajectories are dealt out whole, shuffled by `seed`. One or two are cut by time into contiguous
    pieces, train first and test last, as views; the seed then has no effect. Where the source reserves a test part
    (`Dataset.test_names`), that part is kept and validation comes from the rest.

    Args:
        dataset: What to split.
        seed: Of the shuffle; numpy's global state is neither read nor written.
        fractions: Shares of train, validation and test: positive, summing to 1.
        min_length: Rows which every piece cut by time must have: the context, and one to predict.
        window_len: Steps of a window, of which the context holds one at least: for advice alone.

    Raises:
        UserError: for fractions that are no shares, or a recording too short to be cut.
    """
    try:
        shares = np.asarray(fractions, dtype=np.float64)
    except (TypeError, ValueError):  # no numbers, or lists of different lengths
        shares = np.zeros(0)
    if shares.shape != (PARTS,) or not (shares > 0).all() or not math.isclose(shares.sum(), 1.0, abs_tol=1e-6):
        raise UserError(
            f"split_fractions is {fractions}; expected three positive shares (train, validation, test) that sum to 1"
        )
    if dataset.test_names:
        return _keep_test(dataset, seed, shares)
    if len(dataset.trajectories) < PARTS:
        pieces = [_cut(trajectory, shares, min_length, window_len) for trajectory in dataset.trajectories]
        return Splits(*(tuple(part) for part in zip(*pieces, strict=True)))
    train, validation, test = _deal(dataset.trajectories, seed, shares)
    return Splits(train, validation, test)


def leave_out_short(
    dataset: Dataset, min_length: int, skip_short: bool = False, window_len: int = 1
) -> tuple[Dataset, int]:
    """The data set without trajectories of fewer than `min_length` rows, and how many were left out.

    Args:
        dataset: What to look through.
        min_length: Rows: the context, and one to predict.
        skip_short: Whether to leave any out.
        window_len: Steps of a window, of which the context holds one at least: for advice alone.

    Raises:
        UserError: if there is such a trajectory and `skip_short` is False, or if nothing would remain.
    """
    short = [trajectory for trajectory in dataset.trajectories if len(trajectory) < min_length]
    if not short:
        return dataset, 0
    all_short = len(short) == len(dataset.trajectories)
    if not skip_short:
        shortest = min(short, key=len)
        leave_out = "" if all_short else f", or leave out the {len(short)} that are too short with data.skip_short=true"
        expected = _expected(len(shortest), min_length, window_len)
        raise UserError(f"trajectory '{shortest.name}' of '{dataset.name}' has {expected}{leave_out}")
    if all_short:
        raise _all_short(f"every trajectory of '{dataset.name}'", short, min_length, window_len)
    kept = tuple(trajectory for trajectory in dataset.trajectories if len(trajectory) >= min_length)
    names = {trajectory.name for trajectory in kept}
    test_names = tuple(name for name in dataset.test_names if name in names)
    if dataset.test_names and not test_names:
        reserved = [trajectory for trajectory in short if trajectory.name in dataset.test_names]
        raise _all_short(f"every test trajectory of '{dataset.name}'", reserved, min_length, window_len)
    return replace(dataset, trajectories=kept, test_names=test_names), len(short)


def _all_short(which: str, trajectories: Sequence[Trajectory], min_length: int, window_len: int) -> UserError:
    longest = max(trajectories, key=len)
    expected = _expected(len(longest), min_length, window_len)
    return UserError(f"{which} is too short: '{longest.name}', the longest, has {expected}")


def _expected(rows: int, min_length: int, window_len: int) -> str:
    return (
        f"{rows} rows; expected at least {min_length} (a context of {min_length - 1} and one to predict): "
        f"{_smaller(rows, window_len)}"
    )


def _smaller(rows: int, window_len: int) -> str:
    """The options with which `rows` rows would do; the context holds a window at least."""
    if window_len < rows:
        return f"choose data.context_len={rows - 1} or less"
    return f"choose data.window_len={rows - 1} and data.context_len={rows - 1} or less"


def _deal(trajectories: Sequence[Trajectory], seed: int, shares: np.ndarray) -> list[tuple[Trajectory, ...]]:
    """Whole trajectories by share, at least one a part, each part in the order of the recording."""
    total, parts = len(trajectories), len(shares)
    order = np.random.default_rng(seed).permutation(total)
    sizes = np.maximum(1, np.round(shares * total).astype(int))
    sizes[0] = total - sizes[1:].sum()
    while sizes[0] < 1:  # only with very few trajectories: the largest of the other parts gives one back
        largest = 1 + int(np.argmax(sizes[1:]))
        sizes[largest] -= 1
        sizes[0] += 1
    edges = np.cumsum([0, *sizes])
    return [tuple(trajectories[i] for i in sorted(order[edges[p] : edges[p + 1]])) for p in range(parts)]


def _keep_test(dataset: Dataset, seed: int, shares: np.ndarray) -> Splits:
    reserved = set(dataset.test_names)
    test = tuple(trajectory for trajectory in dataset.trajectories if trajectory.name in reserved)
    rest = [trajectory for trajectory in dataset.trajectories if trajectory.name not in reserved]
    if len(rest) < 2:
        raise UserError(f"'{dataset.name}' has {len(rest)} trajectory outside its test part; expected at least 2")
    train, validation = _deal(rest, seed, shares[:2] / shares[:2].sum())
    return Splits(train, validation, test)


def _cut(trajectory: Trajectory, shares: np.ndarray, min_length: int, window_len: int) -> list[Trajectory]:
    """Contiguous pieces of one recording, in time order. Views: no row is copied, none appears twice."""
    edges = np.round(np.cumsum([0.0, *shares]) * len(trajectory)).astype(int)
    shortest = int(np.diff(edges).min())
    if shortest < min_length:
        raise UserError(
            f"trajectory '{trajectory.name}' has {len(trajectory)} rows, so that its shortest part (train, validation, "
            f"test = {shares.tolist()}) has {shortest}; expected at least {min_length} (a context of {min_length - 1} "
            f"and one to predict): {_smaller(shortest, window_len)}, other data.split_fractions or a longer recording"
        )
    return [trajectory.rows(int(a), int(b)) for a, b in itertools.pairwise(edges)]
