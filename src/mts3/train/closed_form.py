"""Training without gradients: ridge regression for the linear model, and how wrong a baseline is at each age."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import Dataset

from mts3.data import SequenceDataset, batches, context_mask
from mts3.errors import UserError
from mts3.metrics import ErrorSums, LikelihoodSums
from mts3.models import Linear, Persistence
from mts3.prediction import Prediction
from mts3.train.least_squares import Gram
from mts3.train.result import FitResult
from mts3.types import Tensor

RIDGES = (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
PARTS = 5  # of the training sequences, left out in turn to choose the ridge
ROLLED_OUT = 16  # sequences of a left-out part that are rolled out for it
SMALLEST_VAR = 1e-8
BATCH = 256  # sequences in memory at once
MOST_ROWS = 20_000_000
"""That are looked at: far more than a few hundred weights need. Of a larger set every second sequence, or third, .."""
MOST_INPUTS = 1500
"""Of the regression: beyond, solving it for every ridge takes longer than training a network."""


@torch.no_grad()
def fit_closed_form(
    model: Linear | Persistence, train: Dataset, validation: Dataset, run_dir: Path, context_len: int
) -> FitResult:
    """Fit on the training split, say how good it is on the validation split, and save into `run_dir`.

    Raises:
        UserError: if the splits are no `SequenceDataset`s.
    """
    start = time.monotonic()
    if not isinstance(train, SequenceDataset) or not isinstance(validation, SequenceDataset):
        raise UserError(f"model {model.name} is fitted on mts3.data.SequenceDataset, got {type(train).__name__}")
    if isinstance(model, Linear):
        fit_linear(model, train, context_len)
    measure_var(model, train, context_len)
    hidden = LikelihoodSums(validation.sequence_len - context_len + 1, validation.obs_dim, levels=())
    for pred, target in _rollouts(model, validation, range(len(validation)), context_len):
        hidden.add(pred, target)
    model.save(run_dir)
    return FitResult(0, time.monotonic() - start, 0, hidden.mean_crps(), "cpu")


@torch.no_grad()
def fit_linear(
    model: Linear, sequences: SequenceDataset, context_len: int | None = None, batch_size: int = BATCH
) -> None:
    """Ridge regression of the increment, with the ridge that errs least on parts left out; sets the weights in place.

    Five contiguous parts are left out in turn. A row counts if its target and all its lags were observed; if none
    is complete the weights are zero: persistence. The constant is not shrunk.

    Args:
        model: What to fit.
        sequences: The training split. The test split is never looked at.
        context_len: The ridge is chosen by the error of rollouts that see this many steps; None: by the error of the
            next step.
        batch_size: Sequences in memory at once.
    Raises:
        UserError: if the regression would have more than `MOST_INPUTS` inputs.
    """
    inputs = model.lags * (model.obs_dim + model.action_dim)
    if inputs > MOST_INPUTS:
        raise UserError(
            f"a linear model of {model.lags} lags of {model.obs_dim} observations and {model.action_dim} actions has "
            f"{inputs} inputs; expected at most {MOST_INPUTS}: choose a smaller model.lags, or another model"
        )
    thinned = _thinned(sequences)
    parts = [_part(thinned, i) for i in range(min(PARTS, len(thinned)))]
    grams = [Gram.of(sequences, part, model.lags, batch_size) for part in parts]
    whole = Gram.total(grams)

    def left_out_error(ridge: float) -> float:
        error = 0.0
        for part, gram in zip(parts, grams, strict=True):
            # A single sequence leaves nothing to fit on without it.
            rest = Gram.total([other for other in grams if other is not gram]) if len(grams) > 1 else whole
            if context_len is None:
                error += gram.squared_error(rest.solve(ridge))
                continue
            model.set_weights(rest.solve(ridge), ridge)
            few = part[:: -(-len(part) // ROLLED_OUT)]
            error += _hidden_errors(model, sequences, few, context_len, batch_size).squared_error.sum().item()
        return error

    # Of equals the strongest: min() keeps the first.
    ridge = min(reversed(RIDGES), key=left_out_error)
    model.set_weights(whole.solve(ridge), ridge)


@torch.no_grad()
def measure_var(
    model: Linear | Persistence, sequences: SequenceDataset, context_len: int, batch_size: int = BATCH
) -> None:
    """Set `var_by_age` to the mean squared error of the hidden part of training sequences, step by step.

    Ages beyond the hidden part keep the variance of its last step; a step without targets that of the one before.
    """
    errors = _hidden_errors(model, sequences, _thinned(sequences), context_len, batch_size)
    var = errors.squared_error / errors.count
    rows = torch.arange(len(var))[:, None].expand_as(var)
    known = torch.where(torch.isnan(var), 0, rows).cummax(0).values
    var = var.nan_to_num(nan=1.0).gather(0, known).clamp_min(SMALLEST_VAR)
    ages = torch.arange(len(model.var_by_age)).clamp_max(len(var) - 1)
    model.var_by_age.copy_(var[ages])


def _hidden_errors(
    model: Linear | Persistence, sequences: SequenceDataset, indices: range, context_len: int, batch_size: int
) -> ErrorSums:
    errors = ErrorSums(sequences.sequence_len - context_len + 1, sequences.obs_dim)
    for pred, target in _rollouts(model, sequences, indices, context_len, batch_size):
        errors.add(pred.mean, target)
    return errors


def _rollouts(
    model: Linear | Persistence,
    sequences: SequenceDataset,
    indices: range,
    context_len: int,
    batch_size: int = BATCH,
) -> Iterator[tuple[Prediction, Tensor]]:
    """What the model foresees of the hidden part, and that part, a batch at a time: `context_len` steps are seen."""
    shown = context_mask(sequences.sequence_len, context_len)[:, None]
    dtype = model.var_by_age.dtype
    for obs, actions in batches(sequences, indices, batch_size):
        obs = obs.to(dtype)
        pred = model.observe(obs[:, :-1], actions.to(dtype), ~obs[:, :-1].isnan() & shown)[0]
        yield pred.steps(slice(context_len - 1, None)), obs[:, context_len:]  # pred[t] is about obs[t + 1]


def _thinned(sequences: SequenceDataset) -> range:
    """Indices of sequences that hold at most `MOST_ROWS` together, spread evenly."""
    return range(0, len(sequences), max(1, len(sequences) * sequences.sequence_len // MOST_ROWS))


def _part(indices: range, number: int) -> range:
    """One of `PARTS` contiguous parts, as equal as they can be."""
    parts = min(PARTS, len(indices))
    return indices[number * len(indices) // parts : (number + 1) * len(indices) // parts]
