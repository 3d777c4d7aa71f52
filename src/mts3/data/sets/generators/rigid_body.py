"""Rigid bodies on a chain of rotating joints: the equation of motion, many chains at once.

    M(q) q'' + h(q, q') = torque,

where M is the mass matrix and h collects gravity, Coriolis and centrifugal torques. Both come from Newton and Euler for
each body, projected on the joints by the Jacobians of its centre of mass (J_v) and of its rotation (J_w):

    M = sum_b m_b J_v' J_v + J_w' I_b J_w,
    h = sum_b J_v' m_b (a_b - g) + J_w' (I_b alpha_b + w_b x I_b w_b),

with a_b and alpha_b the accelerations that the velocities alone cause (q'' = 0). Arrays carry the chains on their first
axis: E chains, J joints, B bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GRAVITY = np.array([0.0, 0.0, -9.81])


@dataclass(frozen=True)
class Chain:
    """Geometry of a chain. At q = 0 the frames of all links are parallel to the world's.

    Attributes:
        axes: (J, 3) unit vectors the joints turn about, in their own link's frame.
        offsets: (J, 3) from the joint before to this one, in the frame of the link before; the first in the world's.
        body_link: (B,) the link that carries a body.
        body_center: (B, 3) its centre of mass in that link's frame, from the link's joint.
        body_inertia: (B, 3, 3) about its centre of mass, in that link's frame; zero for a point mass.
    """

    axes: np.ndarray
    offsets: np.ndarray
    body_link: np.ndarray
    body_center: np.ndarray
    body_inertia: np.ndarray


@dataclass(frozen=True)
class Pose:
    """Where everything is, in the world's frame: joints (E, J, 3), their axes (E, J, 3), bodies (E, B, 3).

    `body_rotation` (E, B, 3, 3) turns a vector of a body's link into the world's frame.
    """

    origin: np.ndarray
    axis: np.ndarray
    center: np.ndarray
    body_rotation: np.ndarray


def pose(chain: Chain, q: np.ndarray) -> Pose:
    """Forward kinematics of joint angles q (E, J)."""
    rotation = np.broadcast_to(np.eye(3), (len(q), 3, 3))
    position = np.zeros((len(q), 3))
    origins, rotations = [], []
    for joint, axis in enumerate(chain.axes):
        position = position + rotation @ chain.offsets[joint]
        rotation = rotation @ _rotation(axis, q[:, joint])
        origins.append(position)
        rotations.append(rotation)
    origin, rotation = np.stack(origins, 1), np.stack(rotations, 1)
    body_rotation = rotation[:, chain.body_link]
    return Pose(
        origin=origin,
        axis=_apply(rotation, chain.axes),
        center=origin[:, chain.body_link] + _apply(body_rotation, chain.body_center),
        body_rotation=body_rotation,
    )


def equation_of_motion(
    chain: Chain, mass: np.ndarray, q: np.ndarray, velocity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mass matrix M (E, J, J) and h (E, J), with M q'' + h = torque.

    Args:
        chain: Geometry, the same for all.
        mass: (E, B) of the bodies.
        q, velocity: (E, J) joint angles and their rates.
    """
    at = pose(chain, q)
    turn, move = _jacobians(chain, at)
    inertia = at.body_rotation @ chain.body_inertia @ at.body_rotation.transpose(0, 1, 3, 2)
    spin, spin_up, speed_up = _velocity_accelerations(chain, at, velocity)
    force = mass[:, :, None] * (speed_up - GRAVITY)
    moment = _apply(inertia, spin_up) + _cross(spin, _apply(inertia, spin))
    heavy_move = mass[:, :, None, None] * move
    heavy_turn = turn @ inertia  # inertia is symmetric
    mass_matrix = _stack(heavy_move) @ _stack(move).transpose(0, 2, 1)
    mass_matrix += _stack(heavy_turn) @ _stack(turn).transpose(0, 2, 1)
    torque = np.einsum("ebjx,ebx->ej", move, force) + np.einsum("ebjx,ebx->ej", turn, moment)
    return mass_matrix, torque


def gravity_torque(chain: Chain, mass: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The torque (E, J) that holds the chain still at q: the gradient of the potential energy."""
    move = _jacobians(chain, pose(chain, q))[1]
    return -np.einsum("eb,ebjx,x->ej", mass, move, GRAVITY)


def _jacobians(chain: Chain, at: Pose) -> tuple[np.ndarray, np.ndarray]:
    """J_w and J_v, (E, B, J, 3): what one rad/s of a joint gives a body. Joints further out do not move it."""
    carries = np.arange(len(chain.axes)) <= chain.body_link[:, None]
    turn = carries[:, :, None] * at.axis[:, None]
    return turn, _cross(turn, at.center[:, :, None] - at.origin[:, None])


def _velocity_accelerations(chain: Chain, at: Pose, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Angular velocity, and angular and linear acceleration at q'' = 0, of the bodies: (E, B, 3) each.

    Link j adds axis_j q'_j to the angular velocity w of the links before it, and that axis is itself turned by w.
    """
    own = at.axis * velocity[:, :, None]
    spin = np.cumsum(own, 1)
    spin_up = np.cumsum(_cross(spin, own), 1)
    arm = np.diff(at.origin, axis=1)
    between = _centripetal(spin[:, :-1], spin_up[:, :-1], arm)
    origin_up = np.concatenate([np.zeros_like(own[:, :1]), np.cumsum(between, 1)], 1)
    link = chain.body_link
    reach = at.center - at.origin[:, link]
    return spin[:, link], spin_up[:, link], origin_up[:, link] + _centripetal(spin[:, link], spin_up[:, link], reach)


def _centripetal(spin: np.ndarray, spin_up: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Acceleration of the tip of `arm` over that of its foot."""
    return _cross(spin_up, arm) + _cross(spin, _cross(spin, arm))


def _rotation(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(E, 3, 3) Rodrigues' formula."""
    x, y, z = axis
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle)[:, None, None] * k + (1.0 - np.cos(angle))[:, None, None] * (k @ k)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a x b over the last axis. Much faster than np.cross, which is where the time would go."""
    (ax, ay, az), (bx, by, bz) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    np.subtract(ay * bz, az * by, out=out[..., 0])
    np.subtract(az * bx, ax * bz, out=out[..., 1])
    np.subtract(ax * by, ay * bx, out=out[..., 2])
    return out


def _apply(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """matrix (..., 3, 3) times vector (..., 3)."""
    return (matrix @ vector[..., None])[..., 0]


def _stack(jacobian: np.ndarray) -> np.ndarray:
    """(E, B, J, 3) -> (E, J, 3 B)."""
    chains, bodies, joints, axes = jacobian.shape
    return jacobian.transpose(0, 2, 1, 3).reshape(chains, joints, bodies * axes)
