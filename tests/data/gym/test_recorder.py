"""Recording environments: what was done and seen, to the row; and nothing lost when a script ends badly."""

# ruff: noqa: E402  (gymnasium may be absent)

import importlib
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces

from mts3.cli.data_actions.record import record_data
from mts3.data import import_files, load_dataset
from mts3.data.gym.recorder import RecordTrajectories, record
from mts3.errors import UserError


class Counter(gymnasium.Env):
    """Observes how many steps it took, plus what it was told; ends after `last` of them."""

    def __init__(self, obs_space=None, action_space=None, last=5, terminates=True, bad_step=None):
        self.observation_space = obs_space or spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = action_space or spaces.Box(-1.0, 1.0, (1,))
        self.last, self.terminates, self.bad_step = last, terminates, bad_step
        self.buffer = np.zeros(self.observation_space.shape or (), self.observation_space.dtype)

    def _obs(self, value):
        self.buffer[...] = value  # one buffer for all observations, as fast simulators do
        return self.buffer

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return self._obs(0), {}

    def step(self, action):
        self.count += 1
        if self.count == self.bad_step:
            raise RuntimeError("the robot fell over")
        over = self.count == self.last
        return self._obs(self.count), 0.5 * self.count, over and self.terminates, over and not self.terminates, {}


def _steps(env, number, action=(0.25,)):
    env.reset()
    for _ in range(number):
        env.step(np.array(action, np.float32))


# What is recorded


@pytest.mark.parametrize("terminates", [True, False])
def test_a_trajectory_has_one_observation_more_than_actions_and_rewards(tmp_path, terminates):
    env = RecordTrajectories(Counter(terminates=terminates), tmp_path / "counts.npz", sample_time=0.1)
    for _ in range(2):
        _steps(env, 5)
    env.close()
    dataset = load_dataset(None, tmp_path / "counts.npz")
    assert (dataset.name, dataset.sample_time, dataset.has_reward) == ("counts", 0.1, True)
    assert [t.name for t in dataset.trajectories] == ["episode_000", "episode_001"]
    for trajectory in dataset.trajectories:
        np.testing.assert_array_equal(trajectory.obs, np.repeat(np.arange(6.0)[:, None], 2, 1))
        np.testing.assert_array_equal(trajectory.actions[:5], 0.25)
        np.testing.assert_array_equal(trajectory.reward[:5], [0.5, 1.0, 1.5, 2.0, 2.5])
        assert np.isnan(trajectory.reward[5])  # nothing was done in the last row
    assert os.listdir(tmp_path) == ["counts.npz"]


def test_pendulum_is_recorded_as_it_was():
    env = RecordTrajectories(gymnasium.make("Pendulum-v1"))
    seen, done, earned = [env.reset(seed=3)[0]], [], []
    env.action_space.seed(3)
    over = False
    while not over:
        done.append(env.action_space.sample())
        obs, reward, terminated, truncated, _ = env.step(done[-1])
        over = terminated or truncated
        seen.append(obs)
        earned.append(reward)
    dataset = env.dataset()
    (trajectory,) = dataset.trajectories
    assert len(trajectory) == 201
    np.testing.assert_array_equal(trajectory.obs, np.stack(seen))
    np.testing.assert_array_equal(trajectory.actions[:-1], np.stack(done))
    np.testing.assert_allclose(trajectory.reward[:-1], earned, rtol=1e-6)
    assert dataset.sample_time == 0.05  # its dt, not the frames of its video
    assert "Pendulum-v1" in dataset.attribution
    env.close()


def test_discrete_actions_are_one_of_many():
    env = RecordTrajectories(Counter(action_space=spaces.Discrete(3, start=-1)))
    env.reset()
    for action in (-1, 1, np.int64(0)):
        env.step(action)
    assert env.dataset().trajectories[0].actions[:3].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    with pytest.raises(UserError, match=r"action 2 is not in Discrete\(3, start=-1\)"):
        env.step(2)
    cart = record("CartPole-v1", episodes=2, steps=5)
    assert (cart.obs_dim, cart.action_names, cart.sample_time) == (4, ("action_0", "action_1"), 0.02)


