"""Short trainings of every model, and what they gave when `losses.json` was written.

`python -m tests.models.golden.rows [NAME ..]` writes the file anew, whole or the rows named. Do that only when a model
or the training is meant to learn otherwise, and say so in the commit: every stored figure of the project moves then.
"""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback

import mts3
from mts3.data import SequenceDataset, Trajectory, fit_normalizer
from mts3.models import DeltaTarget
from mts3.train import fit, seeded

FILE = Path(__file__).with_name("losses.json")
WINDOW, CONTEXT, STEPS = 3, 6, 14
SIZES = {
    "window_len": WINDOW,
    "latent_obs_dim": 4,
    "bases": 3,
    "encoder_hidden": 6,
    "set_encoder_hidden": 6,
    "control_hidden": 6,
    "decoder_hidden": 6,
    "encoding_dim": 5,
    "units": 5,
    "slow_units": 5,
    "width": 4,
    "heads": 2,
    "max_age": STEPS,
}
"""Of whatever model has such an argument."""

ROWS: dict[str, dict[str, Any]] = {name: {"model": name} for name in sorted(mts3.models.MODELS)} | {
    "acrkn dense": {"model": "acrkn", "transition": "dense"},
    "acrkn delta": {"model": "acrkn", "delta": True},
    "acrkn images": {"model": "acrkn", "obs_dim": 64, "image_shape": [1, 8, 8]},
    "acrkn reward": {"model": "acrkn", "reward": True},
    "gru delta": {"model": "gru", "delta": True},
    "transformer_ar delta": {"model": "transformer_ar", "delta": True},
    "hiprssm dense": {"model": "hiprssm", "transition": "dense"},
    "hiprssm adaptive": {"model": "hiprssm", "transition": "dense", "adaptive": True},
    "mts3 modal": {"model": "mts3", "transition": "modal"},
    "mts3 banded": {"model": "mts3", "transition": "banded", "bandwidth": 1},
    "mts3 two slow levels": {"model": "mts3", "window_len": [WINDOW, 2 * WINDOW]},
    "mts3 adaptive": {"model": "mts3", "adaptive": True},
    "mts3 filtered": {"model": "mts3", "task_belief": "filtered"},
    "mts3 window_posterior": {"model": "mts3", "task_belief": "window_posterior"},
    "mts3 detached": {"model": "mts3", "detach_between_windows": True},
    "mts3 without abstract actions": {"model": "mts3", "abstract_action": False},
    "mts3 without memory": {"model": "mts3", "memory": False},
    "mts3 without actions": {"model": "mts3", "action_dim": 0},
    "mts3 images": {"model": "mts3", "obs_dim": 64, "image_shape": [1, 8, 8]},
    "mts3 reward": {"model": "mts3", "reward": True},
    "mts3 delta": {"model": "mts3", "delta": True},
    "mts3 recomputed": {"model": "mts3", "recompute": True},
}


def train(
    folder: Path, model: str, obs_dim: int = 2, action_dim: int = 1, delta: bool = False, **options: Any
) -> dict[str, Any]:
    """3 epochs of 3 steps, with everything a training has: gaps, hidden ends, schedule, averaging; `folder` keeps it.

    Returns: `initial`, the norm of all weights before; `losses` of each step; `val_crps` of each epoch. Of a model that
    is fitted in closed form its only validation CRPS, and `fitted`, its values.
    """
    accepted = inspect.signature(mts3.models.MODELS[model]).parameters
    arguments = {name: size for name, size in SIZES.items() if name in accepted}
    arguments |= {name: value for name, value in options.items() if name in accepted}
    training, validation = sequences(5, 0, obs_dim, action_dim), sequences(2, 100, obs_dim, action_dim)
    with seeded(3):
        built = mts3.build(model, obs_dim=obs_dim, action_dim=action_dim, **arguments)
    built.normalizer = training.normalizer
    if delta:
        built = DeltaTarget(built, torch.linspace(0.3, 0.6, obs_dim))
    initial = sum(value.double().square().sum().item() for value in built.parameters()) ** 0.5
    spy = Spy()
    result = fit(
        built,
        training,
        validation,
        folder,
        context_len=CONTEXT,
        window_len=WINDOW,
        seed=5,
        batch_size=4,
        learning_rate=1e-2,
        weight_decay=0.1,
        recompute=options.get("recompute", False),
        trainer={"max_epochs": 3, "accelerator": "cpu", "devices": 1, "enable_progress_bar": False},
        callbacks=[spy],
    )
    row = {"initial": initial, "losses": spy.losses, "val_crps": spy.val_crps}
    if not spy.losses:
        row["val_crps"] = [result.best_val_crps]
        row["fitted"] = {name: buffer.flatten().tolist() for name, buffer in built.named_buffers()}
    return row


class Spy(Callback):
    """Notes what a training says."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.val_crps: list[float] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.losses.append(outputs["loss"].item())

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self.val_crps.append(trainer.callback_metrics["val_crps"].item())


def sequences(trajectories: int, seed: int, obs_dim: int, action_dim: int) -> SequenceDataset:
    """Two sequences of each trajectory: oscillations that actions push, some values not observed, with a reward."""
    recorded = []
    for number in range(trajectories):
        rng = np.random.default_rng([seed, number])
        rows = 2 * STEPS + 1
        actions = rng.normal(size=(rows, action_dim))
        obs = np.sin(0.5 * np.arange(rows)[:, None] + rng.uniform(0, 6, obs_dim))
        obs[1:] += 0.3 * actions[:-1].cumsum(0).sum(1, keepdims=True)
        reward = obs[:, 0] - 0.1 * (actions**2).sum(1)
        obs[rng.random(obs.shape) < 0.05] = np.nan
        recorded.append(Trajectory(obs, actions, f"{seed}/{number}", reward=reward))
    return SequenceDataset(recorded, fit_normalizer(recorded)[0], STEPS, STEPS)


def write(names: Iterable[str]) -> None:
    """Train the rows of these names again, and keep those of the others."""
    stored = json.loads(FILE.read_text()) if FILE.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        fresh = {name: train(Path(folder, name), **ROWS[name]) for name in names}
    rows = {name: fresh.get(name) or stored[name] for name in ROWS}
    FILE.write_text("{\n" + ",\n".join(f'"{name}": {json.dumps(row)}' for name, row in rows.items()) + "\n}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write(sys.argv[1:] or ROWS)
