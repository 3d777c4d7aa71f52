"""The arm's mechanics against textbooks: closed form, recursion, energy, rest."""

import numpy as np
import pytest

from mts3.data.sets.generators import arm_payload
from mts3.data.sets.generators.rigid_body import GRAVITY, Chain, equation_of_motion, gravity_torque, pose


@pytest.fixture
def poses(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Angles and rates of six arms, far from any special pose."""
    return rng.uniform(-2, 2, (6, 7)), rng.uniform(-2, 2, (6, 7))


def test_two_links_match_the_textbook_formula(rng):
    """Mass matrix, Coriolis and gravity torques of a planar double pendulum of rods; Spong et al., section 7.4."""
    length, center, m1, m2 = 0.7, 0.3, 1.3, 0.8
    inertia = np.array([0.02, 0.03])
    down = np.array([0.0, 0.0, -1.0])
    chain = Chain(
        axes=np.tile([0.0, 1.0, 0.0], (2, 1)),
        offsets=np.array([0.0 * down, length * down]),
        body_link=np.arange(2),
        body_center=np.tile(center * down, (2, 1)),
        body_inertia=inertia[:, None, None] * np.diag([0.5, 1.0, 2.0]),  # only turning about y counts
    )
    q, v = rng.uniform(-3, 3, (20, 2)), rng.uniform(-3, 3, (20, 2))
    mass_matrix, torque = equation_of_motion(chain, np.tile([m1, m2], (20, 1)), q, v)
    cos, sin = np.cos(q[:, 1]), np.sin(q[:, 1])
    m22 = m2 * center**2 + inertia[1] + 0 * cos
    m12 = m22 + m2 * length * center * cos
    m11 = m1 * center**2 + inertia[0] + m2 * length**2 + m2 * length * center * cos + m12
    np.testing.assert_allclose(mass_matrix, np.stack([m11, m12, m12, m22], 1).reshape(-1, 2, 2), rtol=1e-12)
    coupling, g = m2 * length * center * sin, -GRAVITY[2]
    outer = m2 * center * g * np.sin(q.sum(1))
    expected = np.stack(
        [
            -coupling * (2 * v[:, 0] * v[:, 1] + v[:, 1] ** 2)
            + (m1 * center + m2 * length) * g * np.sin(q[:, 0])
            + outer,
            coupling * v[:, 0] ** 2 + outer,
        ],
        axis=1,
    )
    np.testing.assert_allclose(torque, expected, rtol=1e-10, atol=1e-10)


def recursive_newton_euler(chain: Chain, mass: np.ndarray, q, v, a) -> np.ndarray:
    """The torque of one chain, link by link: out with the motion, back with the forces. Luh, Walker and Paul (1980)."""
    joints = len(chain.axes)
    at = pose(chain, q[None])
    origin, axis, center, turned = at.origin[0], at.axis[0], at.center[0], at.body_rotation[0]
    spin, spin_up, up, reached = np.zeros(3), np.zeros(3), -GRAVITY, np.zeros(3)
    motion = []
    for j in range(joints):
        arm = origin[j] - reached
        up = up + np.cross(spin_up, arm) + np.cross(spin, np.cross(spin, arm))
        spin_up = spin_up + axis[j] * a[j] + np.cross(spin, axis[j] * v[j])
        spin = spin + axis[j] * v[j]
        reached = origin[j]
        motion.append((spin, spin_up, up))
    torque, force, moment = np.zeros(joints), np.zeros(3), np.zeros(3)
    for j in reversed(range(joints)):
        # What the next link asks for acts at its own joint.
        moment = moment + (np.cross(origin[j + 1] - origin[j], force) if j + 1 < joints else 0.0)
        spin, spin_up, up = motion[j]
        for b in np.flatnonzero(chain.body_link == j):
            arm = center[b] - origin[j]
            push = mass[b] * (up + np.cross(spin_up, arm) + np.cross(spin, np.cross(spin, arm)))
            inertia = turned[b] @ chain.body_inertia[b] @ turned[b].T
            force = force + push
            moment = moment + np.cross(arm, push) + inertia @ spin_up + np.cross(spin, inertia @ spin)
        torque[j] = axis[j] @ moment
    return torque


def test_seven_joints_match_the_recursive_algorithm(rng, poses):
    q, v = poses
    a = rng.uniform(-3, 3, q.shape)
    arm = arm_payload.build_arm(rng.uniform(0, 3, len(q)))
    mass_matrix, drift = equation_of_motion(arm.chain, arm.mass, q, v)
    torque = (mass_matrix @ a[..., None])[..., 0] + drift
    for row in range(len(q)):
        expected = recursive_newton_euler(arm.chain, arm.mass[row], q[row], v[row], a[row])
        np.testing.assert_allclose(torque[row], expected, rtol=1e-10, atol=1e-10)
    assert (np.linalg.eigvalsh(mass_matrix) > 0).all()


def test_gravity_is_the_gradient_of_the_potential_energy(poses):
    q, _ = poses
    arm = arm_payload.build_arm(np.linspace(0, 3, len(q)))
    step = 1e-6
    ends = [[_potential_energy(arm, q + sign * step * e) for sign in (1, -1)] for e in np.eye(7)]
    gradient = np.stack([(up - down) / (2 * step) for up, down in ends], 1)
    np.testing.assert_allclose(gravity_torque(arm.chain, arm.mass, q), gradient, atol=1e-7)


def _energy(arm: arm_payload.Arm, q: np.ndarray, v: np.ndarray) -> np.ndarray:
    mass_matrix = equation_of_motion(arm.chain, arm.mass, q, v)[0] + np.diag(arm.rotor)
    kinetic = np.einsum("ej,ejk,ek->e", v, mass_matrix, v) / 2
    return kinetic + _potential_energy(arm, q) + (arm.spring * q**2).sum(1) / 2


def _potential_energy(arm: arm_payload.Arm, q: np.ndarray) -> np.ndarray:
    """(E,) joules, zero with every centre of mass at the height of the first joint's frame."""
    return -np.einsum("eb,ebx,x->e", arm.mass, pose(arm.chain, q).center, GRAVITY)


def test_energy_stays_without_torque_and_friction_and_falls_with_friction(poses):
    q, v = poses
    arm = arm_payload.build_arm(np.linspace(0, 3, len(q)))
    free = arm_payload.Arm(arm.chain, arm.mass, arm.rotor, 0.0 * arm.damping, arm.spring)
    before, moved = _energy(free, q, v), free.advance(q, v, np.zeros_like(q), 1.0, 200)
    assert np.abs(moved[0] - q).max() > 1.0
    np.testing.assert_allclose(_energy(free, *moved), before, atol=1e-4)
    assert (_energy(arm, *arm.advance(q, v, np.zeros_like(q), 1.0, 100)) < before - 1.0).all()


def test_at_rest_under_the_gravity_torque_and_only_with_the_right_payload(poses):
    q = 0.3 * poses[0]
    arm = arm_payload.build_arm(np.linspace(0.5, 3, len(q)))
    torque = gravity_torque(arm.chain, arm.mass, q) + arm.spring * q
    stays, rate = arm.advance(q, np.zeros_like(q), torque, 2.0, 50)
    np.testing.assert_allclose(stays, q, atol=1e-10)
    np.testing.assert_allclose(rate, 0.0, atol=1e-10)
    empty = arm_payload.build_arm(np.zeros(len(q)))
    assert (np.abs(empty.advance(q, np.zeros_like(q), torque, 2.0, 50)[0] - q).max(1) > 0.02).all()
