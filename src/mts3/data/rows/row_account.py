"""What bringing rows onto a grid did to them: what is said of it, and where it is too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mts3.data.rows.clock import TIME_TOLERANCE
from mts3.data.rows.raw import RawTrajectory
from mts3.data.rows.sampling import cause, set_forward
from mts3.errors import UserError

# More rows than this, and than this share of all, are not left out without the user's word.
MOST_LOST, LOST_SHARE = 3, 0.05


class Account(NamedTuple):
    """What became of the rows.

    Attributes:
        rows, points: Rows of the file, and grid points made of them.
        merged: Rows that lie in one step with another one.
        dropped: Of these, rows with an observation that another one took the place of.
        filled: Grid points at which no row lies.
        cuts: Silences at which a trajectory was split.
        alone: Rows that are left out because they stand alone between two silences.
        unknown: Rows that are left out because no action is known before them.
    """

    rows: int = 0
    points: int = 0
    merged: int = 0
    dropped: int = 0
    filled: int = 0
    cuts: int = 0
    alone: int = 0
    unknown: int = 0

    def plus(self, other: Account) -> Account:
        """Both together."""
        return Account(*map(sum, zip(self, other, strict=True)))

    def words(self) -> str:
        """In one line."""
        parts = [
            f"{self.rows} rows in, {self.points} out",
            f"{self.merged} merged with another row in the same step",
            f"{self.filled} step{'s' * (self.filled != 1)} filled with NaN",
            f"{self.cuts} cut{'s' * (self.cuts != 1)} at silences",
        ]
        if self.alone:
            parts.append(f"{self.alone} left out that stand alone between silences")
        if self.unknown:
            parts.append(f"{self.unknown} left out before every action is known")
        return ", ".join(parts)


def refuse_losses(
    account: Account,
    raw: Sequence[RawTrajectory],
    measured: float,
    sample_time: float | None = None,
    max_gap: float | None = None,
) -> None:
    """Nothing where a grid keeps all rows but a few per cent, or leaves out what the user asked it to.

    Args:
        account: What became of the rows.
        raw: The rows, which tell why they lie in one step.
        measured: The step of their clock, in seconds.
        sample_time, max_gap: As the user gave them: a coarser step is known to leave rows out, and so is a gap.

    Raises:
        UserError: saying what would be lost, why, and what to do.
    """
    most = max(MOST_LOST, LOST_SHARE * account.rows)
    coarser = sample_time is not None and sample_time > (1 + TIME_TOLERANCE) * measured
    if account.dropped > most and not coarser:
        why = next(filter(None, map(cause, raw)), None) or (
            "expected to lose at most a few per cent: give a finer sample_time=SECONDS, or a coarser one than "
            f"{measured:g} if that is what you want"
        )
        raise UserError(
            f"resample=true would leave out {account.dropped} of {account.rows} rows, which lie in one step of "
            f"{sample_time or measured:g} s with others; {why}"
        )
    if account.alone > most and max_gap is None:
        raise UserError(
            f"resample=true would leave out {account.alone} of {account.rows} rows, which stand alone between "
            "silences of more than ten steps; give max_gap=SECONDS, the longest silence within a trajectory, or "
            "another sample_time"
        )


def merged_because(raw: Sequence[RawTrajectory]) -> str:
    """What the times tell of rows that were merged and of steps that were filled, in words; "" for nothing."""
    why = next(filter(None, map(cause, raw)), None)
    return f"; {why}" if why is not None else next(filter(None, map(set_forward, raw)), "")
