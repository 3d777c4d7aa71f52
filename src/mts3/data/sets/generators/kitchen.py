"""Scripted demonstrations in FrankaKitchen-v1 of gymnasium-robotics: an arm opens, pushes and switches things.

A demonstration is four of five tasks in an order that is drawn: microwave, kettle, light switch, slide cabinet, hinge
cabinet; then the arm waits. Pace, way-points, tilt of the hand and the posture at the start differ, and there is noise
on the actions. `kitchen_tasks` has the script, `kitchen_controller` the inverse kinematics.

Observed are the joint positions of the arm and of everything in the kitchen, with the noise that the environment adds:
channels 0-8 and 18-38 of its 59, which are qpos. These are not the recordings of D4RL, which a human steered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mts3.data.sets.generators.environment import make_environment, roll_out
from mts3.data.sets.generators.kitchen_tasks import TASKS, Demonstrator
from mts3.data.sets.generators.recipe import generated, recipes

OBSERVED = np.r_[0:9, 18:39]  # of 59
TASKS_DONE = 4  # in an episode
POSTURE_RANGE = 0.1  # rad, each way, of the arm's joints at the start
ACTION_NOISE = 0.03  # standard deviation

ARM = (*(f"joint_{i}" for i in range(1, 8)), "right_finger", "left_finger")
BURNERS = tuple(f"{place}_{what}" for place in ("bottom_right", "bottom_left", "top_right", "top_left")
                for what in ("knob", "burner"))  # fmt: skip
OTHERS = ("light_switch", "light", "slide_cabinet", "left_hinge_cabinet", "right_hinge_cabinet", "microwave")
KETTLE = ("kettle_x", "kettle_y", "kettle_z", "kettle_qw", "kettle_qx", "kettle_qy", "kettle_qz")
UNITS = (*("rad",) * 7, "m", "m", *("rad", "m") * 4, "rad", "m", "m", *("rad",) * 3, *("m",) * 3, *("",) * 4)

RECIPES = recipes(
    "kitchen-scripted",
    dict(zip((*ARM, *BURNERS, *OTHERS, *KETTLE), UNITS, strict=True)),
    {f"{joint}_speed": f"2 {unit}/s" for joint, unit in zip(ARM, UNITS, strict=False)},
    sample_time=0.08,
    attribution="generated: FrankaKitchen-v1 of gymnasium-robotics, scripted way-points",
    small=(100, 301),
    paper=(500, 301),
)


@dataclass(frozen=True)
class Demonstration:
    """What happened, T rows.

    Attributes:
        obs: (T, 30) joint positions.
        action: (T - 1, 9) in [-1, 1]; action[t] acts from row t to row t + 1.
        planned: Names of the tasks, in the environment's words, in their order.
        done: Those that were carried through before the last row.
    """

    obs: np.ndarray
    action: np.ndarray
    planned: tuple[str, ...]
    done: tuple[str, ...]


def demonstrate(numbers: range, rows: int, seed: int = 0) -> list[Demonstration]:
    """Demonstrations of `rows` rows, one for each number.

    Raises:
        UserError: if the simulator is not installed.
    """
    environment = make_environment(
        "gymnasium_robotics:FrankaKitchen-v1", terminate_on_tasks_completed=False, remove_task_when_completed=False
    )
    start = environment.robot_env.init_qpos.copy()
    return [_demonstrate(environment, start, rows, np.random.default_rng([seed, number])) for number in numbers]


make_episodes = generated(
    "kitchen", RECIPES, 5, demonstrate, lambda made: ([d.obs for d in made], [d.action for d in made])
)


def _demonstrate(environment: Any, start: np.ndarray, rows: int, rng: np.random.Generator) -> Demonstration:
    """One of them."""
    planned = _draw_tasks(rng)
    posture = start[:7] + rng.uniform(-POSTURE_RANGE, POSTURE_RANGE, 7)
    environment.robot_env.init_qpos = np.append(np.clip(posture, *environment.model.jnt_range[:7].T), start[7:])
    demonstrator = Demonstrator(environment, rng)
    script = demonstrator.actions(planned)
    observed, actions, _ = roll_out(environment, rows, rng, ACTION_NOISE, lambda observed: next(script))
    obs = np.stack([row["observation"][OBSERVED] for row in observed])
    return Demonstration(obs, actions, planned, tuple(demonstrator.done))


def _draw_tasks(rng: np.random.Generator) -> tuple[str, ...]:
    """Some of the tasks in any order, but the slide before the hinge: the open door would stand in its way."""
    names = [str(name) for name in rng.permutation(list(TASKS))[:TASKS_DONE]]
    if {"slide cabinet", "hinge cabinet"} <= set(names):
        first, second = sorted((names.index("slide cabinet"), names.index("hinge cabinet")))
        names[first], names[second] = "slide cabinet", "hinge cabinet"
    return tuple(names)
