"""The recordings that ship in the package."""

from __future__ import annotations

from importlib import resources

import numpy as np

from mts3.data.core.trajectory import Dataset, Trajectory

# From row 6822 (68 s) to the end the arm of this recording stands still. Split by time, the test part would lie in
# there completely and measure nothing; the loader stops where the motion stops.
TIAGO_MOVING_ROWS = 6850


def load_tiago() -> Dataset:
    """TIAGo arm, 100 Hz, 68 s: 8 joint positions, and the 5 joint efforts that were measured."""
    arrays = read_shipped("tiago")
    joints = ("torso", *(f"arm_{i}" for i in range(1, 8)))
    return Dataset(
        name="tiago",
        trajectories=(
            Trajectory(
                arrays["joint_position"][:TIAGO_MOVING_ROWS], arrays["effort"][:TIAGO_MOVING_ROWS], name="tiago"
            ),
        ),
        obs_names=joints,
        action_names=tuple(f"{joint}_effort" for joint in joints[:5]),
        sample_time=0.01,
        attribution="TIAGo arm of figaroh 1.0.2, Apache-2.0",
        obs_units=("m", *("rad",) * 7),
        action_units=("", *("",) * 4),
    )


def load_soil() -> Dataset:
    """Schwingbach soil moisture at 3 depths, hourly, three years, with 6 weather drivers.

    Row t of the drivers is the action between obs[t] and obs[t+1]: of all shifts by up to two hours its rain correlates
    most with that increment, on the training rows (0.49 at 10 cm and 0.40 at 40 cm; row t+1 0.08 and 0.15, row t-1 0.15
    and 0.24; with log rain row t leads too, by little). A 5-lag linear rollout over 720 h on the validation rows does
    not tell the shifts apart (0.88 normalized at t and t+1).
    """
    arrays = read_shipped("soil")
    return Dataset(
        name="soil",
        trajectories=(Trajectory(arrays["soil_moisture"], arrays["drivers"], name="soil"),),
        obs_names=("moisture_10cm", "moisture_25cm", "moisture_40cm"),
        action_names=("rain", "pressure", "radiation", "humidity", "temperature", "wind"),
        sample_time=3600.0,
        attribution="Schwingbach observatory, University of Gießen, in spotpy 1.6.7, MIT",
        obs_units=("m³/m³",) * 3,
        action_units=("mm/day", "hPa", "W/m²", "%", "°C", "m/s"),
    )


def load_plaza1() -> Dataset:
    """Robot mower on grass, 5 Hz, 32 min: position and heading (RTK GPS), driven by measured odometry.

    Odometry row t is the motion from obs[t] to obs[t+1] (correlated 1.00 with the heading change, one row off 0.97).
    """
    arrays = read_shipped("plaza1")
    return Dataset(
        name="plaza1",
        trajectories=(Trajectory(arrays["obs"], arrays["odometry"], name="plaza1"),),
        obs_names=("x", "y", "cos_heading", "sin_heading"),
        action_names=("distance", "heading_change"),
        sample_time=0.2,
        attribution="Plaza 1 robot mower in gtsam 4.3, BSD",
        obs_units=("m", "m", "", ""),
        action_units=("m", "rad"),
    )


def read_shipped(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file in the package."""
    with (
        resources.as_file(resources.files(__name__) / f"{name}.npz") as path,
        np.load(path, allow_pickle=False) as archive,
    ):
        return {key: archive[key] for key in archive.files}
