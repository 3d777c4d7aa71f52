"""A small set of sequences and a small model: a training takes a fraction of a second."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mts3
from mts3.train import FitResult, fit, seeded

OBS_DIM, ACTION_DIM, STEPS, WINDOW, CONTEXT, SEED = 2, 1, 12, 3, 6, 3


class Sequences(torch.utils.data.Dataset):
    """Noisy oscillations pushed by random actions, some values not observed."""

    def __init__(self, n: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        phase = torch.rand(n, 1, 1, generator=generator) * 6 + 0.5 * torch.arange(STEPS + 1)[None, :, None]
        self.actions = torch.randn(n, STEPS, ACTION_DIM, generator=generator)
        pushed = torch.cat([torch.zeros(n, 1, 1), self.actions.cumsum(1)], 1)
        self.obs = torch.cat([phase.sin(), phase.cos()], -1) + 0.3 * pushed
        self.obs[torch.rand(self.obs.shape, generator=generator) < 0.05] = torch.nan

    def __len__(self) -> int:
        return len(self.obs)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"obs": self.obs[index], "actions": self.actions[index]}


def small_model(name: str = "mts3", seed: int = SEED, **arguments: Any) -> mts3.models.WorldModel:
    accepted = inspect.signature(mts3.models.MODELS[name]).parameters
    small = {"window_len": WINDOW, "latent_obs_dim": 3, "units": 3, "width": 4}
    arguments = {key: size for key, size in small.items() if key in accepted} | arguments
    with seeded(seed):
        model = mts3.build(name, obs_dim=OBS_DIM, action_dim=ACTION_DIM, **arguments)
    one = np.ones(OBS_DIM, np.float32), np.ones(ACTION_DIM, np.float32)
    model.normalizer = mts3.Normalizer(0 * one[0], one[0], 0 * one[1], one[1])
    return model


def short_fit(
    run_dir: Path, epochs: int = 3, model: mts3.models.WorldModel | None = None, seed: int = SEED, **options: Any
) -> tuple[mts3.models.WorldModel, FitResult]:
    """10 training sequences in batches of 4: 3 steps an epoch, the last one smaller."""
    model = model or small_model(seed=seed)
    trainer = {"max_epochs": epochs, "accelerator": "cpu", "devices": 1, "enable_progress_bar": False}
    options["trainer"] = trainer | options.get("trainer", {})
    defaults = {
        "context_len": CONTEXT,
        "window_len": WINDOW,
        "batch_size": 4,
        "curriculum_epochs": 1,
        "schedule": "constant",
    }
    return model, fit(model, Sequences(10, 0), Sequences(5, 1), run_dir, seed=seed, **defaults | options)


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, mts3.models.WorldModel, FitResult]:
    """A run of 3 epochs that nothing interrupted."""
    run_dir = tmp_path_factory.mktemp("finished")
    return run_dir, *short_fit(run_dir)
