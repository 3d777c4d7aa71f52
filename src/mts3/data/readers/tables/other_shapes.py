"""Tables of another shape: a row for each sensor at each time, or several trajectories that nobody told apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mts3.data.rows.cells import bare
from mts3.data.rows.clock import read_clock
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

# As `_plain` has them. A column of robots or runs is called otherwise.
SENSORS = frozenset(
    {"sensor", "sensorid", "sensorname", "variable", "variablename", "tag", "tagid", "tagname", "signal", "signalname"}
    | {"channel", "channelname", "parameter", "metric", "measurement", "quantity", "pointname", "field", "name"}
)
VALUES = frozenset({"value", "val", "reading", "values", "numericvalue", "measurementvalue", "valuedouble"})
MOST_SENSORS, MOST_TRAJECTORIES = 1000, 10_000


def refuse_long_form(
    path: Path,
    available: Sequence[str],
    load: Callable[[list[str]], Mapping[str, np.ndarray]],
    obs: Sequence[str],
    columns: Columns,
) -> None:
    """Nothing for a table with a row a step.

    Args:
        path: For the error.
        available: All columns.
        load: Reads the named ones.
        obs: The observed ones.
        columns: The user's mapping.

    Raises:
        UserError: where times come again and again, each time for another sensor.
    """
    sensors = [name for name in available if _plain(name) in SENSORS and name != columns.trajectory]
    if len(sensors) != 1 or len(columns.time) != 1 or len(obs) != 1 or _plain(obs[0]) not in VALUES:
        return
    sensor, time = sensors[0], columns.time[0]
    data = load([sensor, time])
    names, times = data[sensor].tolist(), data[time].tolist()
    kinds = list(dict.fromkeys(names))
    in_turn = len(set(times)) < len(times) == len(set(zip(times, names, strict=True)))
    if in_turn and 1 < len(kinds) <= MOST_SENSORS:
        shown = ", ".join(map(str, kinds[:3])) + (", .." if len(kinds) > 3 else "")
        raise UserError(
            f"{path} has a row for each '{sensor}' at each time ({len(kinds)} of them: {shown}), all in column "
            f"'{obs[0]}'; expected a row a time and a column a channel: turn it around, with pandas "
            f'df.pivot(index="{time}", columns="{sensor}", values="{obs[0]}").to_csv("wide.csv")'
        )


def _plain(name: str) -> str:
    """Without case, blanks, "_", "-" and a unit in brackets."""
    return re.sub(r"[_-]|[\[(].*", "", bare(name))


def trajectory_column(
    times: np.ndarray, unused: Sequence[str], load: Callable[[list[str]], Mapping[str, np.ndarray]]
) -> str | None:
    """The first unused column whose values part the rows into trajectories of regular times; None for none.

    Args:
        times: (R,) seconds, which are not regular all together.
        unused: Columns that are nothing else.
        load: Reads the named ones.
    """
    for name in unused:
        _, which, counts = np.unique(load([name])[name].astype(np.str_), return_inverse=True, return_counts=True)
        if not 1 < len(counts) <= min(MOST_TRAJECTORIES, len(times) // 3) or counts.min() < 3:
            continue
        order = np.argsort(which, kind="stable")
        if all(_regular(own) for own in np.split(times[order], np.cumsum(counts)[:-1])):
            return name
    return None


def _regular(times: np.ndarray) -> bool:
    return bool((np.diff(times) > 0).all()) and read_clock(times).regular
