"""What an evaluation found, before it is written down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from mts3.evaluate.examples import Examples
from mts3.metrics import RELIABILITY_LEVELS, ErrorSums, LikelihoodSums
from mts3.types import Tensor

LEVELS = {"coverage_50": 0.5, "coverage_90": 0.9, "coverage_95": 0.95}


@dataclass(frozen=True)
class Scores:
    """One task: the model, and the two baselines beside it. Steps are those after the context, normalized."""

    model: LikelihoodSums
    persistence: ErrorSums
    linear: ErrorSums

    @classmethod
    def empty(cls, steps: int, obs_dim: int) -> Scores:
        """Nothing scored yet."""
        return cls(LikelihoodSums(steps, obs_dim), ErrorSums(steps, obs_dim), ErrorSums(steps, obs_dim))

    @property
    def values(self) -> int:
        """How many values were scored."""
        return int(self.model.errors.count.sum())

    def summary(self, obs_std: Tensor) -> dict[str, object]:
        """The numbers of metrics.json for this task.

        Args:
            obs_std: (O,) the standard deviations that were divided by: physical = normalized * std.
        """
        errors = self.model.errors
        return {
            "rmse": errors.rmse(obs_std),
            "nrmse": errors.rmse(),
            "nll": self.model.mean_nll(),
            "crps": self.model.mean_crps(),
            **{name: self.model.coverage(level) for name, level in LEVELS.items()},
            "per_dim": _or_null(errors.rmse_per_dim(obs_std).tolist()),
            "per_dim_nrmse": _or_null(errors.rmse_per_dim().tolist()),
            "persistence_nrmse": self.persistence.rmse(),
            "persistence_rmse": self.persistence.rmse(obs_std),
            "linear_nrmse": self.linear.rmse(),
            "linear_rmse": self.linear.rmse(obs_std),
            "sequences": self.model.sequences,
            "values": self.values,
        }


@dataclass(frozen=True)
class Evaluation:
    """The outcome of the protocol on one split.

    Attributes:
        long_horizon: The context is visible, everything later hidden and scored.
        one_step, imputation: None if the model looks ahead: what it says inside a visible window is no prediction.
        causal: Whether the model passed the check for that.
        context_len: Observations that are visible at the start of each sequence.
        metric_window: Steps of the sliding-window curves.
        obs_std: (O,) physical = normalized * obs_std + mean.
        linear_ridge: The ridge of the linear baseline, as a fraction of its rows.
        parameters: Trainable parameters of the model.
        device: Where it ran.
        examples: A few sequences with everything a picture needs.
        reward: Scores of the hidden part's rewards, normalized; empty if the model predicts none, None if the data hold
            none.

    The scores hold at least one value.
    """

    long_horizon: Scores
    one_step: Scores | None
    imputation: Scores | None
    causal: bool
    context_len: int
    metric_window: int
    obs_std: Tensor
    linear_ridge: float
    parameters: int
    device: str
    examples: Examples
    reward: LikelihoodSums | None = None

    @property
    def horizon(self) -> int:
        """Number of hidden steps that were scored: up to the last one with a value in any sequence."""
        return self.long_horizon.model.scored_steps

    def summary(self) -> dict[str, object]:
        """Scores for metrics.json: the long-horizon ones on top, the other two tasks nested."""
        model, steps, reward = self.long_horizon.model, self.horizon, self.reward
        thirds = pairwise(steps * i // 3 for i in range(4))
        return {
            "horizon": steps,
            "scored_steps": steps,
            "configured_horizon": len(model.nll),
            "context": self.context_len,
            "metric_window": self.metric_window,
            "sequences_at_end": int(model.nll_count[steps - 1]),
            **self.long_horizon.summary(self.obs_std),
            "coverage_90_thirds": _or_null([model.coverage(0.9, slice(*part)) for part in thirds]),
            "break_even_horizon": self.break_even_horizon(),
            "reliability": {
                "level": list(RELIABILITY_LEVELS),
                "coverage": [model.coverage(level) for level in RELIABILITY_LEVELS],
            },
            "linear_ridge": self.linear_ridge,
            "causal": self.causal,
            **{
                name: scores.summary(self.obs_std) if scores is not None and scores.values else None
                for name, scores in (("one_step", self.one_step), ("imputation", self.imputation))
            },
            "reward": {
                "nrmse": reward.errors.rmse(),
                "nll": reward.mean_nll(),
                "crps": reward.mean_crps(),
                "coverage_90": reward.coverage(0.9),
            }
            if reward is not None and reward.sequences
            else None,
            "parameters": self.parameters,
            "device": self.device,
        }

    def break_even_horizon(self) -> int:
        """Scored steps before the first one where the model's sliding-window NRMSE is not below both baselines'.

        0 if it is not below them from the first step on, `horizon` if it is everywhere. Where nothing was observed in
        the window nothing is compared.
        """
        scores, window = self.long_horizon, self.metric_window
        model = scores.model.errors.rmse_per_step(metric_window=window)
        others = [errors.rmse_per_step(metric_window=window) for errors in (scores.persistence, scores.linear)]
        lost = (model >= torch.minimum(*others))[: self.horizon].nonzero()  # False where nothing was observed: NaN
        return int(lost[0]) if len(lost) else self.horizon

    def curves(self) -> dict[str, np.ndarray]:
        """Columns of horizon.csv, (horizon,) each: the error at each scored step, and over the last `metric_window`."""
        scores, window = self.long_horizon, self.metric_window
        columns: dict[str, Tensor] = {}
        methods = {"model": scores.model.errors, "persistence": scores.persistence, "linear": scores.linear}
        for name, errors in methods.items():
            columns[f"{name}_nrmse"] = errors.rmse_per_step()
            columns[f"{name}_rmse"] = errors.rmse_per_step(self.obs_std)
            columns[f"{name}_nrmse_sliding"] = errors.rmse_per_step(metric_window=window)
            columns[f"{name}_rmse_sliding"] = errors.rmse_per_step(self.obs_std, metric_window=window)
        columns["model_nll"] = scores.model.nll_per_step()
        columns["model_nll_sliding"] = scores.model.nll_per_step(window)
        columns |= {name: scores.model.coverage_per_step(level) for name, level in LEVELS.items()}
        return {name: column[: self.horizon].numpy() for name, column in columns.items()}


def _or_null(values: list[float]) -> list[float | None]:
    """None for a mean of nothing: a channel or a part of the steps that was never observed where it counts."""
    return [None if math.isnan(value) else value for value in values]
