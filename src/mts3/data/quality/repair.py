"""Take flawed observations as not observed, where the user asks for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from mts3.data.core.trajectory import Dataset
from mts3.data.quality.channel_flaws import channel_flaws
from mts3.data.rows.codes import Codes, Counts
from mts3.data.rows.columns import Columns
from mts3.data.rows.raw import RawDataset, RawTrajectory, RefusedRows
from mts3.errors import UserError

# Repair -> the kind of flaw it leaves out.
MASKS = {"mask_held": "held", "mask_stuck": "stuck", "mask_outliers": "outlier"}


def without_codes(dataset: Dataset, codes: Codes) -> tuple[Dataset, Counts]:
    """The data set with NaN for the numbers that are codes for missing, and how many there were.

    Readers of rows with times have left them out before, so that nothing was resampled to them.

    Raises:
        RefusedRows: a UserError that carries the rows, where an action is missing or nothing is left of a channel.
    """
    raw: list[RawTrajectory] = []
    total: Counts = Counter()
    names = dataset.obs_names, dataset.action_names
    for t in dataset.trajectories:
        own, counts = RawTrajectory(t.name, t.obs, t.actions, None, t.reward).without_codes(codes, *names)
        raw.append(own)
        total += counts
    if not total:
        return dataset, total
    recording = RawDataset(dataset.name, tuple(raw), *names, dataset.sample_time)
    try:
        return replace(dataset, trajectories=recording.sound_trajectories()), total
    except UserError as error:
        raise RefusedRows(str(error), recording) from error


def mask_with_notes(dataset: Dataset, columns: Columns) -> tuple[Dataset, tuple[str, ...]]:
    """The data set with NaN for the observations that `columns` asks to leave out, and a line that counts them.

    No value is changed or invented. Flaws are found as `mts3 data check` finds them, with all trajectories and all rows
    of each at hand: a model that runs online later on meets them unmasked.

    Args:
        dataset: As read.
        columns: Its mask_held, mask_stuck and mask_outliers count.

    Raises:
        UserError: for images.
    """
    wanted = [kind for repair, kind in MASKS.items() if getattr(columns, repair)]
    if not wanted:
        return dataset, ()
    if dataset.image_shape is not None:
        raise UserError(
            f"'{dataset.name}' holds images; {', '.join(MASKS)} are for channels of sensors: leave them out"
        )
    obs = [np.array(trajectory.obs) for trajectory in dataset.trajectories]
    for channel in range(dataset.obs_dim):
        flaws = channel_flaws([array[:, channel] for array in obs])
        for kind in wanted:
            for array, spans in zip(obs, flaws.get(kind, [[]] * len(obs)), strict=True):
                for first, end in spans:
                    array[first:end, channel] = np.nan
    trajectories = tuple(replace(t, obs=array) for t, array in zip(dataset.trajectories, obs, strict=True))
    masked = replace(dataset, trajectories=trajectories)
    return masked, (_counted(dataset, masked, columns),)


def _counted(before: Dataset, after: Dataset, columns: Columns) -> str:
    observed, kept = (
        np.sum([(~np.isnan(t.obs)).sum(0) for t in dataset.trajectories], axis=0) for dataset in (before, after)
    )
    counts = [f"{name} {n}" for name, n in zip(before.obs_names, observed - kept, strict=True) if n]
    asked = ", ".join(repair for repair in MASKS if getattr(columns, repair))
    total = f"{(observed - kept).sum()} of {observed.sum()} observations left out"
    return f"{asked}: {total}" + (f" ({', '.join(counts)})" if counts else "")
