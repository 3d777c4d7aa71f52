"""A quadrotor as a rigid body: four rotors with a lag, drag in moving air.

    m v' = R e_z sum(f) + drag(wind - v) - m g e_z,      I w' = torque(f) - w x I w,      f' = (command - f) / lag,

with R the attitude, kept as a unit quaternion q' = q * (0, w) / 2. Arrays carry coordinates on their first axis and E
aircraft on their last. Nothing is summed over E, and sums over coordinates are written out, so that an aircraft's
numbers do not depend on how many fly beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

GRAVITY = 9.81
INERTIA = np.array([[0.007], [0.007], [0.012]])  # kg m2; what is carried sits in the middle and adds none
ARM = 0.17 / np.sqrt(2.0)  # m, of an X: how far forward or back, and left or right, a rotor is
YAW_PER_THRUST = 0.016  # m
MOST_THRUST = 6.0  # N, of a rotor
MOTOR_LAG = 0.05  # s
DRAG = (0.25, 0.02)  # kg/s, and kg/m for the square of the speed


@dataclass(frozen=True)
class State:
    """What moves, in the world's frame (z up) unless said otherwise; or how fast it changes.

    Attributes:
        position, velocity: (3, E) m and m/s.
        attitude: (4, E) unit quaternion, real part first, that turns a vector of the body into the world.
        rate: (3, E) rad/s, in the body's frame: x to the front, y to the left, z along the thrust.
        thrust: (4, E) N, of the rotors: front left, back left, back right, front right.
    """

    position: np.ndarray
    velocity: np.ndarray
    attitude: np.ndarray
    rate: np.ndarray
    thrust: np.ndarray

    def moved(self, change: State, seconds: float) -> State:
        """This state plus `seconds` times its rate of change."""
        return State(*(getattr(self, f.name) + seconds * getattr(change, f.name) for f in fields(State)))


@dataclass(frozen=True)
class Aircraft:
    """E aircraft: `mass` (E,) kg, and the coefficients of linear and quadratic drag."""

    mass: np.ndarray
    drag: tuple[float, float] = DRAG

    def change(self, state: State, command: np.ndarray, wind: np.ndarray) -> State:
        """The rate of change of a state, with commanded thrusts (4, E) N and wind (3, E) m/s."""
        air = wind - state.velocity
        drag = (self.drag[0] + self.drag[1] * np.sqrt(dot(air, air))) * air
        acceleration = (axes_of(state.attitude)[2] * sum(state.thrust) + drag) / self.mass
        acceleration[2] -= GRAVITY
        turning = np.concatenate([np.zeros_like(state.rate[:1]), state.rate])
        return State(
            position=state.velocity,
            velocity=acceleration,
            attitude=0.5 * product(state.attitude, turning),
            rate=(torque_of(state.thrust) - cross(state.rate, INERTIA * state.rate)) / INERTIA,
            thrust=(command - state.thrust) / MOTOR_LAG,
        )

    def advance(self, state: State, command: np.ndarray, wind: np.ndarray, seconds: float, steps: int) -> State:
        """The state `seconds` later: classical Runge-Kutta steps, the quaternion brought to length 1 after each."""
        dt = seconds / steps
        for _ in range(steps):
            k1 = self.change(state, command, wind)
            k2 = self.change(state.moved(k1, dt / 2), command, wind)
            k3 = self.change(state.moved(k2, dt / 2), command, wind)
            k4 = self.change(state.moved(k3, dt), command, wind)
            state = state.moved(k1, dt / 6).moved(k2, dt / 3).moved(k3, dt / 3).moved(k4, dt / 6)
            state = State(state.position, state.velocity, unit(state.attitude), state.rate, state.thrust)
        return state


def torque_of(thrust: np.ndarray) -> np.ndarray:
    """(3, E) Nm in the body's frame from the thrusts (4, E) of the rotors."""
    front_left, back_left, back_right, front_right = thrust
    return np.stack(
        [
            ARM * (front_left + back_left - back_right - front_right),
            ARM * (back_left + back_right - front_left - front_right),
            YAW_PER_THRUST * (front_left + back_right - back_left - front_right),
        ]
    )


def thrusts_for(total: np.ndarray, torque: np.ndarray) -> np.ndarray:
    """(4, E) N that make a thrust (E,) and a torque (3, E): the inverse of `torque_of`, within what rotors can do."""
    roll, pitch, yaw = torque[0] / ARM, torque[1] / ARM, torque[2] / YAW_PER_THRUST
    each = [roll - pitch + yaw, roll + pitch - yaw, -roll + pitch + yaw, -roll - pitch - yaw]
    return np.clip((total + np.stack(each)) / 4.0, 0.0, MOST_THRUST)


def axes_of(attitude: np.ndarray) -> np.ndarray:
    """(3, 3, E): the body's x, y and z axes in the world's frame, the columns of the rotation matrix."""
    w, x, y, z = attitude
    front = np.stack([1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y)])
    left = np.stack([2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x)])
    up = np.stack([2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)])
    return np.stack([front, left, up])


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton's product of quaternions (4, E)."""
    (aw, ax, ay, az), (bw, bx, by, bz) = a, b
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ]
    )


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a x b of vectors (3, E)."""
    (ax, ay, az), (bx, by, bz) = a, b
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(E,) a . b; the builtin adds row by row, in one order for any E, which numpy's sum does not promise."""
    return np.asarray(sum(a * b))


def unit(vector: np.ndarray) -> np.ndarray:
    """A vector of length 1 in the direction of this one."""
    return vector / np.sqrt(dot(vector, vector))
