"""Demonstrations in the kitchen: they open what they claim, and each is made of its number and seed alone."""

import dataclasses
import hashlib
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics")

from mts3.data.sets.generators import kitchen
from mts3.data.sets.generators.environment import make_environment
from mts3.data.sets.generators.kitchen import TASKS
from mts3.data.sets.generators.kitchen_controller import GripperController
from mts3.errors import UserError

SMALL = kitchen.RECIPES["small"]
SHORT = dataclasses.replace(SMALL, rows=15)


@pytest.fixture(scope="module")
def environment() -> Any:
    return make_environment("gymnasium_robotics:FrankaKitchen-v1", robot_noise_ratio=0.0, object_noise_ratio=0.0)


@pytest.fixture(scope="module")
def demonstration() -> kitchen.Demonstration:
    return kitchen.demonstrate(range(1), SMALL.rows)[0]


def distance(obs: np.ndarray, task: str) -> np.ndarray:
    """(T,) from the task's goal, as the environment measures it; observed channels are qpos, in its order."""
    from gymnasium_robotics.envs.franka_kitchen import kitchen_env

    return np.linalg.norm(obs[:, kitchen_env.OBS_ELEMENT_INDICES[task]] - kitchen_env.OBS_ELEMENT_GOALS[task], axis=1)


def digest(trajectory) -> str:
    return hashlib.sha256(trajectory.obs.tobytes() + trajectory.actions.tobytes()).hexdigest()


# The demonstration


def test_a_demonstration_opens_what_it_claims_and_nothing_else(demonstration):
    assert demonstration.done == demonstration.planned
    assert len(set(demonstration.done)) == kitchen.TASKS_DONE
    far = {task: distance(demonstration.obs, task) for task in TASKS}
    for task in demonstration.done:
        assert far[task][0] > 0.35
        assert far[task][-1] < 0.3  # and it stays so, whatever the arm does next
    (left,) = set(TASKS) - set(demonstration.done)
    assert (far[left] > 0.35).all()


def test_the_knobs_of_the_stove_are_not_touched(demonstration):
    """They settle in the first two seconds; what is left is the noise of their readings, 1e-4 rad at most."""
    assert "light switch" in demonstration.done
    burners = demonstration.obs[25:, 9:17]
    assert np.ptp(burners, axis=0).max() < 2e-4


def test_tasks_are_done_in_the_order_that_is_claimed(demonstration):
    reached = [np.argmax(distance(demonstration.obs, task) < 0.3) for task in demonstration.done]
    assert (np.diff([0, *reached]) > 15).all()


def test_a_demonstration_that_is_cut_off_claims_less():
    (cut,) = kitchen.demonstrate(range(1), 60)
    assert 1 <= len(cut.done) < len(cut.planned)
    assert all((distance(cut.obs, task) < 0.3).any() for task in cut.done)


def test_tasks_are_drawn_in_any_order_that_works():
    drawn = {kitchen._draw_tasks(np.random.default_rng([0, number])) for number in range(300)}
    assert len(drawn) > 60
    assert {names[0] for names in drawn} == set(TASKS)
    for names in drawn:
        assert len(set(names)) == kitchen.TASKS_DONE
        if {"slide cabinet", "hinge cabinet"} <= set(names):
            assert names.index("slide cabinet") < names.index("hinge cabinet")


def test_joints_keep_their_range_and_actions_theirs(demonstration, environment):
    low, high = environment.model.jnt_range[:9].T
    margin = 0.01  # limits are soft, readings noisy
    assert (demonstration.obs[:, :9] > low - margin).all()
    assert (demonstration.obs[:, :9] < high + margin).all()
    assert np.abs(demonstration.action).max() == 1.0
    assert (demonstration.action[:, :7].std(0) > 0.1).all()


# The controller


def test_gravity_is_fed_forward(environment):
    """Told to stay, the arm stays; with the zero action, which means as much, it sinks by a hand's breadth."""
    moved = {}
    for name in ("controller", "zero"):
        environment.reset(seed=0)
        gripper = GripperController(environment)
        angle, before = environment.data.qpos[:7].copy(), gripper.position
        for _ in range(25):
            environment.step(gripper.posture_action(angle, open_hand=False) if name == "controller" else np.zeros(9))
        moved[name] = np.linalg.norm(gripper.position - before)
    assert moved["controller"] < 0.02
    assert moved["zero"] > 0.1


def test_the_gripper_goes_where_it_is_told_and_keeps_its_direction(environment):
    environment.reset(seed=0)
    gripper = GripperController(environment)
    forward = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    for target in ([-0.4, 0.4, 2.2], [-0.2, 0.3, 2.1]):
        for _ in range(40):
            action = gripper.action(np.array(target), forward, 0.5, open_hand=True)
            assert np.abs(action).max() <= 1.0
            environment.step(action)
        np.testing.assert_allclose(gripper.position, target, atol=0.02)
        rotation = environment.data.site("end_effector").xmat.reshape(3, 3)
        assert np.trace(rotation.T @ forward) > 1.0 + 2.0 * np.cos(0.1)  # less than 0.1 rad between them


# The set


def test_channels_are_the_positions_of_what_they_name(environment):
    qpos = environment.reset(seed=0)[0]["observation"][kitchen.OBSERVED]
    np.testing.assert_array_equal(qpos, environment.data.qpos)
    same = {"light_switch", "slide_cabinet", "left_hinge_cabinet", "right_hinge_cabinet", "microwave"}
    for name in same | {f"{side}_burner" for side in ("bottom_right", "bottom_left", "top_right", "top_left")}:
        assert environment.model.joint(name).qposadr[0] == SMALL.obs_names.index(name)
    assert environment.model.joint("kettle").qposadr[0] == SMALL.obs_names.index("kettle_x")
    assert environment.robot_env.dt == SMALL.sample_time
    assert {len(r.obs_units) for r in kitchen.RECIPES.values()} == {30}
    assert {len(r.action_units) for r in kitchen.RECIPES.values()} == {9}


def test_an_episode_depends_on_its_number_and_the_seed_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it stays
    many = kitchen.make_episodes(SHORT, range(5, 8), 3)
    (alone,) = kitchen.make_episodes(SHORT, range(7, 8), 3)
    assert digest(many[-1]) == digest(alone)
    assert len({digest(t) for t in (*many, *kitchen.make_episodes(SHORT, range(7, 8), 4))}) == 4
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (alone.name, alone.obs.shape, alone.actions.shape) == ("episode_007", (15, 30), (15, 9))


def test_a_missing_simulator_is_the_users_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium_robotics", None)
    with pytest.raises(UserError, match=r'pip install "mts3\[sim\]"'):
        kitchen.demonstrate(range(1), 3)
