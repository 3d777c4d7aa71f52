"""A simulated quadrotor in gusty wind that carries a hidden mass; a controller flies it along smooth set points.

The mass is one number, constant in an episode; the wind wanders (an Ornstein-Uhlenbeck process in each direction) and
pushes by its drag. The controller is geometric (Lee, Leok and McClamroch 2010). It knows neither the mass nor the wind,
so the aircraft hangs too low or too high and is blown aside. `quadrotor_body` has the mechanics.

Observed are position, velocity and attitude: of the rotation matrix the first and the last column, where the front of
the aircraft points and where its thrust does, in the world's frame (z up). Six numbers without jumps, and the thrust
acts along the last three of them. The actions are the commanded thrusts of the four rotors, computed from what the
sensors read and held until the next row.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mts3.data.sets.generators.quadrotor_body import (
    GRAVITY,
    INERTIA,
    Aircraft,
    State,
    axes_of,
    cross,
    dot,
    product,
    thrusts_for,
    unit,
)
from mts3.data.sets.generators.recipe import generated, recipes

SAMPLE_TIME = 0.02
RECIPES = recipes(
    "quadrotor-wind",
    {name.format(axis): unit for name, unit in (("{}", "m"), ("v{}", "m/s"), ("front_{}", ""), ("up_{}", ""))
     for axis in "xyz"},
    {f"rotor_{number}_thrust": "N" for number in range(1, 5)},
    SAMPLE_TIME,
    "generated: simulated quadrotor in wind with a hidden mass",
    small=(200, 601),
)  # fmt: skip
SUBSTEPS = 2  # Runge-Kutta steps while a command is held
MASS = (0.8, 1.3)  # kg
ASSUMED_MASS = 1.0  # kg, by the controller

# Wind and sensors.
WIND_STD = np.array([[1.0], [1.0], [0.3]])  # m/s
WIND_MEMORY = 2.0  # s
NOISE = np.array([0.005, 0.02, 0.003, 0.02])[:, None, None]  # m, m/s, rad, rad/s: position, velocity, attitude, rate

# Controller and set points, which are sums of sines.
POSITION_GAIN, VELOCITY_GAIN = 6.0, 4.0  # 1/s2, 1/s
TURN_GAIN, RATE_GAIN = np.array([[80.0], [80.0], [12.0]]), np.array([[16.0], [16.0], [6.0]])  # 1/s2, 1/s
SINES, PERIODS = 3, (3.0, 10.0)  # s
CENTER = np.array([[0.0], [0.0], [5.0], [0.0]])  # x, y, z in m and yaw in rad
WAY = np.array([[1.5], [1.5], [0.7], [1.0]])


@dataclass(frozen=True)
class Episodes:
    """Everything of a simulation, hidden quantities too: E episodes of T rows.

    Attributes:
        obs: (E, T, 12) what the sensors read: position, velocity, front, up.
        command: (E, T, 4) N; command[t] is held from row t to row t + 1.
        true_obs: (E, T, 12) without noise.
        wind, set_point: (E, T, 3) m/s and m.
        mass: (E,) kg.
    """

    obs: np.ndarray
    command: np.ndarray
    true_obs: np.ndarray
    wind: np.ndarray
    set_point: np.ndarray
    mass: np.ndarray


@dataclass(frozen=True)
class Draws:
    """All that chance decides in an episode, or, stacked on the last axis, in E of them.

    Attributes:
        mass: () kg.
        frequency, phase: (SINES, 4) of the set points x, y, z and yaw: turns a second, and turns.
        white: (T, 5, 3) standard normal, for the wind and the noise of position, velocity, attitude and rate.
    """

    mass: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    white: np.ndarray


def simulate(numbers: range, rows: int, seed: int = 0, wind_std: np.ndarray = WIND_STD) -> Episodes:
    """Fly for `rows` rows of `SAMPLE_TIME` seconds in each of the episodes `numbers`."""
    drawn = [_draw(np.random.default_rng([seed, number]), rows) for number in numbers]
    draws = Draws(*(np.stack([getattr(one, field.name) for one in drawn], -1) for field in fields(Draws)))
    aircraft, state = Aircraft(draws.mass), _start(draws)
    # The wind of a row lasts until the next; it starts as it goes on, with its standard deviation.
    keep = np.exp(-SAMPLE_TIME / WIND_MEMORY)
    wind = wind_std * draws.white[0, 0]
    record: list[tuple[np.ndarray, ...]] = []
    for t in range(rows):
        wanted = [_set_point(draws, t * SAMPLE_TIME, order) for order in range(3)]
        measured = _measured(state, NOISE * draws.white[t, 1:])
        command = control(measured, *wanted)
        record.append((_observed(measured), command, _observed(state), wind, wanted[0][:3]))
        state = aircraft.advance(state, command, wind, SAMPLE_TIME, SUBSTEPS)
        if t + 1 < rows:
            wind = keep * wind + np.sqrt(1.0 - keep**2) * wind_std * draws.white[t + 1, 0]
    return Episodes(*(np.stack(values).transpose(2, 0, 1) for values in zip(*record, strict=True)), mass=draws.mass)


make_episodes = generated(
    "quadrotor", RECIPES, 200, simulate, lambda made: (made.obs.astype(np.float32), made.command.astype(np.float32))
)


def control(state: State, wanted: np.ndarray, wanted_rate: np.ndarray, wanted_acceleration: np.ndarray) -> np.ndarray:
    """Commanded thrusts (4, E) N: a geometric controller on what the sensors read.

    Args:
        state: The measured state; its thrust is not used.
        wanted, wanted_rate, wanted_acceleration: (4, E) set points x, y, z and yaw, and their derivatives.
    """
    force = wanted_acceleration[:3] + POSITION_GAIN * (wanted[:3] - state.position)
    force += VELOCITY_GAIN * (wanted_rate[:3] - state.velocity)
    force[2] += GRAVITY
    force *= ASSUMED_MASS
    axes = axes_of(state.attitude)
    up = unit(force)
    yaw = wanted[3]
    left = unit(cross(up, np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)])))
    goal = np.stack([cross(left, up), left, up])
    # Half of the sum of each axis crossed with where it should be: the turn that is missing, in the world's frame.
    turns = [cross(axis, target) for axis, target in zip(axes, goal, strict=True)]
    missing = 0.5 * (turns[0] + turns[1] + turns[2])
    missing = np.stack([dot(axis, missing) for axis in axes])
    rate = state.rate - np.stack([axes[0][2], axes[1][2], axes[2][2]]) * wanted_rate[3]
    torque = INERTIA * (TURN_GAIN * missing - RATE_GAIN * rate) + cross(state.rate, INERTIA * state.rate)
    return thrusts_for(dot(force, axes[2]), torque)


def _draw(rng: np.random.Generator, rows: int) -> Draws:
    """One episode's chances. The longest ones come last: a longer episode begins like a shorter one."""
    shape = (SINES, len(WAY))
    mass, frequency, phase = rng.uniform(*MASS), 1.0 / rng.uniform(*PERIODS, shape), rng.random(shape)
    return Draws(np.asarray(mass), frequency, phase, rng.standard_normal((rows, 5, 3)))


