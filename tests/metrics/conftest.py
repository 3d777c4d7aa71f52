import pytest
import torch

from mts3.prediction import Prediction


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def pred(generator):
    """Beliefs (5, 11, 3)."""
    mean = torch.randn(5, 11, 3, generator=generator)
    return Prediction(mean, 0.1 + torch.rand(5, 11, 3, generator=generator))


@pytest.fixture
def target(generator):
    """Observations (5, 11, 3) with a fifth missing, unevenly over the batch, and one step all missing."""
    obs = torch.randn(5, 11, 3, generator=generator)
    drop = torch.rand(5, 11, 3, generator=generator) < torch.linspace(0.0, 0.5, 5)[:, None, None]
    obs[drop] = torch.nan
    obs[2, 4] = torch.nan
    return obs
