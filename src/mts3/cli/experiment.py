"""A configuration -> the data of one experiment, split, normalized and cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mts3.cli.report import note
from mts3.data import (
    Dataset,
    SequenceDataset,
    Trajectory,
    fit_normalizer,
    leave_out_short,
    load_with_notes,
    matched,
    split,
)
from mts3.data.quality.few_rows import made_by_few_rows
from mts3.data.rows.columns import Columns
from mts3.data.sets.load import FILE
from mts3.errors import UserError
from mts3.models import WorldModel
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


def load_experiment(config: dict[str, Any], model: WorldModel | None = None) -> Experiment:
    """The data a resolved configuration describes.

    Args:
        config: Resolved, with the keys `data`, `seed` and `split_seed`.
        model: A trained one, whose normalizer and channels hold; None fits a normalizer on the training part.
    Raises:
        UserError: if the data cannot be read, split or cut as asked, or do not fit the model.
    """
    dataset = _load(config, model)
    data = config["data"]
    window_len, context_len, sequence_len = (data[key] for key in ("window_len", "context_len", "sequence_len"))
    parts = split(dataset, config["split_seed"], data["split_fractions"], context_len + 1, window_len)
    normalizer = model.normalizer if model else None
    if normalizer is None:
        normalizer, constant = fit_normalizer(parts.train, dataset.obs_names, dataset.action_names, dataset.image_shape)
        if len([name for name in constant if name.startswith("obs ")]) == dataset.obs_dim:
            raise UserError(
                f"every observation of '{dataset.name}' is constant in the training part: there is nothing to learn; "
                "check the columns (mts3 data check), or choose other split_fractions"
            )
        if constant:
            note(f"constant in the training part, set to zero: {', '.join(constant)}")
        _warn_of_few_rows(parts.train, dataset)
    train = SequenceDataset(parts.train, normalizer, sequence_len, data["train_stride"])
    validation, test = (
        SequenceDataset(part, normalizer, sequence_len, data["test_stride"]) for part in (parts.validation, parts.test)
    )
    _check_test(test, context_len, window_len)
    if model is None:
        _check_validation(validation, context_len)
    return Experiment(dataset, train, validation, test)


def load_other_data(config: dict[str, Any], model: WorldModel, trained: dict[str, Any]) -> Experiment:
    """Data that a model was not trained on: all of it is the test part, normalized as the model was trained.

    The training part, which the linear rollout is fitted on, is the run's own; where that is not at hand the linear
    rollout is fitted on the data themselves, which is said.

    Args:
        config: Of the evaluation; its `data` describes the other data.
        model: With normalizer and channels.
        trained: The configuration of the run.
    Raises:
        UserError: if the data cannot be read or cut as asked, or do not fit the model.
    """
    assert model.normalizer is not None
    dataset, data = _load(config, model), config["data"]
    test = SequenceDataset(dataset.trajectories, model.normalizer, data["sequence_len"], data["test_stride"])
    _check_test(test, data["context_len"], data["window_len"])
    try:
        return Experiment(dataset, (own := load_experiment(trained, model)).train, own.validation, test)
    except UserError as error:
        note(f"the run's own data cannot be read ({error}): the linear rollout is fitted on {dataset.name} itself")
        return Experiment(dataset, test, test, test)


def _load(config: dict[str, Any], model: WorldModel | None) -> Dataset:
    """The data set as it will be used: its channels those of the model, short trajectories refused or left out."""
    for key in ("seed", "split_seed"):
        check_seed(config[key], key)
    data = config["data"]
    context_len, sequence_len, window_len = data["context_len"], data["sequence_len"], data["window_len"]
    if not 1 <= window_len <= context_len < sequence_len:
        raise UserError(
            f"expected 1 <= data.window_len <= data.context_len < data.sequence_len, got {window_len}, {context_len} "
            f"and {sequence_len}: observe at least a window and leave steps to predict"
        )
    dataset, notes = _read(data, model)
    for line in notes:
        note(f"read {dataset.name}: {line}")
    if model is not None:
        dataset = _for_model(dataset, model)
    min_length = context_len + 1  # at least one row after the context, to be predicted
    dataset, left_out = leave_out_short(dataset, min_length, data["skip_short"], window_len)
    if left_out:
        note(f"left out {left_out} trajectories shorter than {min_length} rows")
    return dataset


def _read(data: dict[str, Any], model: WorldModel | None) -> tuple[Dataset, tuple[str, ...]]:
    """The data set and its reader's notes; a table that nobody has mapped is read by the names that the model knows."""
    source = data["name"], data["path"]
    try:  # most presets have no size and no seed of the data
        return load_with_notes(*source, data["columns"], data.get("size"), data.get("seed"))
    except UserError:
        mapping = Columns.parse(data["columns"])
        if model is None or model.channels is None or mapping.obs or mapping.actions or data["name"] != FILE:
            raise
        mapping = replace(mapping, obs=model.channels.obs_names, actions=model.channels.action_names)
        try:
            return load_with_notes(*source, mapping)
        except UserError as error:
            # Of the two reasons that which is about this model.
            raise UserError(f"{error} (columns are looked for by the names that the model knows)") from error


