"""A torque-driven arm that carries a hidden payload: one number, constant in an episode, decides how it moves.

The arm is nobody's product: 7 joints in the order of a human arm (shoulder pitch, roll, twist, elbow, forearm twist,
wrist pitch, roll), 0.7 m long, hanging from a fixed shoulder. Geared joints add rotor inertia and viscous friction, and
the cables through them a weak spring. A PD controller with gravity compensation follows slow set points; it knows the
arm and not the payload (0 to 3 kg in the hand), so the arm sags and swings with it. Gravity and springs pull the arm
back to rest: the torques alone then decide where it goes, and long predictions are possible for who knows the payload.

Observed are the joint angles alone: a filter finds the rates from them, and the payload must be inferred from how the
angles answer the torques. A torque is computed from the measured angles and rates and held until the next row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mts3.data.core.trajectory import Dataset
from mts3.data.sets.generators.recipe import generate_at_once, recipes
from mts3.data.sets.generators.rigid_body import Chain, equation_of_motion, gravity_torque

JOINTS = ("shoulder_pitch", "shoulder_roll", "upper_arm_twist", "elbow", "forearm_twist", "wrist_pitch", "wrist_roll")
X, Y, Z = np.eye(3)

RECIPE = recipes(
    "arm_payload",
    dict.fromkeys(JOINTS, "rad"),
    {f"{joint}_torque": "Nm" for joint in JOINTS},
    sample_time=0.04,
    attribution="generated: simulated 7-joint arm with a hidden payload",
    small=(200, 401),
)["small"]

MAX_PAYLOAD = 3.0  # kg
ANGLE_NOISE, RATE_NOISE = 1e-3, 1e-2  # rad and rad/s, of the sensors
SUBSTEPS = 1  # Runge-Kutta steps while a torque is held; more move no angle by 1e-4 rad in 100 rows

# Controller: set points are sums of sines around a bent pose.
HOME = np.array([0.2, 0.2, 0.0, 0.4, 0.0, 0.2, 0.0])
SWING = np.array([0.5, 0.4, 0.5, 0.5, 0.6, 0.4, 0.4])
PERIODS = (1.5, 8.0)  # seconds
SINES = 3
STIFFNESS = np.array([50.0, 50.0, 10.0, 25.0, 5.0, 6.0, 6.0])  # Nm/rad
RATE_GAIN = np.array([6.0, 6.0, 1.0, 2.5, 0.4, 0.5, 0.5])  # Nm s/rad


@dataclass(frozen=True)
class Arm:
    """What moves: the chain, the masses of its bodies, and what its joints add. The last body is the payload.

    Attributes:
        chain: Links and payload.
        mass: (E, B) kg, one row an episode.
        rotor, damping, spring: (J,) rotor inertia, viscous friction and cable stiffness of the joints.
    """

    chain: Chain
    mass: np.ndarray
    rotor: np.ndarray
    damping: np.ndarray
    spring: np.ndarray

    def acceleration(self, q: np.ndarray, velocity: np.ndarray, torque: np.ndarray) -> np.ndarray:
        """q'' (E, J)."""
        mass_matrix, drift = equation_of_motion(self.chain, self.mass, q, velocity)
        force = torque - drift - self.damping * velocity - self.spring * q
        return np.linalg.solve(mass_matrix + np.diag(self.rotor), force[..., None])[..., 0]

    def advance(
        self, q: np.ndarray, velocity: np.ndarray, torque: np.ndarray, seconds: float, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Angles and rates after `seconds` under a constant torque: `steps` classical Runge-Kutta steps."""
        dt = seconds / steps
        for _ in range(steps):
            v1, a1 = velocity, self.acceleration(q, velocity, torque)
            v2, a2 = (v := velocity + dt / 2 * a1), self.acceleration(q + dt / 2 * v1, v, torque)
            v3, a3 = (v := velocity + dt / 2 * a2), self.acceleration(q + dt / 2 * v2, v, torque)
            v4, a4 = (v := velocity + dt * a3), self.acceleration(q + dt * v3, v, torque)
            q = q + dt / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
            velocity = velocity + dt / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        return q, velocity


