"""Flaws as plain records, and what each kind means for training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mts3.data.quality.samples import Span


@dataclass(frozen=True)
class Finding:
    """One kind of flaw in one channel of one trajectory.

    Attributes:
        kind: A key of KINDS.
        trajectory: Its name; "" for what holds for all of them.
        channel: Name of the observation or action; "" for what does not belong to one.
        rows: Where, as (first row, row after the last) of the trajectory; () for everywhere.
        words: What was found, without its place, as in "2 times 40 rows of one value".
    """

    kind: str
    trajectory: str
    channel: str
    rows: tuple[Span, ...]
    words: str

    @classmethod
    def at(
        cls, kind: str, trajectory: str, channel: str, rows: np.ndarray, words: str, before: int = 0
    ) -> list[Finding]:
        """One at these rows, each with some `before` it; [] where there are no rows."""
        spans = tuple((int(row) - before, int(row) + 1) for row in rows)
        return [cls(kind, trajectory, channel, spans, words)] if spans else []


@dataclass(frozen=True)
class Kind:
    """A kind of flaw: `title`, what it `means` for training and what to `do`, each a few words."""

    title: str
    means: str
    do: str


# In the order of a report: first what keeps a file from being used at all.
KINDS = {
    "time_missing": Kind(
        "Time stamps missing",
        "a row without a time has no place; the file is refused",
        "leave those rows out, or use sample_time=SECONDS without time=",
    ),
    "time_back": Kind(
        "Time stamps that go back",
        "rows are out of order, or several trajectories follow one another; the file is refused",
        "sort the rows, or name the column that tells trajectories apart with trajectory=NAME",
    ),
    "clock_change": Kind(
        "Clock set back",
        "local times show an hour twice where clocks are set back; the file is refused",
        "write the times in UTC, or with their zone",
    ),
    "time_rounded": Kind(
        "Time stamps too coarse",
        "many rows claim one moment, though each had its own; the file is refused, and resample=true would leave most "
        "of it out",
        "write times with all their digits, or give sample_time=SECONDS without time=",
    ),
    "time_repeated": Kind(
        "Time stamps repeated",
        "two rows claim one moment; the file is refused",
        "leave one out, name the column of trajectories with trajectory=NAME, or take the later one with resample=true",
    ),
    "time_unit": Kind(
        "Time stamps that seem to count in something else than seconds",
        "windows, rates and reports would all be in a wrong unit",
        "say what they count in with time_unit=ms, us, ns, min, h or d",
    ),
    "irregular": Kind(
        "Irregular time stamps",
        "a step of the model would stand for different times; the file is refused",
        "resample=true takes the nearest observation at each step of a regular grid",
    ),
    "time_gap": Kind(
        "Rows missing",
        "the model would take a gap for a single step; the file is refused",
        "resample=true leaves NaN in the gaps, and cuts the trajectory where one is longer than max_gap=SECONDS",
    ),
    "action_first": Kind(
        "No action in the first row",
        "the file seems to give the action that led to each row; expected is the one taken from there on",
        "if so, action_shift=1 takes them from the row below; else fill in the first one",
    ),
    "action_late": Kind(
        "Actions come late",
        "each row seems to hold the action that led to it; a model would act on what has happened already",
        "if it is so, action_shift takes them from the rows below; if a controller computes each action from the "
        "observation beside it, leave them",
    ),
    "action_missing": Kind(
        "Actions missing",
        "the model never guesses what was commanded; the file is refused",
        "give a number in every row; resample=true holds the last one",
    ),
    "action_extra": Kind(
        "One action more than observations",
        "every trajectory ends in a row that observes nothing; the step into it teaches nothing",
        "leave the last row out, or let it be",
    ),
    "infinite": Kind(
        "Infinite values", "no statistics can be taken; the file is refused", "write NaN, or an empty cell, instead"
    ),
    "never_observed": Kind(
        "Never observed", "nothing to learn from; the file is refused", "leave the channel out of obs"
    ),
    "code": Kind(
        "Code for missing",
        "a number that stands for no value counts as one: it widens the scale until all else is flat, and is learned",
        "name it, as in missing=[-999] (mts3 train: data.columns.missing=[-999]): it then counts as not observed",
    ),
    "short": Kind(
        "Too short",
        "two windows and one row to predict do not fit in",
        "choose a smaller window_len, or leave these out with data.skip_short=true",
    ),
    "reset": Kind(
        "Jump in the last row",
        "the last row seems to be read after the system was put back: a motion that no action made",
        "leave the last row of each trajectory out",
    ),
    "stuck": Kind(
        "Stuck sensor",
        "the model learns that the system stops, or that it jumps when the sensor comes back",
        "look at it; mask_stuck=true takes these rows as not observed",
    ),
    "outlier": Kind(
        "Outliers",
        "a few rows that nothing can predict weigh as much as many good ones, and widen all predicted spreads",
        "look at them; mask_outliers=true takes them as not observed",
    ),
    "held": Kind(
        "Slow channel, repeated between its samples",
        "repeats pass for measurements: the model learns to stand still and jump, and is too sure in between",
        "mask_held=true takes the repeats as not observed",
    ),
    "saturated": Kind(
        "Saturated",
        "beyond the limit the truth is not seen; the model learns that the system stops there",
        "if it is the sensor's limit, write NaN there; if the system does stop there, let it be",
    ),
    "wrapped": Kind(
        "Angle that wraps",
        "the model has to learn a jump of a whole turn that nothing makes",
        "give its sine and cosine as two channels, or unwrap it",
    ),
    "coarse": Kind(
        "Too few digits",
        "the file keeps this channel in float32, which is too coarse for how little it moves: motion comes in steps",
        "write it as float64, or subtract an offset before it is written",
    ),
    "constant": Kind("Constant channel", "it tells nothing, and counts as zero", "leave the channel out"),
    "gap": Kind(
        "Not observed",
        "left out of the loss and of the filter: the model predicts across and learns from the rest",
        "nothing; for what is longer than a window the model is blind in this channel",
    ),
}
