"""What `mts3 data list` and `mts3 data show` print: rows of plain values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mts3.data.core.normalization import moments
from mts3.data.core.stored import row_chunks
from mts3.data.core.trajectory import Dataset
from mts3.data.sets.generators import GENERATED, Recipe
from mts3.data.sets.load import DATASETS, load_dataset
from mts3.errors import UserError


@dataclass(frozen=True)
class Summary:
    """One line about a data set.

    Attributes:
        name: Of the set.
        trajectories, rows: How many; rows over all trajectories.
        obs_dim, action_dim: Channels.
        sample_time: Seconds per step.
        missing: Share of observations that are NaN, 0 to 1.
        attribution: Source and licence.
    """

    name: str
    trajectories: int
    rows: int
    obs_dim: int
    action_dim: int
    sample_time: float
    missing: float
    attribution: str


@dataclass(frozen=True)
class Channel:
    """One line about a channel: `kind` is "obs" or "action"; statistics over all rows that were observed."""

    name: str
    kind: str
    unit: str
    mean: float
    std: float
    min: float
    max: float
    missing: float


def describe(dataset: Dataset) -> Summary:
    """The summary of a data set."""
    rows = sum(len(t) for t in dataset.trajectories)
    missing = sum(int(np.isnan(chunk).sum()) for t in dataset.trajectories for _, chunk in row_chunks(t.obs))
    share = missing / (rows * dataset.obs_dim)
    return _summary(dataset, len(dataset.trajectories), rows, dataset.action_dim, share)


def describe_channels(dataset: Dataset) -> list[Channel]:
    """One row a channel, observations first; one for all the pixels of images."""
    obs, actions = [t.obs for t in dataset.trajectories], [t.actions for t in dataset.trajectories]
    observed = ("obs", dataset.obs_names, dataset.obs_units, obs)
    if dataset.image_shape is not None:
        observed = ("obs", ("image {}x{}x{}".format(*dataset.image_shape),), dataset.obs_units[:1], obs)
    blocks = (observed, ("action", dataset.action_names, dataset.action_units, actions))
    return [
        Channel(name, kind, unit, *map(float, of_channel), missing=1.0 - float(count) / found.rows)
        for kind, names, units, arrays in blocks
        for found in [moments(arrays, len(names))]
        for name, unit, count, *of_channel in zip(
            names, units, found.count, found.mean, found.std, found.min, found.max, strict=True
        )
    ]


def describe_known() -> list[tuple[str, Summary | str]]:
    """(name, summary) of every set known by name; where one is not at hand, what to do takes the summary's place.

    Nothing is generated for it: what a generated set will hold is known before. Its further sizes follow it, called
    "NAME size=SIZE".
    """
    known: list[tuple[str, Summary | str]] = []
    for name in DATASETS:
        if name in GENERATED:
            usual, *others = GENERATED[name].recipes.items()
            known.append((name, _planned(usual[1])))
            known += [(f"{name} size={size}", _planned(recipe)) for size, recipe in others]
            continue
        try:
            known.append((name, describe(load_dataset(name))))
        except UserError as error:
            known.append((name, str(error)))
    return known


def _planned(recipe: Recipe) -> Summary:
    """What `describe` will say once the set is generated."""
    rows = recipe.episodes * recipe.rows
    return _summary(recipe, recipe.episodes, rows, len(recipe.action_names), missing=0.0)


def _summary(of: Dataset | Recipe, trajectories: int, rows: int, action_dim: int, missing: float) -> Summary:
    return Summary(of.name, trajectories, rows, of.obs_dim, action_dim, of.sample_time, missing, of.attribution)
