"""Flaws of one channel, found in its values alone: held, stuck, outliers, saturated, wrapped, reset, gaps.

Every rule compares a channel with itself over all trajectories, through medians and quantiles, so that a few flawed
rows do not hide themselves and no unit or rate is assumed. Where a rest of the system and a flaw look alike the rule
stays silent: an arm that is not commanded reads the same number for minutes, a quantised sensor repeats itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mts3.data.quality.samples import Samples, Scale, Span

# Stuck: one value for this many samples, and this many times as long as 95 % of the channel's runs of one value.
STUCK_SAMPLES, STUCK_RATIO = 20, 10
# A motion that comes to rest slows down before, a sensor that sticks does not: the step at one end of the run is this
# share of the channel's median step, this share of the median of the 8 steps beyond it, and more than flicker in the
# last digits. Where more than this share of the shorter runs repeat a value, the channel is quantised, slow or given to
# rests, and the step has to be large.
ABRUPT, ABRUPT_BESIDE, BESIDE, FLICKER = 0.25, 0.35, 8, 4
ABRUPT_AFTER_REPEATS, REPEAT_SHARE = 2.0, 0.05
# Where more trajectories than this share show one value throughout, the channel rests by nature.
REST_SHARE = 0.2
# Outliers: up to 3 samples away and back, alike to a quarter of the jump (a pulse of motion is not), with both steps
# beyond 6 standard deviations of the channel's steps (8.5 of its values where these are white noise) and beyond 3 times
# the third largest step of the 8 on either side.
OUTLIER_SAMPLES, OUTLIER_SIZE, OUTLIER_LOCAL, OUTLIER_NEAR = 3, 6.0, 3.0, 8
# It is that of a normal variable with the same 90 % quantile of sizes: bursts of motion count, spikes hardly.
SIZE_QUANTILE, NORMAL_QUANTILE = 0.9, 1.645
# More rows than this, and than this share, make spikes the nature of a channel, as of a contact force.
OUTLIER_ROWS, OUTLIER_SHARE = 10, 0.01
# Reset: the last step of this share of trajectories, at least 3, is beyond twice 99.9 % of all others.
RESET_SHARE, RESET_TRAJECTORIES, RESET_RATIO, RESET_QUANTILE = 0.05, 3, 2.0, 0.999
# Held: this share of the runs of one value are n or n + 1 rows long, or a multiple of n; from this many runs on.
HELD_SHARE, HELD_RUNS = 0.8, 20
# Saturated: the largest or smallest value takes this share of the samples, at least 10, is 5 times as frequent as the
# value beside it, and the channel has at least 20 values. 0 is the natural end of rain, light or speed.
LIMIT_SHARE, LIMIT_SAMPLES, LIMIT_RATIO, LIMIT_VALUES = 0.005, 10, 5, 20
# A gap: more than this many times the usual distance between two samples.
GAP_RATIO = 1.5
# Wrapped: steps are below a quarter of a turn, 99 % of those below a twelfth, or miss a whole turn by little.
TURNS = (2 * math.pi, 360.0)


def channel_flaws(values: Sequence[np.ndarray]) -> dict[str, list[list[Span]]]:
    """Spans of rows by kind of flaw: held, stuck, outlier, saturated, wrapped, reset; for each trajectory.

    Args:
        values: The channel in each trajectory, (T_i,), NaN = not observed.
    """
    found = {"held": held(values)}
    samples = _samples_without(values, found["held"])
    scale = Scale.of(samples)
    if scale is None:  # constant, or never observed twice in a row
        return found
    found["wrapped"] = wrapped(samples)
    found["reset"] = resets(samples) if not any(found["wrapped"]) else [[] for _ in values]
    found["outlier"] = outliers(samples, scale) if not any(found["wrapped"]) else [[] for _ in values]
    # A spike would cut a rest in two, with abrupt ends.
    left_out = [[*a, *b] for a, b in zip(found["held"], found["outlier"], strict=True)]
    samples = _samples_without(values, left_out)
    found["saturated"] = saturated(samples, scale)
    found["stuck"] = stuck(samples, scale) if not any(found["saturated"]) else [[] for _ in values]
    return found


def held(values: Sequence[np.ndarray]) -> list[list[Span]]:
    """Rows that repeat the last sample of a slow channel.

    A quantised ramp also changes every n-th row, but always by one quantum: it is no slow channel.
    """
    samples = [Samples.of(array) for array in values]
    runs = [s.runs() for s in samples]
    # The first and the last run of a trajectory are cut off.
    lengths = np.concatenate([np.diff(s.rows[start])[1:] for s, (start, _) in zip(samples, runs, strict=True)])
    scale = Scale.of(samples)
    if len(lengths) < HELD_RUNS or scale is None or np.median(lengths) < 2:
        return [[] for _ in values]
    period = int(np.median(lengths))
    if np.mean(np.isin(lengths, (period - 1, period))) > np.mean(np.isin(lengths, (period, period + 1))):
        period -= 1
    regular = np.isin(lengths, (period, period + 1)) | (lengths % period == 0)
    one_quantum = np.mean(scale.moving <= 1.5 * scale.quantum) > 0.5
    if period < 2 or regular.mean() < HELD_SHARE or one_quantum:
        return [[] for _ in values]
    usual = lengths[np.isin(lengths, (period, period + 1))].mean()
    found: list[list[Span]] = []
    for s, (start, stop), array in zip(samples, runs, values, strict=True):
        first = s.rows[start]
        length = np.diff(np.r_[first, len(array)])
        # A value that came twice by chance was sampled twice.
        sampled = np.maximum(1, np.round(length / usual))
        run = np.repeat(np.arange(len(start)), stop - start)
        sample = np.floor((s.rows - first[run]) / length[run] * sampled[run])
        found.append(spans_of(s.rows[1:][(np.diff(run) == 0) & (np.diff(sample) == 0)]))
    return found


def stuck(samples: Sequence[Samples], scale: Scale) -> list[list[Span]]:
    """Long runs of one value that begin or end in the middle of a motion."""
    runs = [s.runs() for s in samples]
    lengths = np.concatenate([stop - start for start, stop in runs])
    least = max(STUCK_SAMPLES, STUCK_RATIO * np.quantile(lengths, 0.95))
    repeats = np.mean(lengths[lengths < least] > 1) > REPEAT_SHARE
    edge = max((ABRUPT_AFTER_REPEATS if repeats else ABRUPT) * scale.step, FLICKER * scale.quantum)
    found: list[list[Span]] = [[] for _ in samples]
    throughout: list[int] = []
    rests = repeats
    for number, (s, (start, stop)) in enumerate(zip(samples, runs, strict=True)):
        for a, b in zip(start[stop - start >= least], stop[stop - start >= least], strict=True):
            if a == 0 and b == len(s.rows):
                throughout.append(number)
            elif _abruptness(s, a, b) >= edge:
                found[number].append(s.span(a, b))
            else:
                rests = True
    if not rests and len(throughout) <= REST_SHARE * len(samples):
        for number in throughout:
            found[number].append(samples[number].span(0, len(samples[number].rows)))
    return found


def _abruptness(s: Samples, first: int, end: int) -> float:
    """The larger of the two steps that bound a run of one value, of a motion that does not slow down there.

    A step across a gap, or with less than three beyond it, tells nothing and counts as 0.
    """
    sizes = np.where(s.near, np.abs(s.steps), 0.0)
    bounding = [(first - 1, sizes[max(0, first - 1 - BESIDE) : first - 1])] if first > 0 else []
    if end < len(s.rows):
        bounding.append((end - 1, sizes[end : end + BESIDE]))
    return max(
        float(sizes[i]) if len(beside) > 2 and sizes[i] >= ABRUPT_BESIDE * np.median(beside) else 0.0
        for i, beside in bounding
    )


def outliers(samples: Sequence[Samples], scale: Scale) -> list[list[Span]]:
    """Up to three samples that jump away from their surroundings and back (Hampel's rule, on steps)."""
    least = OUTLIER_SIZE * float(np.quantile(scale.moving, SIZE_QUANTILE)) / NORMAL_QUANTILE
    found = [_outliers(s, least) for s in samples]
    rows = sum(b - a for spans in found for a, b in spans)
    if rows > max(OUTLIER_ROWS, OUTLIER_SHARE * sum(len(s.rows) for s in samples)):
        return [[] for _ in samples]
    return found


def _outliers(s: Samples, least: float) -> list[Span]:
    steps = np.where(s.near, s.steps, 0.0)
    spans: list[Span] = []
    for width in range(1, OUTLIER_SAMPLES + 1):
        away, back = steps[:-width], steps[width:]
        size = np.minimum(np.abs(away), np.abs(back))
        comes_back = np.abs(s.values[width + 1 :] - s.values[: -width - 1]) <= size / 2
        for a in np.flatnonzero((away * back < 0) & (size > least) & comes_back):
            apart = s.values[a + 1 : a + width + 1]
            before = steps[max(0, a - OUTLIER_NEAR) : a]
            after = steps[a + width + 1 : a + width + 1 + OUTLIER_NEAR]
            others = np.sort(np.abs(np.concatenate([before, after])))
            stands_out = len(others) > 2 and size[a] > OUTLIER_LOCAL * others[-3]
            if stands_out and np.ptp(apart) <= size[a] / 4:
                spans.append(s.span(int(a) + 1, int(a) + width + 1))
    # The same rows in order, spans that overlap as one.
    return spans_of(np.unique(np.concatenate([np.arange(a, b) for a, b in spans]))) if spans else []


def saturated(samples: Sequence[Samples], scale: Scale) -> list[list[Span]]:
    """Rows at the largest or smallest value, where it cuts the signal off."""
    every = np.concatenate([s.values for s in samples])
    values, counts = np.unique(every, return_counts=True)
    found: list[list[Span]] = [[] for _ in samples]
    if len(values) < LIMIT_VALUES:
        return found
    for limit, next_to in ((0, 1), (-1, -2)):
        often = counts[limit] >= max(LIMIT_SAMPLES, LIMIT_SHARE * len(every), LIMIT_RATIO * counts[next_to])
        if not often or values[limit] == 0:
            continue
        edges: list[float] = []
        spans: list[list[Span]] = []
        for s in samples:
            start, stop = s.runs()
            at = s.values[start] == values[limit]
            edges += [_abruptness(s, a, b) for a, b in zip(start[at], stop[at], strict=True)]
            spans.append([s.span(a, b) for a, b in zip(start[at], stop[at], strict=True)])
        if len(edges) >= 3 and np.median(edges) >= ABRUPT * scale.step:
            found = [a + b for a, b in zip(found, spans, strict=True)]
    return found


def wrapped(samples: Sequence[Samples]) -> list[list[Span]]:
    """The two rows of each jump by a whole turn, 2 pi or 360, where no other step is a quarter of it."""
    every = np.concatenate([s.values for s in samples])
    steps = np.concatenate([np.abs(s.steps[s.near]) for s in samples])
    for turn in TURNS:
        jumps = steps > turn / 4
        usual = np.quantile(steps[~jumps], 0.99) if not jumps.all() else turn
        whole = steps[jumps] >= turn - max(4 * usual, turn / 50)
        if jumps.any() and np.ptp(every) <= 1.001 * turn and usual < turn / 12 and whole.all():
            rows = [np.flatnonzero(s.near & (np.abs(s.steps) > turn / 4)) for s in samples]
            return [[s.span(int(a), int(a) + 2) for a in at] for s, at in zip(samples, rows, strict=True)]
    return [[] for _ in samples]


def resets(samples: Sequence[Samples]) -> list[list[Span]]:
    """The last row of trajectories, where it often jumps: read after the system had been put back to its start."""
    long = [s for s in samples if len(s.steps) > 2]
    if len(long) < RESET_TRAJECTORIES:
        return [[] for _ in samples]
    inner = np.concatenate([np.abs(s.steps[:-1][s.near[:-1]]) for s in long])
    least = RESET_RATIO * np.quantile(inner, RESET_QUANTILE)
    jumps = [len(s.steps) > 2 and bool(s.near[-1]) and abs(s.steps[-1]) > least for s in samples]
    if sum(jumps) < max(RESET_TRAJECTORIES, RESET_SHARE * len(samples)):
        return [[] for _ in samples]
    return [[s.span(len(s.rows) - 1, len(s.rows))] if jump else [] for s, jump in zip(samples, jumps, strict=True)]


def gaps(values: np.ndarray) -> list[Span]:
    """Runs of NaN in one trajectory, (T,), that are longer than the usual distance of its samples."""
    rows = np.flatnonzero(~np.isnan(values))
    if len(rows) == 0:
        return [(0, len(values))]
    # Before the first and after the last sample as between two.
    ends = np.r_[-1, rows, len(values)]
    usual = np.median(np.diff(rows)) if len(rows) > 1 else 1
    wide = np.flatnonzero(np.diff(ends) > GAP_RATIO * usual)
    return [(int(ends[i]) + 1, int(ends[i + 1])) for i in wide]


def _samples_without(values: Sequence[np.ndarray], spans: Sequence[list[Span]]) -> list[Samples]:
    kept = [array.astype(np.float64) for array in values]
    for array, left_out in zip(kept, spans, strict=True):
        for first, end in left_out:
            array[first:end] = np.nan
    return [Samples.of(array) for array in kept]


def spans_of(rows: np.ndarray) -> list[Span]:
    """Runs of neighbouring row numbers; `rows` increase."""
    if len(rows) == 0:
        return []
    cuts = np.flatnonzero(np.diff(rows) > 1)
    return [
        (int(a), int(b) + 1) for a, b in zip(rows[np.r_[0, cuts + 1]], rows[np.r_[cuts, len(rows) - 1]], strict=True)
    ]
