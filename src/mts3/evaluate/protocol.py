"""The evaluation protocol: one function, any model with `observe`."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from mts3.data import SequenceDataset, batches
from mts3.errors import UserError
from mts3.evaluate import tasks
from mts3.evaluate.causality import is_causal
from mts3.evaluate.evaluation import Evaluation, Scores
from mts3.evaluate.examples import Examples, example_indices, examples_of
from mts3.metrics import LikelihoodSums
from mts3.models import Linear, Persistence, WorldModel
from mts3.models.segments import predict_in_segments
from mts3.prediction import Prediction
from mts3.train import MOST_INPUTS, fit_linear
from mts3.types import Tensor

NUMBER_OF_EXAMPLES = 4
LAGS = 5  # of the linear baseline


@torch.no_grad()
def evaluate(
    model: WorldModel,
    sequences: SequenceDataset,
    train_sequences: SequenceDataset,
    context_len: int,
    metric_window: int,
    batch_size: int = 64,
    seed: int = 0,
) -> Evaluation:
    """Score a model on a split, with persistence and a linear rollout beside it.

    Three tasks over the observations after the context: long horizon (everything hidden), one step (everything up to
    t seen) and imputation (half of the steps missing). Actions are always given. Whatever is hidden never reaches the
    model: its mask is False and its value NaN. Scores are running sums, so memory does not grow with the split; long
    sequences are observed in segments (`mts3.models.segments`), so what grows with them is the prediction alone.

    Args:
        model: Anything with `observe(obs, actions, obs_mask) -> (Prediction, state)`, normalized. Its training flag is
            put back as it was.
        sequences: The split to score, normalized with statistics of the training split.
        train_sequences: The training split, normalized alike: the linear baseline is fitted on it.
        context_len: Observations seen at the start of each sequence; belongs to the data, the same for every model.
        metric_window: Steps of the sliding-window curves.
        batch_size: Sequences in memory at once.
        seed: Draws the steps that are missing in the imputation task.

    Raises:
        UserError: if nothing would be scored, or the data are not normalized as the model expects.
    """
    _check(model, sequences, train_sequences, context_len)
    was_training = model.training
    model.eval()
    try:
        return _evaluate(model, sequences, train_sequences, context_len, metric_window, batch_size, seed)
    finally:
        model.train(was_training)


def _evaluate(
    model: WorldModel,
    sequences: SequenceDataset,
    train_sequences: SequenceDataset,
    context_len: int,
    metric_window: int,
    batch_size: int,
    seed: int,
) -> Evaluation:
    # Far ahead and one step ahead want different ridges: each question gets the baseline that is good at it.
    linear = _fitted(train_sequences, context_len)
    linear_near = _fitted(train_sequences, None)
    rows = sequences.sequence_len + 1
    shape = len(sequences), rows, context_len
    runs = _Runs(model, sequences, context_len, batch_size)
    long_horizon = runs.score(tasks.long_horizon(*shape), linear)
    if long_horizon.values == 0:
        raise UserError(f"no observed value after the first {context_len} steps of any sequence: nothing to score")
    causal = runs.causal()
    imputation = tasks.imputation(*shape, generator=torch.Generator().manual_seed(seed))
    return Evaluation(
        long_horizon=long_horizon,
        one_step=runs.score(tasks.one_step(*shape), linear_near) if causal else None,
        imputation=runs.score(imputation, linear_near) if causal else None,
        causal=causal,
        context_len=context_len,
        metric_window=metric_window,
        obs_std=torch.as_tensor(sequences.normalizer.obs_std),
        linear_ridge=linear.ridge.item(),
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        device=str(runs.device),
        examples=runs.examples(linear, context_len + long_horizon.model.scored_steps),
        reward=runs.reward(),
    )


@dataclasses.dataclass(frozen=True)
class _Runs:
    """The model and the split, so that a task is the only thing that varies."""

    model: WorldModel
    sequences: SequenceDataset
    context_len: int
    batch_size: int

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.model.parameters()), torch.device("cpu"))

    def score(self, task: tasks.Task, linear: Linear) -> Scores:
        """Run every method on the whole split."""
        after_context = slice(self.context_len - 1, None)  # entry t is about obs[t+1]
        scores = Scores.empty(self.sequences.sequence_len + 1 - self.context_len, self.sequences.obs_dim)
        start = 0
        for obs, actions in batches(self.sequences, range(len(self.sequences)), self.batch_size):
            part = slice(start, start + len(obs))
            start += len(obs)
            shown, mask = task.shown(part, obs)
            target = task.targets(part, obs)[:, after_context]
            pred = self._predict(shown, actions, mask)
            scores.model.add(pred.steps(after_context), target)
            for sums, mean in zip(
                (scores.persistence, scores.linear), _means(linear, shown, actions, mask), strict=True
            ):
                sums.add(mean[:, after_context], target)
        return scores

    def reward(self) -> LikelihoodSums | None:
        """The long-horizon task's rewards, from the last observation of the context on; None without them."""
        if "reward" not in self.sequences[0]:
            return None
        sums = LikelihoodSums(self.sequences.sequence_len + 1 - self.context_len, 1)
        task = tasks.long_horizon(len(self.sequences), self.sequences.sequence_len + 1, self.context_len)
        after_context = slice(self.context_len - 1, None)
        start = 0
        for obs, actions in batches(self.sequences, range(len(self.sequences)), self.batch_size):
            part = range(start, start + len(obs))
            start += len(obs)
            shown, mask = task.shown(slice(part.start, part.stop), obs)
            told = self._predict(shown, actions, mask).reward
            if told is None:
                return None
            earned = torch.stack([self.sequences[index]["reward"] for index in part])
            sums.add(told.steps(after_context), earned[:, after_context])
        return sums

    def causal(self) -> bool:
        """Check a few sequences for beliefs that depend on later observations."""
        indices = example_indices(len(self.sequences), NUMBER_OF_EXAMPLES)
        obs, actions = next(batches(self.sequences, indices, len(indices)))
        # A change after the last observation changes nothing: what is looked at ends there.
        observed = (~obs[:, :-1].isnan()).any(-1).any(0).nonzero()
        steps = int(observed[-1]) + 1 if len(observed) else obs.shape[1] - 1
        return is_causal(self.model, obs[:, :steps].to(self.device), actions[:, :steps].to(self.device))

    def examples(self, linear: Linear, rows: int) -> Examples:
        """The long-horizon task on the first `rows` rows of a few sequences."""
        indices = example_indices(len(self.sequences), NUMBER_OF_EXAMPLES)
        obs, actions = next(batches(self.sequences, indices, len(indices)))
        obs, actions = obs[:, :rows], actions[:, : rows - 1]
        task = tasks.long_horizon(len(indices), obs.shape[1], self.context_len)
        shown, mask = task.shown(slice(None), obs)
        baselines = _means(linear, shown, actions, mask)
        return examples_of(self.sequences, indices, self._predict(shown, actions, mask), baselines, mask)

    def _predict(self, obs: Tensor, actions: Tensor, mask: Tensor) -> Prediction:
        """The model's beliefs, back on the CPU."""
        given = obs.to(self.device), actions.to(self.device), mask.to(self.device)
        ours = isinstance(self.model, WorldModel)  # anything else may hand on no state
        pred = predict_in_segments(self.model, *given) if ours else self.model.observe(*given)[0]
        return pred.map(Tensor.cpu)


