"""A small linear system with inputs, and models whose scores are known without running them."""

import numpy as np
import pytest
import torch

from mts3.data import Dataset, SequenceDataset, Trajectory, fit_normalizer
from mts3.prediction import Prediction

CONTEXT, STEPS = 6, 20


def simulate(seed: int, rows: int = 60, noise: float = 0.0) -> Trajectory:
    """obs[t+1] = A obs[t] + B actions[t]: what the linear baseline can learn exactly."""
    rng = np.random.default_rng(seed)
    transition, drive = np.array([[0.9, 0.2], [-0.2, 0.9]]), np.array([[0.5], [0.1]])
    obs, actions = np.zeros((rows, 2)), rng.normal(size=(rows, 1))
    obs[0] = rng.normal(size=2)
    for t in range(rows - 1):
        obs[t + 1] = transition @ obs[t] + drive @ actions[t] + noise * rng.normal(size=2)
    return Trajectory(obs * [1.0, 50.0] + [0.0, 7.0], actions, f"run{seed}")


def dataset_of(trajectories) -> Dataset:
    return Dataset("linear-system", tuple(trajectories), ("angle", "level"), ("push",), 0.5, obs_units=("rad", "mm"))


class Model(torch.nn.Module):
    """Base of the fakes: `observe` alone, as the protocol needs it."""

    normalizer = None

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))

    def observe(self, obs, actions=None, obs_mask=None, state=None):
        mean = self.mean(obs, obs_mask)
        return Prediction(mean, torch.full_like(mean, 0.25)), None


class LastValue(Model):
    """Predicts the last value seen, honest about the mask: scores must equal persistence."""

    def mean(self, obs, obs_mask):
        out, last = [], torch.zeros_like(obs[:, 0])
        for t in range(obs.shape[1]):
            last = torch.where(obs_mask[:, t], obs[:, t], last)
            out.append(last)
        return torch.stack(out, 1)


class MaskReader(Model):
    """Ignores the mask and reads what is hidden."""

    def mean(self, obs, obs_mask):
        return obs


class LooksAhead(Model):
    """Inside what it is shown, uses the observation after t."""

    def mean(self, obs, obs_mask):
        shown = torch.where(obs_mask, obs, 0.0)
        return torch.cat([shown[:, 1:], shown[:, -1:]], 1)


@pytest.fixture(scope="session")
def train_trajectories():
    return [simulate(seed, noise=0.05) for seed in range(12)]


@pytest.fixture(scope="session")
def normalizer(train_trajectories):
    return fit_normalizer(train_trajectories)[0]


@pytest.fixture(scope="session")
def train_sequences(train_trajectories, normalizer):
    return SequenceDataset(train_trajectories, normalizer, STEPS, 10)


@pytest.fixture(scope="session")
def test_trajectories():
    return [simulate(seed) for seed in range(100, 105)]


@pytest.fixture(scope="session")
def sequences(test_trajectories, normalizer):
    return SequenceDataset(test_trajectories, normalizer, STEPS, STEPS)
