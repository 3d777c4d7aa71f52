"""From a recording to a forecast with intervals, in Python: two days of soil moisture are observed, 28 predicted.

python examples/01_from_recording_to_forecast.py --epochs 4
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import mts3
from mts3.data import SequenceDataset, fit_normalizer, load_dataset, split
from mts3.train import fit

WINDOW, CONTEXT, HORIZON = 24, 48, 672  # hours


def main(epochs: int, run_dir: Path) -> None:
    torch.set_num_threads(1)  # small matrices: a second thread gains nothing

    # Split the recording by time into three parts. Only the first one, for training, determines the normalization.
    recording = load_dataset("soil")
    parts = split(recording, seed=0)
    normalizer, _ = fit_normalizer(parts.train, recording.obs_names, recording.action_names)
    train = SequenceDataset(parts.train, normalizer, sequence_len=240, stride=24)
    validation = SequenceDataset(parts.validation, normalizer, sequence_len=CONTEXT + HORIZON, stride=120)

    torch.manual_seed(0)
    model = mts3.MTS3(recording.obs_dim, recording.action_dim, window_len=WINDOW, transition="modal")
    model.normalizer = normalizer
    fit(
        model, train, validation, run_dir, context_len=CONTEXT, window_len=WINDOW, curriculum_epochs=1,
        trainer={"max_epochs": epochs},
    )  # fmt: skip

    # The best weights, with their normalizer. Everything a model receives and returns is normalized.
    model = mts3.load(run_dir)
    test = parts.test[0]
    obs = torch.from_numpy(normalizer.normalize_obs(test.obs[:CONTEXT]))[None]
    actions = torch.from_numpy(normalizer.normalize_actions(test.actions[: CONTEXT + HORIZON]))[None]
    with torch.no_grad():
        _, state = model.observe(obs, actions[:, :CONTEXT])  # NaN would mean "not observed"
        forecast = model.imagine(state, actions[:, CONTEXT:])
    forecast = normalizer.denormalize_prediction(forecast)
    lower, upper = forecast.interval(0.9)
    truth = test.obs[CONTEXT + 1 : CONTEXT + 1 + HORIZON]
    for days in (1, 7, 14, 28):
        t = 24 * days - 1
        print(
            f"{days:2} days ahead, {recording.obs_names[0]}: {forecast.mean[0, t, 0]:.3f} m³/m³, "
            f"90 % within [{lower[0, t, 0]:.3f}, {upper[0, t, 0]:.3f}]; it was {truth[t, 0]:.3f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/example-01"))
    arguments = parser.parse_args()
    main(arguments.epochs, arguments.run_dir)
