"""A few test sequences with everything a picture needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mts3.data.core.sequences import SequenceDataset
from mts3.prediction import Prediction
from mts3.types import Tensor


@dataclass(frozen=True)
class Examples:
    """Test sequences in physical units, n of them, as in predictions.npz.

    T + 1 rows end at the last one that was scored. Where a trajectory ends before them everything is NaN.

    Attributes:
        obs: (n, T + 1, O) what happened, NaN where not observed.
        actions: (n, T, A).
        obs_mask: (n, T + 1, O) True where the model was given the value.
        mean, var: (n, T, O) the model's beliefs; entry t is about obs[t+1].
        lower_50, upper_50, lower_90, upper_90: (n, T, O) bounds of their central 50 % and 90 % intervals.
        persistence, linear: (n, T, O) the baselines, likewise.
        trajectory: (n,) names of the trajectories they come from.
        first_row: (n,) the row of that trajectory where the sequence starts.
    """

    obs: np.ndarray
    actions: np.ndarray
    obs_mask: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    lower_50: np.ndarray
    upper_50: np.ndarray
    lower_90: np.ndarray
    upper_90: np.ndarray
    persistence: np.ndarray
    linear: np.ndarray
    trajectory: np.ndarray
    first_row: np.ndarray


def example_indices(sequences: int, number: int) -> list[int]:
    """Indices placed evenly over the split, not chosen by how they look: the middles of `number` equal parts."""
    number = min(number, sequences)
    return [int((i + 0.5) * sequences / number) for i in range(number)]


def examples_of(
    sequences: SequenceDataset,
    indices: list[int],
    pred: Prediction,
    baselines: tuple[Tensor, Tensor],
    obs_mask: Tensor,
) -> Examples:
    """Put the first T + 1 rows of the sequences `indices` into physical units.

    Args:
        sequences: Where they come from.
        indices: n indices.
        pred: The model's beliefs about them (n, T, O), normalized.
        baselines: Means (n, T, O) of persistence and linear, normalized.
        obs_mask: (n, T, O) what was shown.
    """
    normalizer = sequences.normalizer
    steps = pred.mean.shape[1]
    items = [sequences[index] for index in indices]
    physical = normalizer.denormalize_prediction(pred)
    last = torch.zeros_like(obs_mask[:, :1])  # the last observation is only ever a target
    origins = [sequences.locate(index) for index in indices]
    there = torch.arange(1, steps + 1) < torch.tensor([[len(trajectory) - row] for trajectory, row in origins])
    of_steps = {
        "actions": normalizer.denormalize_actions(torch.stack([item["actions"][:steps] for item in items])),
        "mean": physical.mean,
        "var": physical.var,
        "persistence": normalizer.denormalize_obs(baselines[0]),
        "linear": normalizer.denormalize_obs(baselines[1]),
    }
    for level in (50, 90):
        of_steps[f"lower_{level}"], of_steps[f"upper_{level}"] = physical.interval(level / 100)
    return Examples(
        obs=normalizer.denormalize_obs(torch.stack([item["obs"][: steps + 1] for item in items])).numpy(),
        obs_mask=torch.cat([obs_mask, last], dim=1).numpy(),
        trajectory=np.array([trajectory.name for trajectory, _ in origins]),
        first_row=np.array([row for _, row in origins]),
        # Without what was padded: no trajectory has the row after it.
        **{name: torch.where(there[..., None], values, torch.nan).numpy() for name, values in of_steps.items()},
    )
