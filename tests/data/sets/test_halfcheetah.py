"""The running cheetah: what its policies earn, what is recorded, and episodes made of their number and seed alone."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")

from mts3.data.sets.generators import halfcheetah
from mts3.data.sets.generators.environment import make_environment

MEDIUM, EXPERT, MIXED = (
    halfcheetah.SETS[f"halfcheetah-linear-{kind}"]["small"] for kind in ("medium", "expert", "mixed")
)
SHORT = replace(MIXED, rows=301)


def digest(trajectory) -> str:
    return hashlib.sha256(
        b"".join(a.tobytes() for a in (trajectory.obs, trajectory.actions, trajectory.reward))
    ).hexdigest()


@pytest.mark.parametrize(("recipe", "mean", "std"), [(MEDIUM, 2308.0, 727.0), (EXPERT, 3381.0, 1099.0)])
def test_a_policy_earns_what_is_said_of_it(recipe, mean, std):
    """The mean of 16 episodes within three standard errors of what 100 other episodes earned."""
    made = halfcheetah.make_episodes(recipe, range(16), 0)
    returns = np.array([t.reward[:-1].sum() for t in made])
    assert abs(returns.mean() - mean) < 3 * std / np.sqrt(len(returns))
    assert {len(t) for t in made} == {1001}
    # Forward is what is paid for: the way of an episode, at 20 rows a second, less the price of the torques.
    way = np.array([t.obs[1:, 8].mean() * 50.0 for t in made])
    price = np.array([0.1 * (t.actions[:-1] ** 2).sum() for t in made])
    np.testing.assert_allclose(returns, 20.0 * way - price, rtol=0.05, atol=60.0)


def test_the_records_can_be_played_again():
    """The recorded torques alone, from the same start, lead through the recorded states and rewards."""
    (made,) = halfcheetah.make_episodes(EXPERT, range(3, 4), 5)
    environment = make_environment("HalfCheetah-v5")
    state, _ = environment.reset(seed=int(np.random.default_rng([5, 3]).integers(2**31)))
    for t in range(200):
        np.testing.assert_array_equal(made.obs[t], state[:9].astype(np.float32))
        state, reward, *_ = environment.step(made.actions[t])
        assert made.reward[t] == np.float32(reward)
    assert np.isnan(made.reward[-1])
    assert np.abs(made.actions).max() == 1.0


def test_the_channels_are_those_of_the_simulator():
    model = make_environment("HalfCheetah-v5").model
    joints = [model.joint(i).name for i in range(3, 9)]
    assert [name[0] + name.split("_")[1] for name in halfcheetah.JOINTS] == joints
    assert [model.actuator(i).name for i in range(6)] == joints
    assert MEDIUM.obs_names[2:8] == halfcheetah.JOINTS
    assert make_environment("HalfCheetah-v5").dt == MEDIUM.sample_time


def test_half_of_the_mixed_episodes_are_of_each_policy():
    mixed = halfcheetah.make_episodes(MIXED, range(4), 0)
    assert [t.name for t in mixed] == [f"episode_00{n}_{p}" for n, p in enumerate(("medium", "expert") * 2)]
    medium, expert = (halfcheetah.make_episodes(recipe, range(2), 0) for recipe in (MEDIUM, EXPERT))
    assert [digest(t) for t in mixed[:2]] == [digest(medium[0]), digest(expert[1])]
    np.testing.assert_array_equal(medium[1].obs[0], expert[1].obs[0])
    assert digest(medium[1]) != digest(expert[1])


def test_an_episode_depends_on_its_number_and_the_seed_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it stays
    many = halfcheetah.make_episodes(SHORT, range(8), 3)
    (alone,) = halfcheetah.make_episodes(SHORT, range(7, 8), 3)
    assert digest(many[7]) == digest(alone)
    assert len({digest(t) for t in (*many, *halfcheetah.make_episodes(SHORT, range(7, 8), 4))}) == 9
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
