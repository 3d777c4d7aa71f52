"""A configuration -> the data of one experiment, split, normalized and cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mts3.cli.report import note
from mts3.data import Dataset, SequenceDataset, fit_normalizer, leave_out_short, load_dataset, split
from mts3.errors import UserError
from mts3.models.unbuilt import memory_bytes
from mts3.normalizer import Normalizer
from mts3.train.randomness import check_seed


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
        check_seed(config[key], key)
    data = config["data"]
    context_len, sequence_len, window_len = data["context_len"], data["sequence_len"], data["window_len"]
    if not 1 <= window_len <= context_len < sequence_len:
        raise UserError(
            f"expected 1 <= data.window_len <= data.context_len < data.sequence_len, got {window_len}, {context_len} "
            f"and {sequence_len}: observe at least a window and leave steps to predict"
        )
    # Most presets have no size and no seed of the data.
    dataset = load_dataset(data["name"], data["path"], data["columns"], data.get("size"), data.get("seed"))
    min_length = context_len + 1  # at least one row after the context, to be predicted
    dataset, left_out = leave_out_short(dataset, min_length, data["skip_short"])
    if left_out:
        note(f"left out {left_out} trajectories shorter than {min_length} rows")
    step_bytes = 4 * (dataset.obs_dim + dataset.action_dim)
    if sequence_len * step_bytes > memory_bytes():
        raise UserError(
            f"data.sequence_len={sequence_len}: one sequence would not fit into the memory of this machine; choose a "
            "smaller one"
        )
    parts = split(dataset, config["split_seed"], data["split_fractions"], min_length)
    if normalizer is None:
        normalizer, constant = fit_normalizer(parts.train, dataset.obs_names, dataset.action_names, dataset.image_shape)
        if constant:
            note(f"constant in the training part, set to zero: {', '.join(constant)}")
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
