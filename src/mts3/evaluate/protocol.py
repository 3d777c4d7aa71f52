"""The evaluation protocol: one function, any model with `observe`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from mts3.data import SequenceDataset, batches
from mts3.data.core.masks import after_context
from mts3.errors import UserError
from mts3.evaluate import tasks
from mts3.evaluate.baselines import Baselines
from mts3.evaluate.causality import is_causal
from mts3.evaluate.evaluation import Evaluation, Scores
from mts3.evaluate.examples import Examples, example_indices, examples_of
from mts3.metrics import LikelihoodSums
from mts3.models import Linear, WorldModel
from mts3.prediction import Prediction
from mts3.segments import predict_in_segments
from mts3.types import Tensor

NUMBER_OF_EXAMPLES = 4


@torch.no_grad()
def evaluate(
    model: WorldModel,
    sequences: SequenceDataset,
    train_sequences: SequenceDataset,
    context_len: int,
    metric_window: int,
    batch_size: int = 64,
    seed: int = 0,
    baselines: Baselines | None = None,
) -> Evaluation:
    """Score a model on a split, with persistence and a linear rollout beside it.

    Three tasks over the observations after the context: long horizon (everything hidden), one step (everything up to
    t visible) and imputation (half of the steps missing). Actions are always given. Whatever is hidden never reaches
    the model: its mask is False and its value NaN. Scores are running sums, so memory does not grow with the split;
    long sequences are observed in segments (`mts3.segments`), so what grows with them is the prediction alone.

    Args:
        model: Anything with `observe(obs, actions, obs_mask) -> (Prediction, state)`, normalized. Its training flag is
            put back as it was.
        sequences: The split to score, normalized with statistics of the training split.
        train_sequences: The training split, normalized alike: the baselines are fitted on it.
        context_len: Observations visible at the start of each sequence; belongs to the data, the same for every model.
        metric_window: Steps of the sliding-window curves.
        batch_size: Sequences in memory at once.
        seed: Draws the steps that are missing in the imputation task.
        baselines: Fitted on these `train_sequences` for this `context_len`; None: they are fitted here.

    Raises:
        UserError: if nothing would be scored, or the data are not normalized as the model expects.
    """
    _check(model, sequences, train_sequences, context_len)
    # Far ahead and one step ahead want different ridges: each question gets the baseline that is good at it.
    baselines = baselines or Baselines.of(train_sequences, context_len)
    far, near = baselines.far, baselines.near
    shape = len(sequences), sequences.sequence_len + 1, context_len
    imputation = tasks.imputation(*shape, generator=torch.Generator().manual_seed(seed))
    reward = LikelihoodSums(shape[1] - context_len, 1) if "reward" in sequences[0] else None
    runs = _Runs(model, sequences, baselines, context_len, batch_size)
    with _evaluating(model):
        long_horizon = runs.score(tasks.long_horizon(*shape), far, reward)
        if long_horizon.values == 0:
            raise UserError(f"no observed value after the first {context_len} steps of any sequence: nothing to score")
        causal = runs.causal()
        return Evaluation(
            long_horizon=long_horizon,
            one_step=runs.score(tasks.one_step(*shape), near) if causal else None,
            imputation=runs.score(imputation, near) if causal else None,
            causal=causal,
            context_len=context_len,
            metric_window=metric_window,
            obs_std=torch.as_tensor(sequences.normalizer.obs_std),
            linear_ridge=far.ridge.item(),
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
            device=str(runs.device),
            examples=runs.examples(context_len + long_horizon.model.scored_steps),
            reward=reward,
        )


@dataclass(frozen=True)
class _Runs:
    """The model, the baselines and the split, so that a task is the only thing that varies."""

    model: WorldModel
    sequences: SequenceDataset
    baselines: Baselines
    context_len: int
    batch_size: int

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.model.parameters()), torch.device("cpu"))

    def score(self, task: tasks.Task, linear: Linear, reward: LikelihoodSums | None = None) -> Scores:
        """Run every method on the whole split, and add up the scores of the rewards where the model predicts them."""
        hidden = after_context(self.context_len)
        scores = Scores.empty(self.sequences.sequence_len + 1 - self.context_len, self.sequences.obs_dim)
        start = 0
        for obs, actions in batches(self.sequences, range(len(self.sequences)), self.batch_size):
            part = slice(start, start := start + len(obs))
            given = task.given(part, obs, actions)
            target = task.targets(part, obs)[:, hidden]
            pred = self._predict(*given).steps(hidden)
            scores.model.add(pred, target)
            means = self.baselines.means(linear, *given)
            for sums, mean in zip((scores.persistence, scores.linear), means, strict=True):
                sums.add(mean[:, hidden], target)
            if reward is not None and pred.reward is not None:
                rewards = torch.stack([self.sequences[i]["reward"] for i in range(part.start, part.stop)])
                reward.add(pred.reward, rewards[:, hidden])
        return scores

    def causal(self) -> bool:
        """Check a few sequences for beliefs that depend on later observations."""
        _, obs, actions = self._examples()
        # A change after the last observation changes nothing: what is looked at ends there.
        observed = (~obs[:, :-1].isnan()).any(-1).any(0).nonzero()
        steps = int(observed[-1]) + 1 if len(observed) else obs.shape[1] - 1
        return is_causal(self.model, obs[:, :steps].to(self.device), actions[:, :steps].to(self.device))

    def examples(self, rows: int) -> Examples:
        """The long-horizon task on the first `rows` rows of a few sequences."""
        indices, obs, actions = self._examples()
        task = tasks.long_horizon(len(indices), rows, self.context_len)
        given = task.given(slice(None), obs[:, :rows], actions[:, : rows - 1])
        means = self.baselines.means(self.baselines.far, *given)
        return examples_of(self.sequences, indices, self._predict(*given), means, given[2])

    def _examples(self) -> tuple[list[int], Tensor, Tensor]:
        indices = example_indices(len(self.sequences), NUMBER_OF_EXAMPLES)
        return indices, *next(batches(self.sequences, indices, len(indices)))

    def _predict(self, *given: Tensor) -> Prediction:
        """The model's beliefs, back on the CPU."""
        there = [tensor.to(self.device) for tensor in given]
        ours = isinstance(self.model, WorldModel)  # anything else may hand on no state
        pred = predict_in_segments(self.model, *there) if ours else self.model.observe(*there)[0]
        return pred.map(Tensor.cpu)


@contextmanager
def _evaluating(model: WorldModel) -> Iterator[None]:
    """The training flag off within the block, then as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _check(model: WorldModel, sequences: SequenceDataset, train_sequences: SequenceDataset, context_len: int) -> None:
    """Refuse what would give meaningless numbers."""
    if not 1 <= context_len <= sequences.sequence_len:
        raise UserError(
            f"context_len is {context_len} and sequences have {sequences.sequence_len} steps; expected a context of at "
            f"least 1 step that leaves something to predict: use 1 to {sequences.sequence_len}"
        )
    expected = (getattr(model, "normalizer", None) or train_sequences.normalizer).as_lists()
    for name, found in sequences.normalizer.as_lists().items():
        if len(expected[name]) != len(found) or not np.allclose(expected[name], found, rtol=1e-5):
            raise UserError(
                "the sequences are not normalized with the statistics the model was trained with; "
                "build them with model.normalizer"
            )
