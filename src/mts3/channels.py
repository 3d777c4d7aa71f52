"""What the channels of a model or a data set are: names, units and rate. They travel with a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Channels:
    """Names and units in the order of the channels.

    Attributes:
        obs_names: (O,).
        action_names: (A,).
        obs_units, action_units: One a channel, "" where unknown.
        sample_time: Seconds per step.
    """

    obs_names: tuple[str, ...]
    action_names: tuple[str, ...]
    obs_units: tuple[str, ...]
    action_units: tuple[str, ...]
    sample_time: float

    def as_json(self) -> dict[str, Any]:
        """The part of model.json that says so."""
        return {
            "obs_names": list(self.obs_names),
            "action_names": list(self.action_names),
            "units": {"obs": list(self.obs_units), "actions": list(self.action_units)},
            "roles": {"obs": list(self.obs_names), "actions": list(self.action_names)},
            "sample_time": self.sample_time,
        }

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> Channels | None:
        """The inverse of `as_json`; None for a model that was saved without them.

        Raises:
            TypeError, KeyError, ValueError: for values of another kind.
        """
        if description.get("obs_names") is None:
            return None
        units, names = description["units"], (description["obs_names"], description["action_names"])
        lists = (*names, units["obs"], units["actions"])
        for entries, beside in zip(lists, (*names, *names), strict=True):
            if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
                raise TypeError(f"{entries!r} is no list of names")
            if len(entries) != len(beside):
                raise ValueError(f"{len(beside)} names and {len(entries)} units")
        sample_time = float(description["sample_time"])
        if not 0 < sample_time < float("inf"):
            raise ValueError(f"sample_time is {sample_time}")
        obs_names, action_names, obs_units, action_units = (tuple(entries) for entries in lists)
        return cls(obs_names, action_names, obs_units, action_units, sample_time)


def same_unit(one: str, other: str) -> bool:
    """Whether two units may be the same: an unknown one may be any."""
    one, other = (unit.strip().strip("[]()").strip() for unit in (one, other))
    return not one or not other or one == other
