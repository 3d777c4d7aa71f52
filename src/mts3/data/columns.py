"""Which parts of a user's file are observations, actions, time and trajectory."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mts3.errors import UserError

OBS_PREFIXES = ("obs_", "o_")
ACTION_PREFIXES = ("action_", "act_", "a_", "u_")
SECONDS = ("sample_time", "max_gap")
REPAIRS = ("resample", "mask_held", "mask_stuck", "mask_outliers")
KEYS = ("obs", "actions", "reward", "time", "trajectory", *SECONDS, *REPAIRS)
EXAMPLE = "data.columns.obs=[NAME,..] data.columns.actions=[NAME,..]"


@dataclass(frozen=True)
class Columns:
    """A column mapping: names of columns (CSV, Parquet) or of arrays (npz), and what to mend on the way.

    Repairs leave values out and never invent one; they go with every file, also with one that says itself what its
    columns are.

    Attributes:
        obs: Observed channels; () guesses them by name.
        actions: Action channels; () means none, or guesses where obs are guessed.
        reward: Column with the reward of each step; None where the file has none.
        time: Column with the time in seconds, or dates; None where the file has none.
        trajectory: Column that tells one trajectory from another; None where the file is one recording.
        sample_time: Seconds per step; None takes it from the time column, or 1 where there is none.
        resample: Bring irregular times onto a grid of `sample_time` (see `mts3.data.resample`); False refuses them.
        max_gap: With `resample`: seconds without a row that end a trajectory; None: ten steps.
        mask_held: Observe a slow channel only where it was sampled, not where its last value is repeated.
        mask_stuck: Do not observe a channel while its sensor is stuck.
        mask_outliers: Do not observe what jumps away for up to 3 rows and back.
    """

    obs: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    reward: str | None = None
    time: str | None = None
    trajectory: str | None = None
    sample_time: float | None = None
    resample: bool = False
    max_gap: float | None = None
    mask_held: bool = False
    mask_stuck: bool = False
    mask_outliers: bool = False

    @property
    def names_columns(self) -> bool:
        """Whether it says what any column is."""
        return bool(self.obs or self.actions or self.reward or self.time or self.trajectory)

    @classmethod
    def parse(cls, mapping: Mapping[str, Any] | Columns | None) -> Columns:
        """From what a user writes: a dict with some of the names of the attributes as keys.

        `obs` and `actions` are a name or a list of names; a "*" in a name stands for anything.

        Raises:
            UserError: for another key, or a value that names nothing.
        """
        if isinstance(mapping, Columns):
            return mapping
        given = {key: value for key, value in (mapping or {}).items() if value is not None}
        unknown = set(given) - set(KEYS)
        if unknown:
            raise UserError(f"unknown key '{sorted(unknown)[0]}' in the column mapping; expected {', '.join(KEYS)}")
        for key in ("reward", "time", "trajectory"):
            if not isinstance(given.get(key, ""), str):
                raise UserError(f"column mapping {key}={given[key]!r}; expected the name of one column")
        for key in SECONDS:
            value = given.get(key, 1)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise UserError(f"column mapping {key}={value!r}; expected seconds, > 0")
        for key in REPAIRS:
            if not isinstance(given.get(key, False), bool):
                raise UserError(f"column mapping {key}={given[key]!r}; expected true or false")
        if "max_gap" in given and not given.get("resample"):
            raise UserError(f"max_gap={given['max_gap']:g} goes with resample=true; give both or none")
        names = {key: _names(key, given.pop(key, ())) for key in ("obs", "actions")}
        return cls(**names, **given)

    def channels(self, available: Sequence[str], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the observed and the action columns among the `available` ones.

        Raises:
            UserError: if a named column is not there, or if nothing was named and nothing can be guessed.
        """
        if not self.obs:
            obs = tuple(name for name in available if name.lower().startswith(OBS_PREFIXES))
            if not obs:
                raise UserError(
                    f"which columns of {where} are observations? It has {', '.join(available)}; "
                    f"say it with {EXAMPLE}, or call them obs_*, and the actions action_*"
                )
            guessed = tuple(name for name in available if name.lower().startswith(ACTION_PREFIXES))
            return obs, _expand(self.actions, available, where) or guessed
        return _expand(self.obs, available, where), _expand(self.actions, available, where)


def require(name: str, available: Sequence[str], where: str) -> str:
    """`name`, if it is among the `available` columns.

    Raises:
        UserError: with the columns the file has.
    """
    if name not in available:
        raise UserError(f"{where} has no column '{name}'; it has {', '.join(available)}")
    return name


def _names(key: str, value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Sequence) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise UserError(f"column mapping {key}={value!r}; expected a name or a list of names")
    return names


def _expand(patterns: Sequence[str], available: Sequence[str], where: str) -> tuple[str, ...]:
    names: list[str] = []
    for pattern in patterns:
        # "[" is common in headers, as in "speed [m/s]": only "*" is special here.
        found = fnmatch.filter(available, pattern.replace("[", "[[]").replace("?", "[?]")) if "*" in pattern else []
        names += found or [require(pattern, available, where)]
    return tuple(dict.fromkeys(names))
