"""A planar cheetah that runs: HalfCheetah-v5 of gymnasium, driven by linear policies of our own.

A policy's torques are clip(W s + b, -1, 1) + noise, clipped again, where s is all 17 numbers that the environment
shows. Over 300 episodes of 1000 steps `medium` earned 2226 (standard deviation 843) and `expert` 3214 (1248): most
episodes are alike, and some stumble; a quarter of the fast ones end on their back. Observed are the first 9 numbers:
height, pitch, six joint angles and the forward velocity.

These are not the recordings of D4RL, whose policies were learned networks; names say so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mts3.data.core.trajectory import Trajectory
from mts3.data.sets.generators.environment import make_environment, roll_out
from mts3.data.sets.generators.recipe import GENERATED, Generated, Recipe, episode_name, recipes
from mts3.data.sets.shipped import read_shipped

JOINTS = ("back_thigh", "back_shin", "back_foot", "front_thigh", "front_shin", "front_foot")
OBSERVED = 9  # of the 17 numbers
ACTION_NOISE = 0.2  # standard deviation

POLICIES = {
    "halfcheetah-linear-medium": ("medium",),
    "halfcheetah-linear-expert": ("expert",),
    "halfcheetah-linear-mixed": ("medium", "expert"),
}
"""The policies of a set, which its episodes use in turn."""

SETS = {
    name: recipes(
        name,
        {"height": "m", "pitch": "rad", **dict.fromkeys(JOINTS, "rad"), "forward_velocity": "m/s"},
        {f"{joint}_torque": "" for joint in JOINTS},
        sample_time=0.05,
        attribution="generated: HalfCheetah-v5 of gymnasium, linear policies",
        small=(100, 1001),
        paper=(1000, 1001),
    )
    for name in POLICIES
}


def make_episodes(recipe: Recipe, numbers: range, seed: int) -> list[Trajectory]:
    """Episodes `numbers` of the set, with what every step earned. Each depends on its number and `seed` alone.

    Episodes of one number and seed start alike in all sets.

    Raises:
        UserError: if the simulator is not installed.
    """
    environment, weights = make_environment("HalfCheetah-v5"), read_shipped("halfcheetah_policy")
    names = POLICIES[recipe.name]
    made = []
    for number in numbers:
        policy = names[number % len(names)]
        torques = _linear(weights[f"W_{policy}"], weights[f"b_{policy}"])
        rng = np.random.default_rng([seed, number])
        states, actions, reward = roll_out(environment, recipe.rows, rng, ACTION_NOISE, torques)
        obs = np.stack(states)[:, :OBSERVED]
        made.append(Trajectory(obs, actions, f"{episode_name(number)}_{policy}", reward))
    return made


def _linear(matrix: np.ndarray, offset: np.ndarray) -> Callable[[list[np.ndarray]], np.ndarray]:
    return lambda states: np.clip(matrix @ states[-1] + offset, -1.0, 1.0)


for _name, _recipes in zip(("halfcheetah", "halfcheetah_expert", "halfcheetah_mixed"), SETS.values(), strict=True):
    GENERATED.register(_name)(Generated(_recipes, make_episodes, piece=20))