def _start(draws: Draws) -> State:
    """On the set points, level, turned to the set yaw, with the thrust that hovers without wind."""
    place, velocity = (_set_point(draws, 0.0, order) for order in (0, 1))
    zero = np.zeros_like(place[3])
    attitude = np.stack([np.cos(place[3] / 2), zero, zero, np.sin(place[3] / 2)])
    hover = np.stack([draws.mass * GRAVITY / 4.0] * 4)
    return State(place[:3], velocity[:3], attitude, np.zeros_like(place[:3]), hover)


def _set_point(draws: Draws, seconds: float, order: int) -> np.ndarray:
    """(4, E) x, y, z and yaw, or their derivative of this order."""
    speed = 2.0 * np.pi * draws.frequency
    # A derivative of a sine is a quarter turn ahead of it.
    waves = speed**order * np.sin(2.0 * np.pi * (draws.frequency * seconds + draws.phase + order / 4))
    return (CENTER if order == 0 else 0.0) + WAY / np.sqrt(SINES) * sum(waves)


def _measured(state: State, noise: np.ndarray) -> State:
    """The state with noise (4, 3, E) on position, velocity, attitude (a small turn about each axis) and rate."""
    position, velocity, turn, rate = noise
    small = unit(np.concatenate([np.ones_like(turn[:1]), turn / 2]))
    return State(
        state.position + position,
        state.velocity + velocity,
        unit(product(state.attitude, small)),
        state.rate + rate,
        state.thrust,
    )


def _observed(state: State) -> np.ndarray:
    """(12, E) position, velocity, front, up."""
    axes = axes_of(state.attitude)
    return np.concatenate([state.position, state.velocity, axes[0], axes[2]])