@pytest.mark.parametrize(
    ("shape", "image_shape"), [((4, 6), (1, 4, 6)), ((4, 6, 3), (3, 4, 6)), ((2, 6, 7), (2, 6, 7))]
)
def test_images_are_laid_out_by_channel_and_between_0_and_1(shape, image_shape):
    env = RecordTrajectories(Counter(spaces.Box(0, 255, shape, np.uint8)))
    _steps(env, 3)
    dataset = env.dataset()
    assert dataset.image_shape == image_shape
    np.testing.assert_allclose(dataset.trajectories[0].obs[3], 3 / 255)


def test_the_pixels_of_colours_are_sorted():
    space = spaces.Box(0, 255, (4, 6, 3), np.uint8)
    picture = space.sample()
    env = RecordTrajectories(Counter(space))
    env.env._obs = lambda value: picture
    _steps(env, 2)
    row = env.dataset().trajectories[0].obs[1].reshape(3, 4, 6)
    np.testing.assert_allclose(row, np.moveaxis(picture, 2, 0) / 255, rtol=1e-6)


def test_a_cut_episode_is_kept_as_far_as_it_went_and_an_empty_one_is_not():
    env = RecordTrajectories(Counter())
    _steps(env, 3)
    env.reset()
    _steps(env, 1)
    assert [len(t) for t in env.dataset().trajectories] == [4, 2]


# Folders


def test_a_folder_gets_every_episode_when_it_ends_and_can_be_filled_again(tmp_path):
    for run in range(2):
        env = RecordTrajectories(Counter(), tmp_path / "runs")
        env.reset()
        _steps(env, 5)
        assert (tmp_path / "runs" / f"episode_00{2 * run}.npz").exists()
        with pytest.raises(UserError, match="call reset first"):
            env.step(np.zeros(1))
        _steps(env, 2)
        env.close()
    with pytest.raises(UserError, match=r"mts3 data import .*runs/\*\.npz"):
        env.dataset()
    files = sorted((tmp_path / "runs").iterdir())
    assert [file.name for file in files] == [f"episode_00{number}.npz" for number in range(4)]
    joined = import_files(files, tmp_path / "all.npz")
    assert [(t.name, len(t)) for t in joined.trajectories] == [
        ("episode_000", 6), ("episode_001", 3), ("episode_002", 6), ("episode_003", 3)
    ]  # fmt: skip


# Scripts that end badly


def test_an_exception_in_the_environment_keeps_what_came_before(tmp_path):
    with (
        pytest.raises(RuntimeError, match="fell over"),
        RecordTrajectories(Counter(bad_step=4), tmp_path / "x.npz") as env,
    ):
        _steps(env, 9)
    assert len(load_dataset(None, tmp_path / "x.npz").trajectories[0]) == 4


SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
import gymnasium
from mts3.data.gym.recorder import RecordTrajectories

env = RecordTrajectories(gymnasium.make("Pendulum-v1", max_episode_steps=10), sys.argv[1])
for episode in range(3):
    env.reset()
    for _ in range(10):
        env.step(env.action_space.sample())
env.reset()
env.step(env.action_space.sample())
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("stop", "path", "rows"),
    [
        (signal.SIGINT, "x.npz", [11, 11, 11, 2]),
        (signal.SIGKILL, "runs", [11, 11, 11]),
    ],
)
def test_a_script_that_never_closes_loses_nothing(tmp_path, stop, path, rows):
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert script.stdout is not None
    assert script.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    script.send_signal(stop)
    script.stdout.close()
    assert script.wait(30) != 0
    files = sorted((tmp_path / path).iterdir()) if path == "runs" else [tmp_path / path]
    assert [len(t) for file in files for t in load_dataset(None, file).trajectories] == rows
    assert not [name for name in os.listdir(tmp_path) if ".part" in name]


def test_an_environment_let_go_is_written(tmp_path):
    env = RecordTrajectories(Counter(), tmp_path / "x.npz")
    _steps(env, 2)
    del env
    assert len(load_dataset(None, tmp_path / "x.npz").trajectories[0]) == 3


def test_a_write_that_failed_can_be_tried_again(tmp_path):
    (tmp_path / "folder").write_text("a file in the way")
    env = RecordTrajectories(Counter(), tmp_path / "folder" / "x.npz")
    _steps(env, 2)
    with pytest.raises(UserError, match="cannot write"):
        env.close()
    (tmp_path / "folder").unlink()
    env.close()
    assert len(load_dataset(None, tmp_path / "folder" / "x.npz").trajectories[0]) == 3