@dataclass(frozen=True)
class Episodes:
    """Everything of a simulation, hidden quantities too: payload (E,) kg; the rest (E, T, J), T rows.

    `angle` is what the sensors read, `torque[t]` acts from row t to row t + 1; `true_*` have no noise.
    """

    payload: np.ndarray
    angle: np.ndarray
    torque: np.ndarray
    true_angle: np.ndarray
    true_rate: np.ndarray


def generate_arm_payload(episodes: int = RECIPE.episodes, rows: int = RECIPE.rows, seed: int = 0) -> Dataset:
    """The set: angles observed, torques given, payloads hidden. Bitwise the same for the same arguments."""
    made = simulate(episodes, rows, seed)
    return RECIPE.dataset(made.angle, made.torque)


def simulate(episodes: int, rows: int, seed: int = 0) -> Episodes:
    """Let `episodes` arms follow their set points for `rows` rows of `RECIPE.sample_time` seconds, all at once."""
    rng = np.random.default_rng(seed)
    payload = rng.uniform(0.0, MAX_PAYLOAD, episodes)
    set_points = _set_points(rng, episodes, rows)
    angle_noise = ANGLE_NOISE * rng.standard_normal((rows, episodes, len(JOINTS)))
    rate_noise = RATE_NOISE * rng.standard_normal((rows, episodes, len(JOINTS)))
    arm, assumed = build_arm(payload), build_arm(np.zeros(episodes))
    q, velocity = set_points[0], np.zeros((episodes, len(JOINTS)))
    record = []
    for t in range(rows):
        angle, rate = q + angle_noise[t], velocity + rate_noise[t]
        torque = gravity_torque(assumed.chain, assumed.mass, angle) + assumed.spring * angle
        torque += STIFFNESS * (set_points[t] - angle) - RATE_GAIN * rate
        record.append((angle, torque, q, velocity))
        q, velocity = arm.advance(q, velocity, torque, RECIPE.sample_time, SUBSTEPS)
    return Episodes(payload, *(np.stack(values, 1) for values in zip(*record, strict=True)))


def build_arm(payload: np.ndarray) -> Arm:
    """Arms that differ in their payload (E,) kg, a point mass in the hand."""
    link_mass = np.array([1.0, 1.0, 2.5, 0.8, 1.5, 0.4, 0.5])
    sizes = np.array([[0.1, 0.1, 0.1]] * 2 + [[0.08, 0.08, 0.3], [0.08, 0.08, 0.08], [0.07, 0.07, 0.25]]
                     + [[0.06, 0.06, 0.06], [0.08, 0.03, 0.12]])  # fmt: skip
    centers = np.outer([0.0, 0.0, -0.15, 0.0, -0.12, 0.0, -0.06], Z)
    boxes = [m / 12 * np.diag((s**2).sum() - s**2) for m, s in zip(link_mass, sizes, strict=True)]
    chain = Chain(
        axes=np.stack([Y, X, Z, Y, Z, Y, X]),
        offsets=np.outer([0.0, 0.0, -0.05, -0.3, -0.02, -0.25, 0.0], Z),
        body_link=np.array([*range(7), 6]),
        # Held a little beside the axis of the forearm, so that its twist feels the payload as well.
        body_center=np.vstack([centers, [0.04, 0.0, -0.12]]),
        body_inertia=np.stack([*boxes, np.zeros((3, 3))]),
    )
    return Arm(
        chain=chain,
        mass=np.column_stack([np.tile(link_mass, (len(payload), 1)), payload]),
        rotor=np.array([0.2, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05]),
        damping=np.array([4.0, 4.0, 1.5, 2.0, 0.6, 0.6, 0.6]),
        spring=np.array([4.0, 4.0, 4.0, 3.0, 2.0, 1.0, 1.0]),
    )


def _set_points(rng: np.random.Generator, episodes: int, rows: int) -> np.ndarray:
    """(T, E, J) sums of sines with random periods and phases, of standard deviation SWING / sqrt(2) about HOME."""
    shape = (SINES, episodes, len(JOINTS))
    frequency = 1.0 / rng.uniform(*PERIODS, shape)
    phase = rng.uniform(0.0, 1.0, shape)
    seconds = RECIPE.sample_time * np.arange(rows)[:, None, None, None]
    waves = np.sin(2 * np.pi * (frequency * seconds + phase)).sum(1)
    return HOME + SWING / np.sqrt(SINES) * waves


generate_at_once(RECIPE, generate_arm_payload)
