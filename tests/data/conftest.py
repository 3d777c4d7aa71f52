"""Small recordings, and a folder of the reader's own."""

import numpy as np
import pytest

from mts3.data import Dataset, Trajectory


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def dataset(rng: np.random.Generator) -> Dataset:
    """Ten trajectories of 40 to 49 rows, 3 observed channels with gaps, 2 actions."""
    trajectories = []
    for i in range(10):
        obs = rng.normal(size=(40 + i, 3)).astype(np.float32)
        obs[rng.random(obs.shape) < 0.1] = np.nan
        trajectories.append(Trajectory(obs, rng.normal(size=(40 + i, 2)).astype(np.float32), f"t{i}"))
    return Dataset("toy", tuple(trajectories), ("a", "b", "c"), ("u", "v"), 0.1, "made here", ("m", "", "s"))