# Mistakes


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Dict({"a": spaces.Box(0, 1, (2,))}), "FlattenObservation"),
        (spaces.Box(0.0, 1.0, (4, 6, 3)), "of bytes with the shape of an image"),
        (spaces.Box(0, 255, (8, 6, 7), np.uint8), "of bytes with the shape of an image"),
    ],
)
def test_observations_that_cannot_be_recorded(space, message):
    env = Counter()
    env.observation_space = space
    with pytest.raises(UserError, match=message):
        RecordTrajectories(env)


def test_what_else_is_refused(tmp_path):
    env = Counter()
    env.action_space = spaces.Tuple((spaces.Discrete(2), spaces.Discrete(3)))
    with pytest.raises(UserError, match="expected a Box or choices: flatten=true"):
        RecordTrajectories(env)
    with pytest.raises(UserError, match="sample_time is -1; expected seconds per step"):
        RecordTrajectories(Counter(), sample_time=-1)
    many = gymnasium.make_vec("Pendulum-v1", 2)
    with pytest.raises(UserError, match="record them one by one"):
        RecordTrajectories(many)
    many.close()
    (tmp_path / "x.npz").write_text("dear to somebody")
    with pytest.raises(UserError, match=r"x\.npz exists already"):
        RecordTrajectories(Counter(), tmp_path / "x.npz")


@pytest.mark.parametrize("reward", [None, [1.0, 2.0], "much", [[1.0], [1.0, 2.0]]])
def test_a_reward_that_is_no_number_ends_the_episode(reward):
    env = RecordTrajectories(Counter())
    _steps(env, 2)
    env.env.step = lambda action: (np.zeros(2), reward, False, False, {})
    with pytest.raises(UserError, match=r"the environment gave the reward .*; expected one number|got .* of numbers"):
        env.step(np.zeros(1))
    assert len(env.dataset().trajectories[0]) == 3


def test_rewards_of_other_types_are_numbers():
    env = RecordTrajectories(Counter())
    env.reset()
    for reward in (np.float32(1.5), np.array([2.0]), True, 3):
        env.env.step = lambda action, reward=reward: (np.zeros(2), reward, False, False, {})
        env.step(np.zeros(1))
    assert env.dataset().trajectories[0].reward[:4].tolist() == [1.5, 2, 1, 3]


def test_what_a_recording_holds_is_said_at_its_end(tmp_path, capsys):
    env = RecordTrajectories(Counter(), tmp_path / "x.npz", sample_time=1)
    env.reset()
    for action in (-1.0, 1.0, -1.5, 7.0):
        env.step(np.array([action]))
    env.env.step = lambda action: (np.zeros(2), np.nan, False, False, {})
    env.step(np.zeros(1))
    assert capsys.readouterr().err == ""
    env.close()
    env.close()
    assert capsys.readouterr().err == (
        "2 of 5 actions were outside of Box(-1.0, 1.0, (1,), float32): recorded as they were given, though many "
        "environments cut such actions; a policy that cuts them says what was done\n"
        "in 1 of 5 steps the reward was NaN: recorded as not known\n"
    )
    trajectory = load_dataset(None, tmp_path / "x.npz").trajectories[0]
    np.testing.assert_array_equal(trajectory.actions[:5, 0], [-1, 1, -1.5, 7, 0])
    np.testing.assert_array_equal(trajectory.reward[:5], [0.5, 1, 1.5, 2, np.nan])


def test_an_action_beside_a_state_is_no_action():
    env = RecordTrajectories(Counter())
    env.reset()
    for action in ((np.zeros(1), None), None, {"action": 0.0}):
        with pytest.raises(UserError, match=r"expected (an array of )?numbers"):
            env.step(action)


def test_steps_that_cannot_be_recorded():
    env = RecordTrajectories(Counter())
    with pytest.raises(UserError, match="no step was recorded"):
        env.dataset()
    with pytest.raises(UserError, match="call reset first"):
        env.step(np.zeros(1))
    _steps(env, 5)
    with pytest.raises(UserError, match="call reset first"):
        env.step(np.zeros(1))
    env.reset()
    for action in (np.zeros(2), np.array([np.nan])):
        with pytest.raises(UserError, match="expected 1 finite numbers"):
            env.step(action)
    env.env._obs = lambda value: np.array([np.inf, 0.0])
    with pytest.raises(UserError, match="observed an infinite value"):
        env.step(np.zeros(1))
    with pytest.raises(UserError, match="call reset first"):  # a step is missing: no further one may follow
        env.step(np.zeros(1))
    del env.env._obs
    _steps(env, 2)
    env.env._obs = lambda value: np.zeros(3)
    with pytest.raises(UserError, match=r"observed shape \(3,\)"):
        env.step(np.zeros(1))
    assert [len(t) for t in env.dataset().trajectories] == [6, 3]
    del env.env._obs
    env.reset()
    env.env.step = lambda action: (np.zeros(2), np.inf, False, False, {})
    with pytest.raises(UserError, match="the reward inf"):
        env.step(np.zeros(1))


