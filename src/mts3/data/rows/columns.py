"""Which parts of a user's file are observations, actions, time and trajectory."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mts3.errors import UserError

OBS_PREFIXES = ("obs_", "o_")
ACTION_PREFIXES = ("action_", "act_", "a_", "u_")
# Keys by what their values are: names or a list of them, text, seconds, a whole number, true or false.
LISTS = ("obs", "actions", "time", "missing")
TEXTS = ("reward", "trajectory", "time_unit", "time_format", "decimal", "thousands")
SECONDS = ("sample_time", "max_gap")
WHOLE = ("action_shift",)
REPAIRS = ("resample", "mask_held", "mask_stuck", "mask_outliers")
KEYS = (*LISTS, *TEXTS, *SECONDS, *WHOLE, *REPAIRS)
# What a number may be written with; a space stands for the thin and the unbreakable one, too.
MARKS = {"decimal": (".", ","), "thousands": (",", ".", " ", "'", "_")}
# Seconds in what a time column counts in.
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
EXAMPLE = "obs=[NAME,..] actions=[NAME,..] (mts3 train: data.columns.obs=[NAME,..])"


@dataclass(frozen=True)
class Columns:
    """A column mapping: names of columns (CSV, Parquet) or of arrays (npz), and how they are written.

    Repairs leave values out and never invent one; they go with every file, also with one that says itself what its
    columns are.

    Attributes:
        obs: Observed channels; () guesses them by name.
        actions: Action channels; () means none, or guesses where obs are guessed.
        time: The column with the time in seconds, or dates; two columns are a date and a time of day; () where the
            file has none.
        missing: What stands for "not observed" besides empty cells and the usual words, as in ("-200", "Bad").
        reward: Column with the reward of each step; None where the file has none.
        trajectory: Column that tells one trajectory from another; None where the file is one recording.
        time_unit: What a column of numbers counts in, one of TIME_UNITS; None recognises it or takes seconds.
        time_format: How dates are written, as in "%d.%m.%Y %H:%M:%S"; None recognises it.
        decimal, thousands: The decimal mark, "." or ",", and what groups thousands, of numbers written as text; None
            recognises them.
        sample_time: Seconds per step; None takes it from the time column, or 1 where there is none.
        max_gap: With `resample`: seconds without a row that end a trajectory; None: ten steps.
        action_shift: Rows by which actions come late: the action between rows t and t+1 stands in row t + action_shift.
        resample: Bring irregular times onto a grid of `sample_time` (`mts3.data.rows.resample`); False refuses them.
        mask_held: Observe a slow channel only where it was sampled, not where its last value is repeated.
        mask_stuck: Do not observe a channel while its sensor is stuck.
        mask_outliers: Do not observe what jumps away for up to 3 rows and back.
    """

    obs: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    reward: str | None = None
    trajectory: str | None = None
    time_unit: str | None = None
    time_format: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    sample_time: float | None = None
    max_gap: float | None = None
    action_shift: int = 0
    resample: bool = False
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

        `obs`, `actions`, `time` and `missing` are a name or a list; a "*" in a name stands for anything.

        Raises:
            UserError: for another key, or a value that names nothing.
        """
        if isinstance(mapping, Columns):
            return mapping
        if mapping is not None and not isinstance(mapping, Mapping):
            raise UserError(
                f"column mapping {mapping!r}; expected keys with values, as in {{'obs': ['x'], 'time': 't'}}"
            )
        given = {key: value for key, value in (mapping or {}).items() if value is not None}
        unknown = set(given) - set(KEYS)
        if unknown:
            raise UserError(f"unknown key '{sorted(unknown)[0]}' in the column mapping; expected {', '.join(KEYS)}")
        for keys, kind, expected in (
            (TEXTS, str, "one word"),
            (SECONDS, int | float, "seconds, > 0"),
            (WHOLE, int, "a whole number of rows"),
            (REPAIRS, bool, "true or false"),
        ):
            for key, value in ((key, given[key]) for key in keys if key in given):
                fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
                if not fits or (keys is SECONDS and not 0 < value < float("inf")):
                    raise UserError(f"column mapping {key}={value!r}; expected {_TEXT.get(key, expected)}")
        lists = {key: _names(key, given.pop(key, ())) for key in LISTS}
        columns = cls(**lists, **given)
        columns._check_together()
        return columns

    def _check_together(self) -> None:
        if self.max_gap is not None and not self.resample:
            raise UserError(f"max_gap={self.max_gap:g} goes with resample=true; give both or none")
        for key, choices in (*MARKS.items(), ("time_unit", tuple(TIME_UNITS))):
            value = getattr(self, key)
            if value is not None and value not in choices:
                raise UserError(f"column mapping {key}={value!r}; expected one of {'  '.join(choices)}")
        if self.decimal is not None and self.decimal == self.thousands:
            raise UserError(f"decimal and thousands are both '{self.decimal}'; a number is written with two signs")
        if self.time_unit is not None and self.time_format is not None:
            raise UserError("time_unit is for numbers and time_format for dates; give one of them")
        if not self.time and (self.time_unit or self.time_format):
            raise UserError("time_unit and time_format say how the time is written; name its column with time=NAME")

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
            return self._apart(obs, self._expanded(self.actions, available, where, obs) or guessed, where)
        # A name stands above a pattern: obs=[x] actions=[*] acts on everything else.
        named = {name for name in (*self.obs, *self.actions) if "*" not in name}
        obs = self._expanded(self.obs, available, where, set(self.actions) & named)
        return self._apart(obs, self._expanded(self.actions, available, where, obs), where)

    def _expanded(
        self, patterns: Sequence[str], available: Sequence[str], where: str, excluded: Collection[str]
    ) -> tuple[str, ...]:
        """The names that are meant; those of time, trajectory and reward, and `excluded` ones, are in no pattern."""
        others = {*self.time, self.trajectory, self.reward, *excluded}
        names: list[str] = []
        for pattern in patterns:
            if pattern in available or "*" not in pattern:
                names.append(require(pattern, available, where))
                continue
            # "[" is common in headers, as in "speed [m/s]": only "*" is special here.
            found = fnmatch.filter(available, pattern.replace("[", "[[]").replace("?", "[?]"))
            names += [name for name in found if name not in others]
            if not found:
                require(pattern, available, where)
        return tuple(dict.fromkeys(names))

    def _apart(
        self, obs: tuple[str, ...], actions: tuple[str, ...], where: str
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Both, if no column has two roles."""
        roles = {"an observation": obs, "an action": actions, "the time": self.time}
        roles |= {"the reward": (self.reward,), "the trajectory": (self.trajectory,)}
        named: dict[str, str] = {}
        for role, names in roles.items():
            for name in names:
                if name is not None and name in named:
                    raise UserError(
                        f"column '{name}' of {where} is named as {named[name]} and as {role}; expected one of them: a "
                        "model that acts on what it predicts knows the answer"
                    )
                if name is not None:
                    named[name] = role
        return obs, actions


_TEXT = {
    "reward": "the name of one column",
    "trajectory": "the name of one column",
    "time_format": "a format such as %d.%m.%Y %H:%M",
}


def require(name: str, available: Sequence[str], where: str) -> str:
    """`name`, if it is among the `available` columns.

    Raises:
        UserError: with the columns the file has.
    """
    if name not in available:
        raise UserError(f"{where} has no column '{name}'; it has {', '.join(available)}")
    return name


def _names(key: str, value: Any) -> tuple[str, ...]:
    given = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    # Headers and codes may be numbers: what is written without quotes arrives as one.
    if any(isinstance(name, bool) or not isinstance(name, str | int | float) for name in given):
        raise UserError(f"column mapping {key}={value!r}; expected a name or a list of names")
    return tuple(map(str, given))
