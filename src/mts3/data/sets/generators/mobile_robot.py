"""A robot on four driven wheels that skids its way over hilly ground, simulated in MuJoCo.

Its size is that of a common outdoor robot: 33 kg between wheels of 2.6 kg and 0.165 m radius, 0.57 m from side to side
and 0.51 m from axle to axle. Every episode has hills of its own: three plane waves of 2.5 to 10 m, 10 to 25 degrees
steep where they are steepest, on a grid of 0.2 m. The wheels of a side follow set points of their speed, constant for
0.3 to 2 s; the robot turns by driving one side faster than the other.

Observed are position and attitude; speeds, wheels and ground are hidden. The action is the torque that acted on each
wheel, averaged over the step: what the servos gave, not the set points. The rate is that of the MTS3 paper's set, whose
ground was a sine and whose simulator another.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from mts3.data.sets.generators.environment import not_installed
from mts3.data.sets.generators.recipe import generated, recipes

WHEELS = ("front_left", "front_right", "rear_left", "rear_right")
LEFT_RIGHT = np.array([0, 1, 0, 1])  # side of each wheel

SAMPLE_TIME = 1 / 240
RECIPES = recipes(
    "mobile-robot-hfield",
    {"x": "m", "y": "m", "z": "m"}
    | {f"{wave}_{angle}": "" for angle in ("roll", "pitch", "yaw") for wave in ("sin", "cos")},
    {f"{wheel}_torque": "Nm" for wheel in WHEELS},
    SAMPLE_TIME,
    "generated: four-wheeled robot on hills, simulated in MuJoCo",
    small=(50, 2401),
    paper=(50, 4801),
)

SUBSTEPS = 2  # steps of the simulator a row
SETTLING = 240  # rows before the first one, in which the robot drops onto its wheels
START = 1.0  # m, each way, around the middle

# Ground.
GRID = 241  # points a side
HALF_SIDE = 24.0  # m
WAVES, WAVE_LENGTH = 3, (2.5, 10.0)  # m
STEEPEST = (10.0, 25.0)  # degrees
MIDDLE = 1.5  # m, of the heights; no sum of such waves reaches 1.4 m to either side

# Set points, rad/s.
HOLD = (0.3, 2.0)  # s
SPEED, TURN = (-3.0, 8.0), 3.0  # of both sides, and how much one is faster and the other slower, each way

# A drive that ends up here is drawn again.
EDGE = 23.0  # m from the middle
ROLLED_OVER = 0.3  # cosine of the angle to the vertical

MODEL = """
<mujoco>
  <option timestep="{timestep}" integrator="Euler"/>
  <asset><hfield name="ground" nrow="{grid}" ncol="{grid}" size="{half} {half} {height} 1"/></asset>
  <worldbody>
    <geom name="ground" type="hfield" hfield="ground" pos="0 0 -{middle}"/>
    <body name="robot">
      <freejoint name="robot"/>
      <geom type="box" size="0.35 0.2 0.1" pos="0 0 0.05" mass="33"/>
      {wheels}
    </body>
  </worldbody>
  <actuator>{servos}</actuator>
</mujoco>
"""
# The inertia of motor and gear keeps the servo, stiff for a wheel in the air, stable without integrating it implicitly:
# the torque that the simulator reports is then exactly the one that acted.
WHEEL = """
<body pos="{x} {y} 0">
  <joint name="{name}" axis="0 1 0" armature="0.05"/>
  <geom type="cylinder" size="0.165 0.055" euler="90 0 0" mass="2.6"/>
