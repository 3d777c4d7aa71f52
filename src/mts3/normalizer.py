"""Standardisation of observations and actions, carried by data and by trained models alike."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mts3.prediction import Prediction

Array = TypeVar("Array", np.ndarray, Tensor)
# Of the standard deviation: float32 resolves a channel further from zero than this to a ten-thousandth of it or worse.
MOST_OFFSET = 1000.0


@dataclass(frozen=True)
class Normalizer:
    """Per-dimension mean and standard deviation, of the training split alone.

    Attributes:
        obs_mean, obs_std: (O,), physical units.
        action_mean, action_std: (A,), physical units.
        reward_mean, reward_std: (1,), 0 and 1 where the data have no reward.

    Constant dimensions carry std 1 (set by whoever fits the statistics): they become zero, never amplified noise.
    Every method takes numpy arrays or tensors with features last and returns the same kind and dtype; physical values
    are float64 where float32 could not hold them, as positions in metres on a map.
    """

    obs_mean: np.ndarray
    obs_std: np.ndarray
    action_mean: np.ndarray
    action_std: np.ndarray
    reward_mean: np.ndarray = field(default_factory=lambda: np.zeros(1, np.float32))
    reward_std: np.ndarray = field(default_factory=lambda: np.ones(1, np.float32))

    def normalize_obs(self, obs_physical: Array) -> Array:
        """(..., O) physical to normalized."""
        return (obs_physical - _like(self.obs_mean, obs_physical)) / _like(self.obs_std, obs_physical)

    def denormalize_obs(self, obs_normalized: Array) -> Array:
        """(..., O) normalized to physical."""
        return _physical(obs_normalized, self.obs_mean, self.obs_std)

    def normalize_actions(self, actions_physical: Array) -> Array:
        """(..., A) physical to normalized."""
        return (actions_physical - _like(self.action_mean, actions_physical)) / _like(self.action_std, actions_physical)

    def denormalize_actions(self, actions_normalized: Array) -> Array:
        """(..., A) normalized to physical."""
        return _physical(actions_normalized, self.action_mean, self.action_std)

    def normalize_reward(self, reward_physical: Array) -> Array:
        """(..., 1) physical to normalized."""
        return (reward_physical - _like(self.reward_mean, reward_physical)) / _like(self.reward_std, reward_physical)

    def denormalize_prediction(self, pred_normalized: Prediction) -> Prediction:
        """A prediction in physical units: means shifted and scaled, variances scaled by std squared."""
        reward = pred_normalized.reward
        if reward is not None:
            reward = _physical_belief(reward, self.reward_mean, self.reward_std)
        return replace(_physical_belief(pred_normalized, self.obs_mean, self.obs_std), reward=reward)

    def as_lists(self) -> dict[str, list[float]]:
        """Plain lists for json."""
        return {entry.name: getattr(self, entry.name).tolist() for entry in fields(self)}

    @classmethod
    def from_lists(cls, lists: dict[str, list[float]]) -> Normalizer:
        """The inverse of `as_lists`."""
        return cls(**{name: np.asarray(values, dtype=np.float64) for name, values in lists.items()})


def _physical_belief(pred: Prediction, mean: np.ndarray, std: np.ndarray) -> Prediction:
    if _loses_digits(mean, std):
        pred = pred.map(Tensor.double)
    return pred.affine(_like(std, pred.mean), _like(mean, pred.mean))


def _loses_digits(mean: np.ndarray, std: np.ndarray) -> bool:
    """Whether float32 cannot hold what is physical."""
    return bool((np.abs(mean) > MOST_OFFSET * std).any())


def _physical(normalized: Array, mean: np.ndarray, std: np.ndarray) -> Array:
    if _loses_digits(mean, std):
        normalized = normalized.double() if isinstance(normalized, Tensor) else normalized.astype(np.float64)
    return normalized * _like(std, normalized) + _like(mean, normalized)


def _like(statistic: np.ndarray, array: Array) -> Array:
    """`statistic` in the kind, dtype and device of `array`."""
    if isinstance(array, Tensor):
        return torch.as_tensor(statistic, dtype=array.dtype, device=array.device)
    return statistic.astype(array.dtype)
