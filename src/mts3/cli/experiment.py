"""A configuration -> the data of one experiment, split, normalized and cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mts3.cli.report import note
from mts3.data import Dataset, SequenceDataset, Trajectory, fit_normalizer, leave_out_short, load_with_notes, split
from mts3.data.spread import made_by_few_rows
from mts3.errors import UserError
from mts3.normalizer import Normalizer


@dataclass(frozen=True)
class Experiment:
    """What a run trains and is judged on.

    Attributes:
        dataset: Where it comes from.
        train, validation, test: Sequences of the three parts, normalized alike.
    """

    dataset: Dataset
    train: SequenceDataset
    validation: SequenceDataset
    test: SequenceDataset


def load_experiment(config: dict[str, Any], normalizer: Normalizer | None = None) -> Experiment:
    """The data a resolved configuration describes.

    Args:
        config: Resolved, with the keys `data`, `seed` and `split_seed`.
        normalizer: Of a trained model; None fits one on the training part.
    Raises:
        UserError: if the data cannot be read, split or cut as asked, or has other channels than the normalizer.
    """
    for key in ("seed", "split_seed"):
        if config[key] < 0:
            raise UserError(f"{key} must be a whole number >= 0, got {config[key]}")
    data = config["data"]
    context_len, sequence_len, window_len = data["context_len"], data["sequence_len"], data["window_len"]
    if not 1 <= window_len <= context_len < sequence_len:
        raise UserError(
            f"expected 1 <= data.window_len <= data.context_len < data.sequence_len, got {window_len}, {context_len} "
            f"and {sequence_len}: observe at least a window and leave steps to predict"
        )
    # Most presets have no size and no seed of the data.
    dataset, notes = load_with_notes(data["name"], data["path"], data["columns"], data.get("size"), data.get("seed"))
    for line in notes:
        note(f"read: {line}")
    min_length = context_len + 1  # at least one row after the context, to be predicted
    dataset, left_out = leave_out_short(dataset, min_length, data["skip_short"])
    if left_out:
        note(f"left out {left_out} trajectories shorter than {min_length} rows")
    parts = split(dataset, config["split_seed"], data["split_fractions"], min_length)
    if normalizer is None:
        normalizer, constant = fit_normalizer(parts.train, dataset.obs_names, dataset.action_names, dataset.image_shape)
        if constant:
            note(f"constant in the training part, set to zero: {', '.join(constant)}")
        _warn_of_few_rows(parts.train, dataset)
    elif (len(normalizer.obs_mean), len(normalizer.action_mean)) != (dataset.obs_dim, dataset.action_dim):
        raise UserError(
            f"'{dataset.name}' has {dataset.obs_dim} obs and {dataset.action_dim} action channels, the model was "
            f"trained on {len(normalizer.obs_mean)} and {len(normalizer.action_mean)}: give it data of the same kind"
        )

    def cut(part: Any, stride: int) -> SequenceDataset:
        return SequenceDataset(part, normalizer, sequence_len, stride)

    train_stride, test_stride = data["train_stride"], data["test_stride"]
    return Experiment(
        dataset, cut(parts.train, train_stride), cut(parts.validation, test_stride), cut(parts.test, test_stride)
    )


def _warn_of_few_rows(train: Sequence[Trajectory], dataset: Dataset) -> None:
    found = [] if dataset.image_shape else made_by_few_rows(train, dataset.obs_names, dataset.action_names)
    if found:
        first = found[0]
        more = f", and so of {', '.join(f.channel for f in found[1:5])}" + (", .." if len(found) > 5 else "")
        note(
            f"warning: a few rows make the spread of {first.channel} (standard deviation {first.std:.3g}, without them "
            f"{first.std_without:.3g}){more if found[1:] else ''}: all else is next to constant beside them; "
            "`mts3 data check` shows them, data.columns.missing=[CODE] leaves out codes for missing"
        )
