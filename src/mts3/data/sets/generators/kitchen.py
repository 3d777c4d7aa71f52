"""Scripted demonstrations in FrankaKitchen-v1 of gymnasium-robotics: an arm opens, pushes and switches things.

A demonstration is four of five tasks in an order that is drawn: microwave, kettle, light switch, slide cabinet, hinge
cabinet; then the arm waits. Pace, way-points, tilt of the hand and the posture at the start differ, and there is noise
on the actions. A task is a site of the model that is approached, moved and left; `kitchen_controller` has the inverse
kinematics.

Observed are the joint positions of the arm and of everything in the kitchen, with the noise that the environment adds:
channels 0-8 and 18-38 of its 59, which are qpos. These are not the recordings of D4RL, which a human steered.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mts3.data.sets.generators.environment import make_environment, roll_out
from mts3.data.sets.generators.kitchen_controller import PARKED, GripperController
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
SPEED, MOVING_SPEED = 0.6, 0.4  # m/s, between tasks, and while something is held or pushed
NEAR, PASSING = 0.03, 0.25  # m and rad, where a way-point, and the parking posture, count as reached
LONGEST = 60  # steps a way-point may take
GRASP_STEPS = 3
FREE_BODY = "kettle"
# A pushed kettle turns away: it is pushed beside its middle, by so much per rad that it faces elsewhere.
KETTLE_HEADING, KETTLE_STEERING, KETTLE_SIDE = -0.1, 1.5, 0.35  # rad, and shares of `lead`
# What differs between demonstrations, uniform.
PACE = (0.75, 1.1)
OFFSET_RANGE = 0.01  # m, each way
PARK_RANGE, TILT_RANGE = 0.1, 0.05  # rad, each way


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


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        site: What the gripper goes to.
        joint: What moves, and `moved` the value at which it has moved far enough.
        before: Where the gripper waits, from the site, m; it returns there when done.
        at: Where it touches, from the site, m.
        lead: How far ahead of `at` it is pulled while moving, m.
        grasp: Whether the fingers close around the site.
        open_hand: Whether they are apart on the way.
        tilt: How far the gripper looks down, rad.
    """

    site: str
    joint: str
    moved: float
    before: tuple[float, float, float]
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lead: float = 0.1
    grasp: bool = False
    open_hand: bool = True
    tilt: float = 0.0


# Names as in the environment's goals. Values of `moved` lie well within its tolerance of 0.3 around them.
TASKS = {
    "microwave": Task("microhandle_site", "microwave", -0.62, (0.0, -0.14, 0.0), grasp=True, tilt=0.3),
    "kettle": Task("kettle_site", "kettle", 0.6, (0.0, -0.25, -0.13), (0.0, -0.22, -0.15), lead=0.17, tilt=0.5),
    # From the right, between switch and knobs: a knob that is brushed in some episodes alone would rule every score.
    "light switch": Task(
        "light_site", "light_switch", -0.67, (0.07, -0.1, 0.0), (0.06, -0.02, 0.0), 0.12, open_hand=False
    ),
    "slide cabinet": Task(
        "slide_site", "slide_cabinet", 0.36, (-0.09, -0.12, 0.0), (-0.08, 0.0, 0.0), 0.14, open_hand=False
    ),
    "hinge cabinet": Task("hinge_site2", "right_hinge_cabinet", 1.3, (0.0, -0.14, 0.0), grasp=True),
}