# Parts laid flat


class Parts(gymnasium.Env):
    """Observes and acts in parts."""

    observation_space = spaces.Dict({"observation": spaces.Box(-9, 9, (2,)), "goal": spaces.Discrete(3)})
    action_space = spaces.Dict({"push": spaces.Box(-1, 1, (1,)), "grip": spaces.Discrete(2)})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return {"observation": np.zeros(2, np.float32), "goal": 0}, {}

    def step(self, action):
        self.count += 1
        obs = {"observation": np.full(2, action["push"][0], np.float32), "goal": int(action["grip"])}
        return obs, 0.0, False, self.count == 4, {}


@pytest.fixture
def parts():
    gymnasium.register("Parts-v0", Parts, max_episode_steps=10)
    yield "Parts-v0"
    del gymnasium.registry["Parts-v0"]


def test_flatten_lays_parts_side_by_side_and_a_policy_sees_its_own(parts, tmp_path, monkeypatch):
    (tmp_path / "parts.py").write_text(
        "def act(obs):\n    return {'push': obs['observation'][:1] + 0.25, 'grip': (obs['goal'] + 1) % 2}\n"
    )
    monkeypatch.chdir(tmp_path)
    given = {"env": parts, "policy": "parts:act", "episodes": "1", "flatten": "true", "sample_time": 0.5}
    record_data({**given, "output": "x.npz"})
    dataset = load_dataset(None, "x.npz")
    assert dataset.obs_names == ("goal_0", "goal_1", "goal_2", "observation_0", "observation_1")
    assert (dataset.action_names, dataset.sample_time) == (("grip_0", "grip_1", "push_0"), 0.5)
    obs, actions = dataset.trajectories[0].obs, dataset.trajectories[0].actions
    np.testing.assert_array_equal(obs[:, 3], [0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_array_equal(obs[:, :3], [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(actions[:4], [[0, 1, 0.25], [1, 0, 0.5], [0, 1, 0.75], [1, 0, 1.0]])
    assert not record(parts, "zero", 1, flatten=True).trajectories[0].actions[:, 1:].any()
    with pytest.raises(UserError, match="flatten=true lays all its numbers side by side"):
        record_data({**given, "flatten": "false", "output": "y.npz"})
    with pytest.raises(UserError, match="flatten=yes; expected true or false"):
        record_data({**given, "flatten": "yes", "output": "y.npz"})


def test_observed_choices_are_one_of_many():
    lake = record("FrozenLake-v1", episodes=1, steps=4, sample_time=1.0)
    assert (lake.obs_dim, lake.action_dim) == (16, 4)
    np.testing.assert_array_equal(lake.trajectories[0].obs.sum(1), 1)
    assert lake.trajectories[0].obs[0, 0] == 1


# Policies


def test_an_episode_depends_on_its_number_and_the_seed_alone():
    few, more = (record("Pendulum-v1", episodes=n, steps=20, seed=4).trajectories for n in (2, 3))
    other = record("Pendulum-v1", episodes=1, steps=20, seed=5).trajectories
    for a, b in zip(few, more, strict=False):
        np.testing.assert_array_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.actions, b.actions)
    assert len({t.obs.tobytes() for t in (*more, *other)}) == len({t.actions.tobytes() for t in (*more, *other)}) == 4
    assert [len(t) for t in more] == [21] * 3


def test_policies_do_what_they_say(tmp_path, monkeypatch):
    assert not record("Pendulum-v1", "zero", 1, 10).trajectories[0].actions.any()
    np.testing.assert_array_equal(record("CartPole-v1", "zero", 1, 5).trajectories[0].actions, [[1, 0]] * 6)
    own = record("Pendulum-v1", lambda obs: -obs[2:], 1, 10).trajectories[0]
    np.testing.assert_array_equal(own.actions[:-1, 0], -own.obs[:-1, 2])
    (tmp_path / "my_policies.py").write_text(
        "def act(obs):\n    return -obs[2:]\n\n\ndef fall(obs):\n    return 1 / 0\n"
    )
    monkeypatch.chdir(tmp_path)
    given = {"env": "Pendulum-v1", "episodes": "1", "steps": "10", "seed": "0"}
    made = record_data({**given, "policy": "my_policies:act", "output": "own.npz"})
    np.testing.assert_array_equal(made.trajectories[0].obs, own.obs)
    np.testing.assert_array_equal(load_dataset(None, "own.npz").trajectories[0].actions, own.actions)
    assert str(tmp_path) not in sys.path
    with pytest.raises(UserError, match="policy my_policies:fall failed: ZeroDivisionError"):
        record_data({**given, "policy": "my_policies:fall", "output": "x.npz"})
    assert sorted(path.name for path in Path().glob("*.npz")) == ["own.npz"]


def test_what_fails_in_the_code_of_others_is_one_line(monkeypatch, tmp_path):
    gymnasium.register("Falling-v0", lambda: Counter(bad_step=3), max_episode_steps=9)
    gymnasium.register("Broken-v0", lambda: 1 / 0)
    (tmp_path / "broken_policy.py").write_text("act = 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(UserError, match="step of Falling-v0 failed: RuntimeError: the robot fell over"):
            record("Falling-v0", output=tmp_path / "x.npz")
        assert len(load_dataset(None, tmp_path / "x.npz").trajectories[0]) == 3
        with pytest.raises(UserError, match="making Broken-v0 failed: ZeroDivisionError: division by zero"):
            record("Broken-v0")
        with pytest.raises(UserError, match=r"cannot import policy broken_policy:act \(ZeroDivisionError"):
            record("Pendulum-v1", "broken_policy:act")
    finally:
        del gymnasium.registry["Falling-v0"], gymnasium.registry["Broken-v0"]


def test_an_interrupted_command_keeps_what_it_has(tmp_path):
    count = iter(range(30))

    def act(obs):
        if next(count) == 25:
            raise KeyboardInterrupt
        return np.zeros(1, np.float32)

    with pytest.raises(KeyboardInterrupt):
        record("Pendulum-v1", act, 5, 10, output=tmp_path / "x.npz")
    assert [len(t) for t in load_dataset(None, tmp_path / "x.npz").trajectories] == [11, 11, 6]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "x.npz"}, "record needs env=ID"),
        ({"env": "Pendulum-v1"}, r"record needs output=FILE\.npz"),
        ({"env": "Pendulum-v1", "output": "x.csv"}, r"ends in \.npz"),
        ({"env": "Pendulum-v9", "output": "x.npz"}, "cannot make the environment 'Pendulum-v9'"),
        ({"env": "no_such_module:It-v0", "output": "x.npz"}, "no_such_module"),
        ({"env": "Pendulum-v1", "output": "x.npz", "episodes": "many"}, "episodes=many is no whole number"),
        ({"env": "Pendulum-v1", "output": "x.npz", "steps": "0"}, "expected at least 1"),
        ({"env": "Pendulum-v1", "output": "x.npz", "policy": "randon"}, "unknown policy 'randon': did you mean random"),
        ({"env": "Pendulum-v1", "output": "x.npz", "policy": "nowhere:act"}, "cannot import policy nowhere:act"),
        ({"env": "Pendulum-v1", "output": "x.npz", "policy": "math:pi"}, "expected a function"),
    ],
)
def test_the_users_mistakes_write_nothing(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        record_data(options)
    assert not list(tmp_path.iterdir())


def test_an_endless_environment_needs_a_number_of_steps(monkeypatch):
    gymnasium.register("Counter-v0", Counter)
    try:
        with pytest.raises(UserError, match=r"may never end.*steps=N"):
            record("Counter-v0")
        assert len(record("Counter-v0", "zero", 1, 3).trajectories[0]) == 4
    finally:
        del gymnasium.registry["Counter-v0"]


def test_without_gymnasium_it_says_what_to_install(monkeypatch):
    for module in ("mts3.data.gym.recorder", "mts3.data.gym.episodes", "mts3.data.gym.spaces"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(UserError, match=r'needs gymnasium; install it with pip install "mts3\[sim\]"'):
        importlib.import_module("mts3.data.gym.recorder")


def test_the_example_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(Path(__file__).parents[3] / "examples" / "record_env.py"))
    assert [len(t) for t in load_dataset(None, "pendulum.npz").trajectories] == [201] * 20