def _for_model(dataset: Dataset, model: WorldModel) -> Dataset:
    if model.channels is not None:
        dataset, others = matched(dataset, model.channels, "the model was trained on")
        if others:
            note(f"not used, the model does not know them: {', '.join(others)}")
    elif (model.obs_dim, model.action_dim) != (dataset.obs_dim, dataset.action_dim):
        raise UserError(
            f"'{dataset.name}' has {dataset.obs_dim} obs and {dataset.action_dim} action channels, the model was "
            f"trained on {model.obs_dim} and {model.action_dim}: give it data of the same kind"
        )
    else:
        note("the model was saved without the names of its channels: the order of the data is taken to be its own")
    return dataset


def _warn_of_few_rows(train: Sequence[Trajectory], dataset: Dataset) -> None:
    found = [] if dataset.image_shape else made_by_few_rows(train, dataset.obs_names, dataset.action_names)
    if found:
        first = found[0]
        more = f", and so of {', '.join(f.channel for f in found[1:5])}" + (", .." if len(found) > 5 else "")
        note(
            f"warning: a few rows determine the standard deviation of {first.channel} ({first.std:.3g}, without them "
            f"{first.std_without:.3g}){more if found[1:] else ''}: all else is next to constant beside them; "
            "`mts3 data check` shows them, data.columns.missing=[CODE] leaves out codes for missing"
        )


def _check_test(test: SequenceDataset, context_len: int, window_len: int) -> None:
    """Refuse to score steps that no test sequence has: the rest of it would be read as the whole."""
    longest, rows = test.longest, len(test.longest)
    if rows <= test.sequence_len:
        sizes = {"data.sequence_len": (test.sequence_len, rows - 1)}
        sizes |= {"data.context_len": (context_len, rows - 2), "data.window_len": (window_len, rows - 2)}
        advice = " and ".join(f"{name}={largest}" for name, (size, largest) in sizes.items() if size > largest)
        raise UserError(
            f"data.sequence_len={test.sequence_len} asks for {test.sequence_len + 1 - context_len} steps after the "
            f"context, and no test trajectory has more than {rows - context_len}: the longest, '{longest.name}', has "
            f"{rows} rows; choose {advice} or less, or give longer trajectories"
        )
    if not test.any_observed(context_len):
        raise UserError(
            f"nothing is observed after the first {context_len} rows of any test sequence, so there is nothing to "
            "score; choose a smaller data.context_len or give other data"
        )


def _check_validation(validation: SequenceDataset, context_len: int) -> None:
    """Refuse a validation part that could not say which weights are best; say what it cannot see."""
    if not validation.any_observed(context_len):
        raise UserError(
            f"nothing is observed after the first {context_len} rows of any validation sequence, so there is nothing "
            "to choose the best weights by; choose a smaller data.context_len, another split_seed or other "
            "data.split_fractions"
        )
    longest, rows = validation.longest, len(validation.longest)
    if rows <= validation.sequence_len:
        note(
            f"validation sees {rows - context_len} of {validation.sequence_len + 1 - context_len} steps after the "
            f"context: '{longest.name}', its longest trajectory, has {rows} rows, and data.sequence_len is "
            f"{validation.sequence_len}"
        )
