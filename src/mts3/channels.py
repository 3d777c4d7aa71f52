"""What the channels of a model or a data set are: names, units and rate. They travel with a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mts3.run_layout import DESCRIPTION


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
            ValueError: for a part that is missing or of another kind.
        """
        if "obs_names" not in description:
            return None
        units = description.get("units")
        if not isinstance(units, dict):
            raise ValueError(f"{DESCRIPTION} has units {units!r}; expected those of obs and of actions")
        obs_names, action_names = (_texts(description.get(key), key) for key in ("obs_names", "action_names"))
        obs_units, action_units = (_texts(units.get(key), f"units of {key}") for key in ("obs", "actions"))
        for names, beside in ((obs_names, obs_units), (action_names, action_units)):
            if len(names) != len(beside) or len(set(names)) != len(names):
                raise ValueError(f"{DESCRIPTION} has the names {', '.join(names)} and {len(beside)} units")
        sample_time = description.get("sample_time")
        if isinstance(sample_time, bool) or not isinstance(sample_time, int | float) or not 0 < sample_time < math.inf:
            raise ValueError(f"{DESCRIPTION} has sample_time {sample_time!r}; expected seconds per step")
        return cls(obs_names, action_names, obs_units, action_units, float(sample_time))


def _texts(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{DESCRIPTION} has {what} {value!r}; expected a list of text")
    return tuple(value)


def same_unit(one: str, other: str) -> bool:
    """Whether two units may be the same: an unknown one may be any."""
    one, other = (unit.strip().strip("[]()").strip() for unit in (one, other))
    return not one or not other or one == other
