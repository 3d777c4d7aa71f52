"""The check for models that look ahead, on the real ones."""

import pytest
import torch

import mts3
from mts3.evaluate.causality import is_causal


@pytest.mark.parametrize("steps", [33, 120])
@pytest.mark.parametrize(
    ("task_belief", "causal"), [("predicted", True), ("filtered", True), ("window_posterior", False)]
)
@torch.no_grad()
def test_a_model_that_sees_the_rest_of_its_window_is_caught(task_belief, causal, steps):
    generator = torch.Generator().manual_seed(0)
    model = mts3.build("mts3", obs_dim=2, action_dim=1, window_len=10, latent_obs_dim=4, task_belief=task_belief)
    for parameter in model.parameters():
        parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    obs = torch.randn(3, steps, 2, generator=generator)
    assert is_causal(model, obs, torch.randn(3, steps, 1, generator=generator)) is causal