class Demonstrator:
    """Does tasks one after the other, seeing the simulator's own state.

    Args:
        env: gymnasium-robotics' KitchenEnv, reset before the first action.
        rng: Draws what differs from demonstration to demonstration: pace, way-points, tilt.

    Attributes:
        done: Names of the tasks that were carried through, in order.
    """

    def __init__(self, env: Any, rng: np.random.Generator) -> None:
        self.done: list[str] = []
        self._gripper = GripperController(env)
        self._model, self._data = env.model, env.data
        self._rng = rng

    def actions(self, names: Iterable[str]) -> Iterator[np.ndarray]:
        """Actions (9,) without end: the tasks, then parked. Step the environment between one and the next.

        The arm is parked between tasks, too: going straight on it can fold up in a way that it cannot leave.
        """
        self._pace = self._rng.uniform(*PACE)
        for name in names:
            yield from self._do(name, TASKS[name])
            yield from itertools.islice(self._park(PASSING), LONGEST)
        yield from self._park(0.0)

    def _do(self, name: str, task: Task) -> Iterator[np.ndarray]:
        """Approach, touch, grasp, move, leave."""
        tilt = task.tilt + self._rng.uniform(-TILT_RANGE, TILT_RANGE)
        before, at = self._beside(task, task.before), self._beside(task, task.at)
        yield from self._go(before, SPEED, task.open_hand, tilt)
        yield from self._go(at, MOVING_SPEED, task.open_hand, tilt)
        if task.grasp:
            for _ in range(GRASP_STEPS):
                yield self._gripper.action(at(), _looking_down(tilt), MOVING_SPEED, open_hand=False)
        for _ in range(LONGEST):
            if abs(self._moved(task)) > abs(task.moved):
                self.done.append(name)
                break
            ahead = at() + task.lead * self._direction(task)
            yield self._gripper.action(
                ahead, _looking_down(tilt), self._pace * MOVING_SPEED, task.open_hand and not task.grasp
            )
        yield from self._go(before, MOVING_SPEED, task.open_hand, tilt)

    def _go(self, target: Callable[[], np.ndarray], speed: float, open_hand: bool, tilt: float) -> Iterator[np.ndarray]:
        """Until the gripper is near the target, which may move, or has tried for long."""
        for _ in range(LONGEST):
            if np.linalg.norm(target() - self._gripper.position) < NEAR:
                return
            yield self._gripper.action(target(), _looking_down(tilt), self._pace * speed, open_hand)

    def _park(self, near: float) -> Iterator[np.ndarray]:
        """Until every joint is `near` a posture about the parked one; 0.0 is never near enough."""
        posture = PARKED + self._rng.uniform(-PARK_RANGE, PARK_RANGE, 7)
        while self._gripper.posture_error(posture) > near:
            yield self._gripper.posture_action(posture, open_hand=True)

    def _beside(self, task: Task, offset: tuple[float, float, float]) -> Callable[[], np.ndarray]:
        """Somewhere about an offset from the task's site, wherever that is by then."""
        shift = offset + self._rng.uniform(-OFFSET_RANGE, OFFSET_RANGE, 3)
        return lambda: self._data.site(task.site).xpos + shift

    def _moved(self, task: Task) -> float:
        """The joint's value; of the kettle, which is free, where it stands between the near and the far burner."""
        return float(self._data.joint(task.joint).qpos[1 if task.joint == FREE_BODY else 0])

    def _direction(self, task: Task) -> np.ndarray:
        """(3,) along which the site moves when its joint opens, of length 1; for the kettle away, and to its side."""
        if task.joint == FREE_BODY:
            w, z = self._data.joint(FREE_BODY).qpos[[3, 6]]
            side = KETTLE_STEERING * (KETTLE_HEADING - 2.0 * np.arctan2(z, w))
            return np.array([np.clip(side, -KETTLE_SIDE, KETTLE_SIDE), 1.0, 0.0])
        arc = self._gripper.jacobian(task.site)[0][:, self._model.joint(task.joint).dofadr[0]] * np.sign(task.moved)
        return arc / np.linalg.norm(arc)


def _looking_down(tilt: float) -> np.ndarray:
    """(3, 3) rotation of the gripper: towards the kitchen, fingers side by side, `tilt` rad below the horizontal."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    return np.array([[0.0, 1.0, 0.0], [sin, 0.0, cos], [cos, 0.0, -sin]])
