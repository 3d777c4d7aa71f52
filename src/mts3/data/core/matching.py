"""A data set meets the channels that a model or another file goes by, in their order; several become one.

Actions that stand in other rows than the one they act from, as some libraries log them, are put where they belong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mts3.channels import Channels, same_unit
from mts3.data.core.stored import Rows
from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.errors import UserError

# Sampling times that differ by less are one rate: clocks jitter.
RATE_TOLERANCE = 0.1


def channels_of(dataset: Dataset) -> Channels:
    """Names, units and rate of a data set."""
    return Channels(
        dataset.obs_names, dataset.action_names, dataset.obs_units, dataset.action_units, dataset.sample_time
    )


def matched(dataset: Dataset, channels: Channels, whose: str) -> tuple[Dataset, tuple[str, ...]]:
    """The data set with just these channels in this order, and names of those it has besides.

    Args:
        dataset: In any order.
        channels: What is asked for.
        whose: For errors, as in "the model was trained on".

    Raises:
        UserError: for a channel that is not there, another unit, or another rate.
    """
    has = (*dataset.obs_names, *dataset.action_names)
    wanted = (*channels.obs_names, *channels.action_names)
    for name in wanted:
        if name not in has:
            raise UserError(
                f"'{dataset.name}' has no channel '{name}': it has {', '.join(has)}, {whose} {', '.join(wanted)}; give "
                "data with channels of the same names"
            )
    units = dict(zip(has, (*dataset.obs_units, *dataset.action_units), strict=True))
    for name, unit in zip(wanted, (*channels.obs_units, *channels.action_units), strict=True):
        if not same_unit(units[name], unit):
            raise UserError(
                f"channel '{name}' of '{dataset.name}' is in {units[name]}, {whose} {unit}; expected one unit: convert "
                "it"
            )
    if not np.isclose(dataset.sample_time, channels.sample_time, rtol=RATE_TOLERANCE, atol=0.0):
        how = (
            f"resample it with resample=true sample_time={channels.sample_time:g} (mts3 train and evaluate: "
            "data.columns.resample=true ..)"
            if dataset.sample_time < channels.sample_time
            else "between its rows nothing was measured, so that no repair helps; if its rate is wrong, say "
            "sample_time=SECONDS or name its time column"
        )
        raise UserError(
            f"'{dataset.name}' is sampled every {dataset.sample_time:g} s, {whose} {channels.sample_time:g} s; "
            f"expected one rate: {how}"
        )
    if (dataset.obs_names, dataset.action_names) == (channels.obs_names, channels.action_names):
        return dataset, ()
    return with_channels(dataset, channels.obs_names, channels.action_names), tuple(n for n in has if n not in wanted)


def with_channels(dataset: Dataset, obs: Sequence[str], actions: Sequence[str]) -> Dataset:
    """A data set of some of the channels; one of the actions may become an observation, and the reverse."""
    names = [*dataset.obs_names, *dataset.action_names]
    units = [*dataset.obs_units, *dataset.action_units]
    number = {name: place for place, name in enumerate(names)}
    places = [[number[name] for name in part] for part in (obs, actions)]
    trajectories: list[Trajectory] = []
    for trajectory in dataset.trajectories:
        every = np.concatenate([trajectory.obs, trajectory.actions], axis=1)
        trajectories.append(replace(trajectory, obs=every[:, places[0]], actions=every[:, places[1]]))
    return replace(
        dataset,
        trajectories=tuple(trajectories),
        obs_names=tuple(obs),
        action_names=tuple(actions),
        obs_units=tuple(units[i] for i in places[0]),
        action_units=tuple(units[i] for i in places[1]),
    )


def join(datasets: list[Dataset], name: str) -> Dataset:
    """One data set out of several, in the order of the first one's channels; a unit that one file tells holds for all.

    Trajectories are named FILE/TRAJECTORY where needed.

    Raises:
        UserError: if channels, their units or sampling times differ.
    """
    first = datasets[0]
    for other in datasets[1:]:
        if any(sorted(getattr(other, kind)) != sorted(getattr(first, kind)) for kind in ("obs_names", "action_names")):
            raise UserError(
                f"'{first.name}' has the channels {', '.join(first.obs_names + first.action_names)} and '{other.name}' "
                f"{', '.join(other.obs_names + other.action_names)}: give files with the same columns"
            )
    alike = [matched(dataset, channels_of(first), f"'{first.name}'")[0] for dataset in datasets]
    # Of each channel the first unit that is known.
    units = [
        tuple(next(filter(None, known), "") for known in zip(*(getattr(d, kind) for d in alike), strict=True))
        for kind in ("obs_units", "action_units")
    ]
    first = replace(first, name=name, obs_units=units[0], action_units=units[1])
    if len(datasets) == 1:
        return first
    trajectories: list[Trajectory] = []
    test_names: list[str] = []
    for number, dataset in enumerate(alike):
        # Files of one name in several folders stay apart by their number.
        repeated = sum(other.name == dataset.name for other in datasets) > 1
        prefix = f"{dataset.name}.{number}" if repeated else dataset.name
        rename = {t.name: prefix if t.name == dataset.name else f"{prefix}/{t.name}" for t in dataset.trajectories}
        trajectories += [replace(t, name=rename[t.name]) for t in dataset.trajectories]
        test_names += [rename[test] for test in dataset.test_names]
    return replace(
        first,
        trajectories=tuple(trajectories),
        test_names=tuple(test_names),
        attribution="\n".join(dict.fromkeys(d.attribution for d in datasets if d.attribution)),
    )


def aligned(obs: Rows, actions: Rows, reward: Rows | None, shift: int, name: str) -> tuple[Rows, Rows, Rows | None]:
    """The rows that have their action, (n, O), and these actions, (n - 1, A) or (n, A): the last one acts on nothing.

    A reward stays in its row.

    Args:
        obs: (T, O) of one trajectory.
        actions: (T - 1, A), (T, A) or (T + 1, A); the action between rows t and t+1 stands in row t + `shift`.
        reward: (T,) or (T - 1,), or None.
        shift: In rows; 0 changes nothing.
        name: Of the trajectory.

    Raises:
        UserError: if fewer than 2 rows would be left.
    """
    if shift == 0:
        return obs, actions, reward
    first = max(0, -shift)
    steps = min(len(actions) - max(0, shift), len(obs) - 1 - first)
    if steps < 1:
        raise UserError(
            f"action_shift={shift} leaves nothing of trajectory '{name}', which has {len(obs)} rows; expected the "
            "number of rows by which its actions come late"
        )
    # Actions that come early reach to the last row, too, where they act on nothing.
    moved = actions[max(0, shift) : max(0, shift) + steps + (shift < 0)]
    rows = slice(first, first + steps + 1)
    return obs[rows], moved, None if reward is None else reward[rows]


def align(dataset: Dataset, shift: int) -> Dataset:
    """The same for every trajectory of a data set.

    Raises:
        UserError: if nothing would be left of one of them.
    """
    if shift == 0:
        return dataset
    moved = []
    for t in dataset.trajectories:
        obs, actions, reward = aligned(t.obs, t.actions, t.reward, shift, t.name)
        moved.append(replace(t, obs=obs, actions=actions, reward=reward))
    return replace(dataset, trajectories=tuple(moved))
