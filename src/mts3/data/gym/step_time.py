"""How long a step of an environment takes: by the clock of its simulator where there is one, else a guess.

MuJoCo's simulators count their seconds in `data.time`. Read before and after each step, that includes what wrappers
repeat and skip. Others do not tell. `dt` and `render_fps` of an environment often say something else: the guess takes
them times the steps that gymnasium's TimeLimit counts inside of a step, and is said to be one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from types import ModuleType
from typing import Any

import gymnasium

from mts3.errors import UserError

DEPTH = 2
"""How deep in an environment a simulator is looked for: env.physics.data is 1, env.inner_env.physics.data is 2."""
SAME, NEAR = 0.01, 0.05
"""Steps that differ by less are the same; a sample_time that differs by less is no contradiction."""


class StepTime:
    """Seconds a step.

    Args:
        env: Whose steps are counted.
        given: What the user says; None measures, or guesses.

    Raises:
        UserError: for seconds that are none.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], given: float | None):
        if given is not None and not (math.isfinite(given) and given > 0):
            raise UserError(f"sample_time is {given}; expected seconds per step, > 0")
        self.given = given
        self._guess, self._source = _guess(env)
        self._clock: Callable[[], float] | None = None
        self._steps: Callable[[], float] = lambda: math.nan
        self._within: Counter[float] = Counter()
        self._last: Counter[float] = Counter()

    def look(self, env: gymnasium.Env[Any, Any]) -> None:
        """Find the clock, after each reset: some environments make their simulator anew."""
        self._clock, self._steps = find_clock(env), _step_counter(env)

    def now(self) -> float:
        """Seconds of the simulator's clock, or else steps inside, or NaN where neither is known."""
        return self._steps() if self._clock is None else self._clock()

    def count(self, took: float, over: bool) -> None:
        """A step took so much by `now`; `over` for the last of an episode."""
        if math.isfinite(took):
            seconds = float(f"{took:.9g}")  # what a clock adds up is not exact
            (self._last if over else self._within)[seconds * (self._guess if self._clock is None else 1.0)] += 1

    @property
    def seconds(self) -> float:
        """What the user says, or the clock, or the guess."""
        return self.given or self._median() or self._guess

    def notes(self) -> list[str]:
        """What the user should know about `seconds`, a line each."""
        median = self._median()
        measured = None if self._clock is None else median
        lines = []
        if self.given is None and measured is None:
            repeated = self.seconds / self._guess
            times = "" if repeated == 1 else f" times {repeated:g}, as a wrapper repeats steps"
            lines.append(
                f"sample_time {self.seconds:g} s is a guess, {self._source}{times}: the "
                "environment has no clock that is known here; sample_time=SECONDS says it better"
            )
        if self.given is not None and measured is not None and abs(self.given - measured) > NEAR * measured:
            lines.append(f"sample_time={self.given:g} is kept, but by the simulator's clock a step took {measured:g} s")
        return lines if median is None else [*lines, *self._odd_steps(median)]

    def _odd_steps(self, median: float) -> Iterator[str]:
        steps = self._within + self._last
        odd = [took for took in steps if abs(took - median) > SAME * median]
        if odd:
            between = f"{min(odd):g} s" if len(odd) == 1 else f"{min(odd):g} to {max(odd):g} s"
            at_end = "" if any(took in self._within for took in odd) else ", each at the end of an episode"
            yield (
                f"{sum(steps[took] for took in odd)} of {steps.total()} steps took {between} instead of {median:g} s"
                f"{at_end}; the recording has one sample_time for all"
            )

    def _median(self) -> float | None:
        """Of all steps, in seconds; None if nothing ran.

        Wrappers that skip frames may end an episode in between, so a last step counts only where there is no other.
        """
        steps = self._within or self._last
        ordered = sorted(steps)
        middle = sum(total * 2 <= steps.total() for total in accumulate(steps[took] for took in ordered))
        return ordered[middle] if ordered and ordered[middle] > 0 else None


def find_clock(env: gymnasium.Env[Any, Any]) -> Callable[[], float] | None:
    """What tells the seconds that the simulator in an environment has run: `data.time` of the nearest that holds it."""
    holders: list[Any] = [env.unwrapped]
    for _ in range(DEPTH + 1):
        for holder in holders:
            if math.isfinite(_time(holder)):
                return lambda: _time(holder)
        holders = [inner for holder in holders for inner in _inside(holder)]
    return None


def _inside(holder: Any) -> Iterator[Any]:
    for value in list(getattr(holder, "__dict__", {}).values()):
        if not isinstance(value, ModuleType | type):
            yield value.unwrapped if isinstance(value, gymnasium.Env) else value


def _time(holder: Any) -> float:
    try:
        return float(holder.data.time)
    except Exception:  # whatever the property of a stranger raises
        return math.nan


def _step_counter(env: gymnasium.Env[Any, Any]) -> Callable[[], float]:
    """Steps of the innermost environment in this episode, as TimeLimit counts them."""
    limit = None
    while isinstance(env, gymnasium.Wrapper):
        limit = env if isinstance(env, gymnasium.wrappers.TimeLimit) else limit
        env = env.env
    return lambda: float(getattr(limit, "_elapsed_steps", math.nan))


def _guess(env: gymnasium.Env[Any, Any]) -> tuple[float, str]:
    """Seconds a step, and where they are from."""
    dt, frames = _positive(getattr(env.unwrapped, "dt", None)), _positive((env.metadata or {}).get("render_fps"))
    if dt is not None:
        return dt, "the environment's dt"
    if frames is not None:
        return 1.0 / frames, f"1 / render_fps={frames:g}, the frames a second of the environment's videos"
    return 1.0, "one a step for want of better"


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < math.inf and not isinstance(value, bool | str) else None
