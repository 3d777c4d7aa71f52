"""How the models here were made: by version 0.1.0, before its insides were redone.

`python -m tests.models.stored.write NAME ..` adds one, a row of `tests.models.golden.rows`, with what it predicts. The
others stay as they are, whatever later versions write: models that people trained are read for ever.

The runs were made, and may be joined by others, with `mts3 train` (plots and logs taken out, no other change):

    mts3 train $D model=mts3 $S model.set_encoder_hidden=6 hydra.run.dir=mts3
    mts3 train $D model=acrkn train.target=delta $S model.bases=3 hydra.run.dir=acrkn_delta
    D: data=soil data.sequence_len=72 data.train_stride=96 data.test_stride=240
       trainer.max_epochs=1 trainer.accelerator=cpu trainer.enable_progress_bar=false logger=csv threads=1
    S: model.latent_obs_dim=3 model.encoder_hidden=6 model.control_hidden=6 model.decoder_hidden=6
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import mts3
from tests.models.golden.rows import CONTEXT, ROWS, sequences, train

HERE = Path(__file__).parent
MODELS, RUNS = HERE / "models", HERE / "runs"


def predict(model: mts3.models.WorldModel, obs: np.ndarray, actions: np.ndarray) -> dict[str, np.ndarray]:
    """Float32 predictions (B, T, O) of observations that end, and go on in imagination."""
    seen, then = torch.from_numpy(obs[:, :CONTEXT]), torch.from_numpy(actions)
    with torch.no_grad():
        pred, state = model.observe(seen, then[:, :CONTEXT])
        ahead = model.imagine(state, then[:, CONTEXT:]) if model.action_dim else model.imagine(state, horizon=CONTEXT)
    told = {"mean": pred.mean, "var": pred.var, "ahead_mean": ahead.mean, "ahead_var": ahead.var}
    if ahead.reward is not None:
        told |= {"reward_mean": ahead.reward.mean, "reward_var": ahead.reward.var}
    return {name: value.numpy() for name, value in told.items()}


def write(name: str) -> None:
    """Train a row for its nine steps and keep the model with two sequences and what it makes of them."""
    folder = MODELS / name.replace(" ", "_")
    train(folder, **ROWS[name])
    (folder / "last.ckpt").unlink(missing_ok=True)
    model = mts3.load(folder)
    data = sequences(1, 200, model.obs_dim, model.action_dim)
    obs = np.stack([data[i]["obs"][:-1] for i in range(2)])
    actions = np.stack([data[i]["actions"] for i in range(2)])
    np.savez_compressed(folder / "predictions.npz", obs=obs, actions=actions, **predict(model, obs, actions))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:]:
        write(name)