</body>
"""
SERVO = '<velocity joint="{name}" kv="20" forcerange="-20 20"/>'


@dataclass(frozen=True)
class Drive:
    """What happened, T rows.

    Attributes:
        position: (T, 3) m, of the middle between the wheels.
        attitude: (T, 3) rad: roll, pitch, yaw.
        torque: (T - 1, 4) Nm, mean from row t to row t + 1.
        set_point: (T - 1, 2) rad/s of the wheels on the left and right.
        height: (GRID, GRID) m, of the ground; rows along y, columns along x.
    """

    position: np.ndarray
    attitude: np.ndarray
    torque: np.ndarray
    set_point: np.ndarray
    height: np.ndarray

    @property
    def obs(self) -> np.ndarray:
        """(T, 9), as the recipe names them."""
        waves = np.stack([np.sin(self.attitude), np.cos(self.attitude)], -1)
        return np.hstack([self.position, waves.reshape(len(waves), 6)])


def simulate(numbers: range, rows: int, seed: int = 0) -> list[Drive]:
    """Drives of `rows` rows, one for each number.

    A robot that rolls over or comes near the edge of the ground is given other hills, another start and other set
    points: the next numbers of its own random stream, so that the episode still depends on number and seed alone.

    Raises:
        UserError: if the simulator is not installed.
    """
    model, made = build_model(), []
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        driven = None
        while driven is None:
            height = draw_ground(rng)
            driven = drive(model, height, draw_start(height, rng), draw_set_points(rng, rows))
        made.append(driven)
    return made


make_episodes = generated(
    "mobile_robot", RECIPES, 10, simulate, lambda made: ([d.obs for d in made], [d.torque for d in made])
)


def build_model() -> Any:
    """MuJoCo's model of robot and flat ground.

    Raises:
        UserError: if MuJoCo is not installed.
    """
    places = [(x, y) for x in (0.255, -0.255) for y in (0.285, -0.285)]
    return _mujoco().MjModel.from_xml_string(
        MODEL.format(
            timestep=SAMPLE_TIME / SUBSTEPS,
            grid=GRID,
            half=HALF_SIDE,
            height=2 * MIDDLE,
            middle=MIDDLE,
            wheels="".join(WHEEL.format(name=n, x=x, y=y) for n, (x, y) in zip(WHEELS, places, strict=True)),
            servos="".join(SERVO.format(name=name) for name in WHEELS),
        )
    )


def draw_ground(rng: np.random.Generator) -> np.ndarray:
    """(GRID, GRID) heights, m: a sum of plane waves of any direction, about as steep as each other."""
    length, slope = rng.uniform(*WAVE_LENGTH, WAVES), rng.uniform(0.3, 1.0, WAVES)
    direction, phase = rng.uniform(0.0, 2.0 * np.pi, (2, WAVES))
    axis = np.linspace(-HALF_SIDE, HALF_SIDE, GRID)
    along = axis[None, :, None] * np.cos(direction) + axis[:, None, None] * np.sin(direction)
    per_metre = 2.0 * np.pi / length
    height = (slope / per_metre * np.sin(per_metre * along + phase)).sum(-1)
    steepest = np.hypot(*np.gradient(height, axis[1] - axis[0])).max()
    return height * np.tan(np.radians(rng.uniform(*STEEPEST))) / steepest


def draw_start(height: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(7,) position and quaternion: level, near the middle, facing anywhere, above all ground that it touches."""
    x, y = rng.uniform(-START, START, 2)
    yaw = rng.uniform(-np.pi, np.pi)
    axis = np.linspace(-HALF_SIDE, HALF_SIDE, GRID)
    below = height[np.ix_(np.abs(axis - y) < 0.6, np.abs(axis - x) < 0.6)].max()
    return np.array([x, y, below + 0.17, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])


def draw_set_points(rng: np.random.Generator, rows: int) -> np.ndarray:
    """(T - 1, 2) rad/s of left and right, piecewise constant."""
    pieces: list[np.ndarray] = []
    missing = rows - 1
    while missing > 0:
        held = min(missing, round(rng.uniform(*HOLD) / SAMPLE_TIME))
        speed, turn = rng.uniform(*SPEED), rng.uniform(-TURN, TURN)
        pieces.append(np.tile([speed - turn, speed + turn], (held, 1)))
        missing -= held
    return np.concatenate(pieces)


def drive(model: Any, height: np.ndarray, start: np.ndarray, set_points: np.ndarray) -> Drive | None:
    """Drop the robot at a pose `start` (7,), position and quaternion, let it settle, and drive.

    Args:
        model: Of `build_model`; its ground is replaced.
        height: (GRID, GRID) m, at most MIDDLE to either side of zero.
        start: m, and a unit quaternion, real part first.
        set_points: (T - 1, 2) rad/s of left and right.

    Returns: None if it rolled over or came near the edge.
    """
    mujoco = _mujoco()
    model.hfield_data[:] = ((height + MIDDLE) / (2.0 * MIDDLE)).ravel()
    data = mujoco.MjData(model)  # a new one: nothing of another episode is left in it
    data.qpos[:7] = start
    mujoco.mj_step(model, data, SETTLING * SUBSTEPS)
    poses, torques = [data.qpos[:7].copy()], []
    for set_point in set_points:
        data.ctrl[:] = set_point[LEFT_RIGHT]
        torque = np.zeros(4)
        for _ in range(SUBSTEPS):
            mujoco.mj_step(model, data)
            torque += data.actuator_force / SUBSTEPS
        poses.append(data.qpos[:7].copy())
        torques.append(torque)
    pose = np.stack(poses)
    upright = 1.0 - 2.0 * (pose[:, 4] ** 2 + pose[:, 5] ** 2)
    if np.abs(pose[:, :2]).max() > EDGE or upright.min() < ROLLED_OVER:
        return None
    return Drive(pose[:, :3], _attitude(pose[:, 3:]), np.stack(torques), set_points, height)


def _mujoco() -> Any:
    """The module; its own annotations do not name what it offers."""
    try:
        return importlib.import_module("mujoco")
    except ImportError as error:
        raise not_installed("mujoco", error) from error


def _attitude(quaternion: np.ndarray) -> np.ndarray:
    """(T, 3) roll, pitch and yaw of unit quaternions (T, 4), real part first: R = Rz(yaw) Ry(pitch) Rx(roll)."""
    w, x, y, z = quaternion.T
    roll = np.arctan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x**2 + y**2))
    pitch = np.arcsin(np.clip(2.0 * (w * y - z * x), -1.0, 1.0))
    yaw = np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y**2 + z**2))
    return np.stack([roll, pitch, yaw], -1)
