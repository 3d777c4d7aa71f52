"""The robot on its hills: physics that one can work out by hand, and episodes made of number and seed alone."""

import dataclasses
import hashlib
import sys

import numpy as np
import pytest

pytest.importorskip("mujoco")

import mujoco

from mts3.data.sets.generators import mobile_robot
from mts3.errors import UserError

SMALL = mobile_robot.RECIPES["small"]
SHORT = dataclasses.replace(SMALL, rows=50)
DT, RADIUS, MASS, GRAVITY = SMALL.sample_time, 0.165, 33.0 + 4 * 2.6, 9.81
AXIS = np.linspace(-mobile_robot.HALF_SIDE, mobile_robot.HALF_SIDE, mobile_robot.GRID)
ABOVE = [0.0, 0.0, RADIUS + 0.01]


@pytest.fixture(scope="module")
def model() -> "mujoco.MjModel":
    return mobile_robot.build_model()


@pytest.fixture(scope="module")
def drives() -> list[mobile_robot.Drive]:
    return mobile_robot.simulate(range(3), 1201)


def digest(trajectory) -> str:
    return hashlib.sha256(trajectory.obs.tobytes() + trajectory.actions.tobytes()).hexdigest()


# Physics


def test_on_flat_ground_it_rolls_straight_at_the_speed_of_its_wheels(model):
    flat = np.zeros((mobile_robot.GRID, mobile_robot.GRID))
    drive = mobile_robot.drive(model, flat, np.array([*ABOVE, 1.0, 0.0, 0.0, 0.0]), np.full((480, 2), 5.0))
    assert drive is not None
    speed = np.diff(drive.position[-241:], axis=0) / DT
    np.testing.assert_allclose(speed.mean(0), [5.0 * RADIUS, 0.0, 0.0], atol=0.02)
    np.testing.assert_allclose(drive.attitude[-1], 0.0, atol=0.01)
    np.testing.assert_allclose(drive.position[:, 2], RADIUS, atol=0.01)
    assert abs(drive.torque[-240:].sum(1).mean()) < 0.5
    assert drive.torque[0].min() == pytest.approx(20.0, abs=1.0)  # from rest at full torque


def test_uphill_the_torques_carry_the_weight(model):
    """At constant speed their sum is m g sin(slope) r; the nose points up, which is a negative pitch."""
    slope = 0.06
    height = np.tile(slope * AXIS, (mobile_robot.GRID, 1))  # rises along x
    drive = mobile_robot.drive(model, height, np.array([*ABOVE, 1.0, 0.0, 0.0, 0.0]), np.full((480, 2), 4.0))
    assert drive is not None
    weight = MASS * GRAVITY * np.sin(np.arctan(slope)) * RADIUS
    assert drive.torque[-240:].sum(1).mean() == pytest.approx(weight, rel=0.1)
    assert drive.attitude[-240:, 1].mean() == pytest.approx(-np.arctan(slope), abs=0.01)
    climbed = drive.position[-1] - drive.position[-241]
    assert climbed[2] / climbed[0] == pytest.approx(slope, rel=0.05)


def test_it_turns_to_the_side_whose_wheels_are_slower(model):
    flat = np.zeros((mobile_robot.GRID, mobile_robot.GRID))
    for left, right in ((1.0, 5.0), (5.0, 1.0)):
        start = np.array([*ABOVE, 1.0, 0.0, 0.0, 0.0])
        drive = mobile_robot.drive(model, flat, start, np.tile([left, right], (240, 1)))
        assert drive is not None
        assert np.sign(drive.attitude[-1, 2]) == np.sign(right - left)
        assert 0.2 < abs(drive.attitude[-1, 2]) < 3.0
        # The slower side is dragged along: its wheels brake.
        mean = drive.torque[-120:].mean(0)
        slow, fast = (mean[[0, 2]], mean[[1, 3]]) if left < right else (mean[[1, 3]], mean[[0, 2]])
        assert slow.max() < 0.0 < fast.min()


def test_attitudes_are_those_of_the_rotation():
    """R = Rz(yaw) Ry(pitch) Rx(roll), against MuJoCo's own quaternions."""
    rng = np.random.default_rng(0)
    for roll, pitch, yaw in rng.uniform(-1.4, 1.4, (20, 3)):
        quaternion = np.zeros(4)
        mujoco.mju_euler2Quat(quaternion, [yaw, pitch, roll], "zyx")
        np.testing.assert_allclose(mobile_robot._attitude(quaternion[None])[0], [roll, pitch, yaw], atol=1e-9)


