"""Several data sets with the same channels -> one."""

from __future__ import annotations

from dataclasses import replace

from mts3.data.core.matching import channels_of, matched
from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.errors import UserError


def join(datasets: list[Dataset], name: str) -> Dataset:
    """One data set out of several, in the order of the first one's channels; a unit that one file tells holds for all.

    Trajectories are named FILE/TRAJECTORY where needed.

    Raises:
        UserError: if channels, their units or sampling times differ.
    """
    first = datasets[0]
    for other in datasets[1:]:
        if sorted(other.obs_names) != sorted(first.obs_names) or sorted(other.action_names) != sorted(
            first.action_names
        ):
            raise UserError(
                f"'{first.name}' has the channels {', '.join(first.obs_names + first.action_names)} and '{other.name}' "
                f"{', '.join(other.obs_names + other.action_names)}: give files with the same columns"
            )
    alike = [matched(dataset, channels_of(first), f"'{first.name}'")[0] for dataset in datasets]
    units = [_units([getattr(d, kind) for d in alike]) for kind in ("obs_units", "action_units")]
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


def _units(known: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Of each channel the first unit that is known."""
    return tuple(next(filter(None, units), "") for units in zip(*known, strict=True))
