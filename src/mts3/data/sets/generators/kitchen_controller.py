"""From a pose for the gripper to the action of FrankaKitchen-v1: inverse kinematics and a servo turned around.

The environment takes joint velocities and gives the servo of each joint a set point: the measured angle, plus twice the
action times the sample time. It starts from the *measured* angle again at every step, so that a servo which holds the
weight of the arm by lagging behind lets it sink a little more each step. Gravity is therefore fed forward.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

ARM = slice(0, 7)  # joints of the arm; two fingers follow
ACTION_SPEED = 2.0  # set-point speed of action 1, rad/s or m/s
GAIN, TURN_GAIN = 5.0, 4.0  # 1/s, of the pose error
MAX_TURN = 1.5  # rad/s
DAMPING = 0.03  # of the least squares
LIMIT_MARGIN = 0.03  # rad, kept to the joints' limits
# Joint angles, rad, from which everything is within reach: gripper forwards, fingers side by side, elbow up. The
# environment starts close to them.
PARKED = np.array([0.15, -1.6, 1.85, -2.45, 0.26, 0.75, 1.6])
PARKED_GAIN = 0.3  # 1/s, towards them where the pose of the gripper leaves a choice


class GripperController:
    """Moves the gripper of one environment, orientation kept, at the speed that is asked for.

    Args:
        env: gymnasium-robotics' KitchenEnv; its simulator is read, never changed.
    """

    def __init__(self, env: Any) -> None:
        self._mujoco: Any = importlib.import_module("mujoco")
        self._model, self._data, self._dt = env.model, env.data, env.robot_env.dt
        self._site = self._model.site("end_effector").id
        self._stiffness = self._model.actuator_gainprm[ARM, 0]
        # What a damped joint covers of the way to its set point until the next one comes.
        self._covered = 1.0 - np.exp(-self._stiffness * self._dt / self._model.dof_damping[ARM])
        low, high = env.robot_env.robot_pos_bound[ARM].T
        span = self._model.jnt_range[ARM]
        self._low = np.maximum(low, span[:, 0]) + LIMIT_MARGIN
        self._high = np.minimum(high, span[:, 1]) - LIMIT_MARGIN

    @property
    def position(self) -> np.ndarray:
        """(3,) m, of the point between the finger tips."""
        return self._data.site_xpos[self._site].copy()

    def jacobian(self, site: str) -> tuple[np.ndarray, np.ndarray]:
        """(3, V) each: linear and angular velocity of a site per unit speed of everything that moves."""
        linear, angular = np.zeros((3, self._model.nv)), np.zeros((3, self._model.nv))
        self._mujoco.mj_jacSite(self._model, self._data, linear, angular, self._model.site(site).id)
        return linear, angular

    def action(self, target: np.ndarray, rotation: np.ndarray, speed: float, open_hand: bool) -> np.ndarray:
        """(9,) in [-1, 1]: a step towards position `target` (3,) m and `rotation` (3, 3), at most `speed` m/s."""
        return self._servo(self._joint_speed(self._twist(target, rotation, speed)), open_hand)

    def posture_error(self, angle: np.ndarray) -> float:
        """How far the arm is from joint angles (7,), rad, at the joint that is furthest."""
        return float(np.abs(angle - self._data.qpos[ARM]).max())

    def posture_action(self, angle: np.ndarray, open_hand: bool) -> np.ndarray:
        """(9,) in [-1, 1]: a step towards joint angles (7,)."""
        return self._servo(GAIN * (angle - self._data.qpos[ARM]), open_hand)

    def _servo(self, joint_speed: np.ndarray, open_hand: bool) -> np.ndarray:
        """(9,) for joint speeds (7,) rad/s, all of them slowed down alike where one is more than the servo gives."""
        move = joint_speed * self._dt / self._covered
        held = self._data.qfrc_bias[ARM] / self._stiffness  # how far ahead of the joint a set point carries the arm
        reach = ACTION_SPEED * self._dt
        room = (reach - np.sign(move) * held) / np.maximum(np.abs(move), 1e-9)
        arm = (move * np.clip(room.min(), 0.0, 1.0) + held) / reach
        return np.clip(np.append(arm, [1.0, 1.0] if open_hand else [-1.0, -1.0]), -1.0, 1.0)

    def _twist(self, target: np.ndarray, rotation: np.ndarray, speed: float) -> np.ndarray:
        """(6,) linear and angular velocity that takes the pose error away."""
        velocity = GAIN * (target - self.position)
        velocity *= min(1.0, speed / max(float(np.linalg.norm(velocity)), 1e-9))
        error = rotation @ self._data.site_xmat[self._site].reshape(3, 3).T
        axis = 0.5 * np.array([error[2, 1] - error[1, 2], error[0, 2] - error[2, 0], error[1, 0] - error[0, 1]])
        turn = TURN_GAIN * axis  # its length is the sine of the angle
        return np.append(velocity, turn * min(1.0, MAX_TURN / max(float(np.linalg.norm(turn)), 1e-9)))

    def _joint_speed(self, twist: np.ndarray) -> np.ndarray:
        """(7,) rad/s by damped least squares, without the joints that would then leave their range."""
        jacobian, angle = np.vstack(self.jacobian("end_effector"))[:, ARM], self._data.qpos[ARM]
        home = PARKED_GAIN * (PARKED - angle)
        free = np.ones(7, bool)
        while True:
            used = jacobian * free
            inverse = used.T @ np.linalg.inv(used @ used.T + DAMPING**2 * np.eye(6))
            speed = inverse @ twist + free * (home - inverse @ (used @ home))
            after = angle + speed * self._dt
            stuck = free & (((after < self._low) & (speed < 0)) | ((after > self._high) & (speed > 0)))
            if not stuck.any():
                return speed
            free &= ~stuck
