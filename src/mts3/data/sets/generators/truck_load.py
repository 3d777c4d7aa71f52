"""A truck whose load is hidden: one number, constant in an episode, decides what a force does to its speed.

    v' = (F - r m g - c v^2) / m,      v >= 0.

The mass is anything from empty to fully loaded, and with the rolling resistance r all that tells episodes apart. A
driver follows speeds that change every few seconds, with the force that a half loaded truck would need; the motor's
force ends at what its power allows. Observed is the speed; given is the force at the wheels.

Who knows the equation finds mass and resistance by least squares in the first 40 rows and predicts the next 160 rows to
less than 3 % of the speed's standard deviation; with the mean load the error is more than half of it: a test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mts3.data.sets.generators.recipe import generated, recipes

SAMPLE_TIME = 1.0
RECIPES = recipes(
    "truck_load",
    {"speed": "m/s"},
    {"force": "kN"},
    SAMPLE_TIME,
    "generated: longitudinal motion of a truck with a hidden load",
    small=(400, 201),
)

GRAVITY = 9.81  # m/s²
DRAG = 3.6  # N s²/m²: half the air's density times 6 m²
MASS = (8e3, 40e3)  # kg, uniform in its logarithm
ROLLING = (0.004, 0.012)  # resistance as a share of the weight
SUBSTEPS = 10  # Euler steps a row

# The driver, who takes the truck for half loaded.
SPEEDS = (3.0, 25.0)  # m/s
HOLD = (8.0, 25.0)  # seconds until another speed is wanted
ASSUMED_MASS, ASSUMED_ROLLING = 20e3, 0.008
GAIN = 0.1  # m/s² for each m/s that is missing
BRAKE, PULL, POWER = 60e3, 40e3, 300e3  # N, N and W at most
SPEED_NOISE = 0.02  # m/s, of the sensor


@dataclass(frozen=True)
class Episodes:
    """Everything of a simulation, hidden quantities too.

    Attributes:
        mass, rolling: (E,) kg, and resistance as a share of the weight.
        speed: (E, T) m/s, as measured.
        force: (E, T) N; force[t] acts from row t to row t + 1.
    """

    mass: np.ndarray
    rolling: np.ndarray
    speed: np.ndarray
    force: np.ndarray


def simulate(numbers: range, rows: int, seed: int = 0) -> Episodes:
    """Let trucks follow their speeds for `rows` rows, one for each number, all at once."""
    rngs = [np.random.default_rng([seed, number]) for number in numbers]
    mass = np.exp([rng.uniform(*np.log(MASS)) for rng in rngs])
    rolling = np.array([rng.uniform(*ROLLING) for rng in rngs])
    wanted = np.stack([_wanted_speeds(rng, rows) for rng in rngs])
    noise = SPEED_NOISE * np.stack([rng.standard_normal(rows) for rng in rngs])
    speed, force = np.empty((2, len(numbers), rows))
    v = wanted[:, 0]
    for t in range(rows):
        speed[:, t] = v + noise[:, t]
        force[:, t] = _drive(wanted[:, t], speed[:, t])
        v = advance(v, force[:, t], mass, rolling)
    return Episodes(mass, rolling, speed, force)


make_episodes = generated(
    "truck_load", RECIPES, 400, simulate, lambda made: (made.speed[..., None], made.force[..., None] / 1e3)
)


def advance(speed: np.ndarray, force: np.ndarray, mass: np.ndarray, rolling: np.ndarray) -> np.ndarray:
    """The speeds (E,) one row later."""
    for _ in range(SUBSTEPS):
        resistance = DRAG * speed**2 + rolling * mass * GRAVITY * (speed > 0)
        speed = np.maximum(speed + SAMPLE_TIME / SUBSTEPS * (force - resistance) / mass, 0.0)
    return speed


def _wanted_speeds(rng: np.random.Generator, rows: int) -> np.ndarray:
    """(T,) constant for a while, again and again."""
    wanted: list[float] = []
    while len(wanted) < rows:
        wanted += [rng.uniform(*SPEEDS)] * int(rng.uniform(*HOLD) / SAMPLE_TIME)
    return np.array(wanted[:rows])


def _drive(wanted: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """The force (E,) the driver asks for, as far as the motor gives it."""
    force = ASSUMED_MASS * (GAIN * (wanted - speed) + ASSUMED_ROLLING * GRAVITY) + DRAG * speed**2
    return np.clip(force, -BRAKE, np.minimum(PULL, POWER / np.maximum(speed, 1.0)))