def _fitted(train_sequences: SequenceDataset, context_len: int | None) -> Linear:
    """The linear baseline in float64, as the regression solves it.

    Images get fewer lags, and where a single one has too many inputs already, the weights stay zero: persistence.
    """
    obs_dim, action_dim = train_sequences.obs_dim, train_sequences.action_dim
    lags = min(LAGS, MOST_INPUTS // (obs_dim + action_dim))
    linear = Linear(obs_dim, action_dim, max(lags, 1)).double()
    if lags:
        fit_linear(linear, train_sequences, context_len)
    return linear


def _means(linear: Linear, obs: Tensor, actions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What persistence and the linear baseline foresee, (B, T, O) each."""
    persistence = Persistence(linear.obs_dim, linear.action_dim, max_age=1)
    mean = linear(obs.double(), actions.double(), mask).mean
    return persistence(obs, actions, mask).mean, mean.to(obs.dtype)


def _check(model: WorldModel, sequences: SequenceDataset, train_sequences: SequenceDataset, context_len: int) -> None:
    """Refuse what would give meaningless numbers."""
    if not 1 <= context_len <= sequences.sequence_len:
        raise UserError(
            f"context_len is {context_len} and sequences have {sequences.sequence_len} steps; expected a context of at "
            f"least 1 step that leaves something to predict: use 1 to {sequences.sequence_len}"
        )
    expected = getattr(model, "normalizer", None) or train_sequences.normalizer
    if not _same(expected.as_lists(), sequences.normalizer.as_lists()):
        raise UserError(
            "the sequences are not normalized with the statistics the model was trained with; "
            "build them with model.normalizer"
        )


def _same(one: dict[str, list[float]], other: dict[str, list[float]]) -> bool:
    return all(len(one[k]) == len(other[k]) and np.allclose(one[k], other[k], rtol=1e-5) for k in one)
