"""A planar cheetah that runs: HalfCheetah-v5 of gymnasium, driven by linear policies of our own.

A policy's torques are clip(W s + b, -1, 1) + noise, clipped again, where s is all 17 numbers that the environment
shows. Over 300 episodes of 1000 steps `medium` earned 2226 (standard deviation 843) and `expert` 3214 (1248): most
episodes are alike, and some stumble; a quarter of the fast ones end on their back. Observed are the first 9 numbers:
height, pitch, six joint angles and the forward velocity.

These are not the recordings of D4RL, whose policies were learned networks; names say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mts3.data.core.trajectory import Trajectory
from mts3.data.sets.generators.environment import make_environment
from mts3.data.sets.generators.recipe import Recipe, episode_name, generates
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


def _recipe(name: str, episodes: int) -> Recipe:
    return Recipe(
        name=name,
        episodes=episodes,
        rows=1001,
        obs_names=("height", "pitch", *JOINTS, "forward_velocity"),
        obs_units=("m", *("rad",) * 7, "m/s"),
        action_names=tuple(f"{joint}_torque" for joint in JOINTS),
        action_units=("",) * 6,
        sample_time=0.05,
        attribution="generated: HalfCheetah-v5 of gymnasium, linear policies",
    )


SETS = {name: {"small": _recipe(name, 100), "paper": _recipe(name, 1000)} for name in POLICIES}


@generates("halfcheetah", SETS["halfcheetah-linear-medium"], piece=20)
@generates("halfcheetah_expert", SETS["halfcheetah-linear-expert"], piece=20)
@generates("halfcheetah_mixed", SETS["halfcheetah-linear-mixed"], piece=20)
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
        matrix, offset = weights[f"W_{policy}"], weights[f"b_{policy}"]
        rng = np.random.default_rng([seed, number])
        obs, torques, reward = _run(environment, matrix, offset, recipe.rows, rng)
        made.append(Trajectory(obs[:, :OBSERVED], torques, f"{episode_name(number)}_{policy}", reward))
    return made


def _run(
    environment: Any, matrix: np.ndarray, offset: np.ndarray, rows: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States (T, 17), torques (T-1, 6), rewards (T-1,). The reset clears all of the simulator's state."""
    state, _ = environment.reset(seed=int(rng.integers(2**31)))
    noise = ACTION_NOISE * rng.standard_normal((rows - 1, len(offset)))
    states, torques, rewards = [state], [], []
    for t in range(rows - 1):
        wanted = np.clip(matrix @ states[-1] + offset, -1.0, 1.0)
        # Rounded before they act: what is recorded is what acted.
        torques.append(np.clip(wanted + noise[t], -1.0, 1.0).astype(np.float32))
        state, reward, *_ = environment.step(torques[-1])
        states.append(state)
        rewards.append(reward)
    return np.stack(states), np.stack(torques), np.array(rewards)
