"""Training without gradients: ridge regression for the linear model, and how wrong a baseline is at each age."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.data import Dataset

from mts3.data import SequenceDataset, batches
from mts3.data.core.masks import forecast
from mts3.errors import UserError
from mts3.metrics import ErrorSums, LikelihoodSums
from mts3.models import Linear, Persistence
from mts3.prediction import Prediction
from mts3.train.least_squares import Gram
from mts3.train.run_folder import FitResult
from mts3.types import Float, Tensor

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
    for pred, target in _forecasts(model, validation, range(len(validation)), context_len):
        hidden.add(pred, target)
    model.save(run_dir)
    return FitResult(0, time.monotonic() - start, 0, hidden.mean_crps(), "cpu")


def fit_linear(
    model: Linear, sequences: SequenceDataset, context_len: int | None = None, batch_size: int = BATCH
) -> None:
    """Ridge regression of the increment, with the ridge that errs least on parts left out; sets the weights in place.

    Five contiguous parts are left out in turn. A row counts if its target and all its lags were observed; if none
    is complete the weights are zero: persistence. The constant is not shrunk.

    Args:
        model: What to fit.
        sequences: The training split. The test split is never looked at.
        context_len: The ridge is chosen by the error of rollouts after this many steps; None: by that of the next step.
        batch_size: Sequences in memory at once.
    Raises:
        UserError: if the regression would have more than `MOST_INPUTS` inputs.
    """
    fit_linears({context_len: model}, sequences, batch_size)


@torch.no_grad()
def fit_linears(models: Mapping[int | None, Linear], sequences: SequenceDataset, batch_size: int = BATCH) -> None:
    """`fit_linear` of several models alike, by their `context_len`: all but the choice of the ridge is done once."""
    model = next(iter(models.values()))
    inputs = model.lags * (model.obs_dim + model.action_dim)
    if inputs > MOST_INPUTS:
        raise UserError(
            f"a linear model of {model.lags} lags of {model.obs_dim} observations and {model.action_dim} actions has "
            f"{inputs} inputs; expected at most {MOST_INPUTS}: choose a smaller model.lags, or another model"
        )
    indices = _thinned(sequences)
    count = min(PARTS, len(indices))
    parts = [indices[i * len(indices) // count : (i + 1) * len(indices) // count] for i in range(count)]
    grams = [Gram.of(sequences, part, model.lags, batch_size) for part in parts]
    whole = Gram.total(grams)
    errors = dict.fromkeys(models, torch.zeros(len(RIDGES), dtype=torch.float64))
    for part, gram in zip(parts, grams, strict=True):
        # A single sequence leaves nothing to fit on without it.
        rest = Gram.total([other for other in grams if other is not gram]) if len(grams) > 1 else whole
        weights = [rest.solve(ridge) for ridge in RIDGES]
        for context_len in models:
            if context_len is None:
                left_out = [gram.squared_error(of_ridge) for of_ridge in weights]
            else:
                few = part[:: -(-len(part) // ROLLED_OUT)]
                left_out = _rollout_errors(model, weights, sequences, few, context_len, batch_size)
            errors[context_len] = errors[context_len] + torch.tensor(left_out, dtype=torch.float64)
    for context_len, fitted in models.items():
        # Of equals the strongest: min() keeps the first.
        best = min(reversed(range(len(RIDGES))), key=errors[context_len].tolist().__getitem__)
        fitted.set_weights(whole.solve(RIDGES[best]), RIDGES[best])


def _rollout_errors(
    model: Linear,
    weights: Sequence[Float[Tensor, "F O"]],
    sequences: SequenceDataset,
    indices: range,
    context_len: int,
    batch_size: int,
) -> list[float]:
    """Squared errors of the hidden part with each of the weights, which are rolled out together."""
    copies = [deepcopy(model) for _ in weights]
    for copy, of_ridge in zip(copies, weights, strict=True):
        copy.set_weights(of_ridge, 0.0)
    _, buffers = stack_module_state(copies)
    del buffers["var_by_age"]  # nobody asks for the variances
    sums = [ErrorSums(sequences.sequence_len - context_len + 1, sequences.obs_dim) for _ in weights]
    for obs, actions in _batches(model, sequences, indices, batch_size):

        def mean_of(of_ridge: dict[str, Tensor], obs: Tensor = obs, actions: Tensor = actions) -> Tensor:
            return forecast(lambda *given: functional_call(model, of_ridge, given), obs, actions, context_len)[0].mean

        for errors, mean in zip(sums, vmap(mean_of)(buffers), strict=True):
            errors.add(mean, obs[:, context_len:])
    return [errors.squared_error.sum().item() for errors in sums]


@torch.no_grad()
def measure_var(
    model: Linear | Persistence, sequences: SequenceDataset, context_len: int, batch_size: int = BATCH
) -> None:
    """Set `var_by_age` to the mean squared error of the hidden part of training sequences, step by step.

    Ages beyond the hidden part keep the variance of its last step; a step without targets that of the one before.
    """
    errors = ErrorSums(sequences.sequence_len - context_len + 1, sequences.obs_dim)
    for pred, target in _forecasts(model, sequences, _thinned(sequences), context_len, batch_size):
        errors.add(pred.mean, target)
    var = errors.squared_error / errors.count
    rows = torch.arange(len(var))[:, None].expand_as(var)
    known = torch.where(torch.isnan(var), 0, rows).cummax(0).values
    var = var.nan_to_num(nan=1.0).gather(0, known).clamp_min(SMALLEST_VAR)
    ages = torch.arange(len(model.var_by_age)).clamp_max(len(var) - 1)
    model.var_by_age.copy_(var[ages])


def _forecasts(
    model: Linear | Persistence, sequences: SequenceDataset, indices: range, context_len: int, batch_size: int = BATCH
) -> Iterator[tuple[Prediction, Tensor]]:
    """What the model predicts of the hidden part, and that part, a batch at a time."""
    for obs, actions in _batches(model, sequences, indices, batch_size):
        yield forecast(model, obs, actions, context_len)


def _batches(
    model: Linear | Persistence, sequences: SequenceDataset, indices: range, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """In the precision of the model."""
    dtype = model.var_by_age.dtype
    return ((obs.to(dtype), actions.to(dtype)) for obs, actions in batches(sequences, indices, batch_size))


def _thinned(sequences: SequenceDataset) -> range:
    """Indices of sequences that hold at most `MOST_ROWS` together, placed evenly."""
    return range(0, len(sequences), max(1, len(sequences) * sequences.sequence_len // MOST_ROWS))