# The drives


def test_it_keeps_to_the_ground_and_on_its_wheels(drives):
    for drive in drives:
        row, column = (np.rint((drive.position[:, i] + 24.0) / 0.2).astype(int) for i in (1, 0))
        above = drive.position[:, 2] - drive.height[row, column]
        assert 0.1 < above.min() < above.max() < 0.3
        assert np.abs(drive.position[:, :2]).max() < mobile_robot.EDGE
        assert np.abs(drive.attitude[:, :2]).max() < np.radians(30)
        assert np.abs(np.diff(drive.position, axis=0)).max() / DT < 2.5
        assert np.linalg.norm(drive.position[-1] - drive.position[0]) > 0.3
    assert len({drive.height.tobytes() for drive in drives}) == len(drives)


def test_every_ground_fits_and_is_as_steep_as_drawn():
    steepest = []
    for number in range(40):
        height = mobile_robot.draw_ground(np.random.default_rng([0, number]))
        assert np.abs(height).max() < mobile_robot.MIDDLE
        steepest.append(np.degrees(np.arctan(np.hypot(*np.gradient(height, 0.2)).max())))
    assert 10.0 - 1e-6 < min(steepest) < 13.0
    assert 22.0 < max(steepest) < 25.0 + 1e-6


def test_set_points_hold_for_a_while():
    points = mobile_robot.draw_set_points(np.random.default_rng(0), 48001)
    assert points.shape == (48000, 2)
    held = np.diff(np.flatnonzero((np.diff(points, axis=0) != 0).any(1))) * DT
    assert 0.3 - DT < held.min() < 0.6
    assert 1.7 < held.max() < 2.0 + DT


def test_observations_are_as_the_recipe_names_them(drives):
    drive, column = drives[0], {name: i for i, name in enumerate(SMALL.obs_names)}
    assert drive.obs.shape == (1201, 9)
    np.testing.assert_array_equal(drive.obs[:, :3], drive.position)
    for i, angle in enumerate(("roll", "pitch", "yaw")):
        np.testing.assert_array_equal(drive.obs[:, column[f"sin_{angle}"]], np.sin(drive.attitude[:, i]))
        np.testing.assert_array_equal(drive.obs[:, column[f"cos_{angle}"]], np.cos(drive.attitude[:, i]))
    assert np.abs(drive.torque).max() <= 20.0


# The episodes


def test_a_drive_that_leaves_is_drawn_again_from_its_own_stream(monkeypatch):
    """With a small world some do; what comes instead stays inside, and is the same alone and in company."""
    free = mobile_robot.simulate(range(6), 480, seed=1)
    edge = float(np.median([np.abs(drive.position[:, :2]).max() for drive in free]))
    monkeypatch.setattr(mobile_robot, "EDGE", edge)
    inside = mobile_robot.simulate(range(6), 480, seed=1)
    changed = [not np.array_equal(a.position, b.position) for a, b in zip(free, inside, strict=True)]
    assert changed == [bool(np.abs(drive.position[:, :2]).max() > edge) for drive in free]
    assert any(changed)
    assert max(np.abs(drive.position[:, :2]).max() for drive in inside) <= edge
    again = changed.index(True)
    (alone,) = mobile_robot.simulate(range(again, again + 1), 480, seed=1)
    np.testing.assert_array_equal(alone.position, inside[again].position)


def test_a_robot_on_its_back_does_not_count(model):
    flat = np.zeros((mobile_robot.GRID, mobile_robot.GRID))
    assert mobile_robot.drive(model, flat, np.array([0.0, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0]), np.zeros((20, 2))) is None


def test_an_episode_depends_on_its_number_and_the_seed_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it stays
    many = mobile_robot.make_episodes(SHORT, range(8), 3)
    (alone,) = mobile_robot.make_episodes(SHORT, range(7, 8), 3)
    assert digest(many[7]) == digest(alone)
    assert len({digest(t) for t in (*many, *mobile_robot.make_episodes(SHORT, range(7, 8), 4))}) == 9
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (alone.name, alone.obs.shape, alone.actions.shape) == ("episode_007", (50, 9), (50, 4))


def test_a_missing_simulator_is_the_users_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(UserError, match=r'pip install "mts3\[sim\]"'):
        mobile_robot.simulate(range(1), 3)
