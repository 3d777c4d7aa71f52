"""The sampling time of a recording: the simulator's clock, whatever wrappers do; and a guess is called one."""

# ruff: noqa: E402  (gymnasium may be absent)

from types import SimpleNamespace

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces
from gymnasium.wrappers import MaxAndSkipObservation, TimeLimit

from mts3.data import load_dataset
from mts3.data.gym.recorder import RecordTrajectories, record
from mts3.errors import UserError


class Ticking(gymnasium.Env):
    """A simulator whose clock moves by `ticks` in turn, set back by every reset; its frames a second are wrong."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (1,))
    metadata = {"render_fps": 50}  # noqa: RUF012

    def __init__(self, ticks=(0.01,), last=None):
        self.ticks, self.last = ticks, last

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.data = SimpleNamespace(time=0.0)  # made anew, as some simulators are
        self.count = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.data.time += self.ticks[self.count % len(self.ticks)]
        self.count += 1
        return np.full(1, self.count, np.float32), 0.0, self.count == self.last, False, {}


class Around(gymnasium.Env):
    """Holds another environment, as the mazes hold their robot."""

    observation_space, action_space, metadata = Ticking.observation_space, Ticking.action_space, Ticking.metadata

    def __init__(self, inner, hidden=False):
        self.robot = SimpleNamespace(inner=inner) if hidden else inner
        self.inner = lambda: inner

    def reset(self, *, seed=None, options=None):
        return self.inner().reset(seed=seed)

    def step(self, action):
        return self.inner().step(action)


class Stranger(gymnasium.Env):
    """Has a `data` of its own, which is none of ours."""

    observation_space, action_space = Ticking.observation_space, Ticking.action_space
    metadata = {}  # noqa: RUF012

    @property
    def data(self):
        raise RuntimeError("only for members")

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 0.0, False, False, {}


def recorded(env, path=None, episodes=2, steps=5, sample_time=None):
    recorder = RecordTrajectories(env, path, sample_time)
    for _ in range(episodes):
        recorder.reset()
        for _ in range(steps):
            if recorder.step(np.zeros(1, np.float32))[2]:
                break
    return recorder


@pytest.mark.parametrize(
    "env",
    [
        Ticking(),
        TimeLimit(Ticking(), 100),
        Around(Ticking()),
        Around(TimeLimit(Ticking(), 100)),
        Around(Ticking(), hidden=True),
    ],
)
def test_the_clock_of_the_simulator_says_it_wherever_it_is_held(env, capsys):
    assert recorded(env).dataset().sample_time == 0.01
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("env_id", "seconds"), [("PointMaze_UMaze-v3", 0.01), ("AntMaze_UMaze-v5", 0.05)])
def test_the_mazes_are_not_sampled_at_the_speed_of_their_videos(env_id, seconds, tmp_path):
    pytest.importorskip("gymnasium_robotics")
    record(f"gymnasium_robotics:{env_id}", episodes=2, steps=3, output=tmp_path / "maze.npz", flatten=True)
    assert load_dataset(None, tmp_path / "maze.npz").sample_time == seconds


def test_frames_that_a_wrapper_skips_are_counted(tmp_path, capsys):
    recorded(MaxAndSkipObservation(Ticking(), skip=4), tmp_path / "file.npz").close()
    recorded(MaxAndSkipObservation(Ticking(), skip=4), tmp_path / "folder").close()
    for path in ("file.npz", "folder/episode_000.npz", "folder/episode_001.npz"):
        assert load_dataset(None, tmp_path / path).sample_time == 0.04
    assert capsys.readouterr().err == ""


def test_without_a_clock_skipped_frames_are_counted_too(capsys):
    env = RecordTrajectories(MaxAndSkipObservation(gymnasium.make("Pendulum-v1"), skip=4))
    env.reset()
    for _ in range(50):
        env.step(np.zeros(1, np.float32))
    assert env.dataset().sample_time == 0.2
    assert "sample_time 0.2 s is a guess, the environment's dt times 4, as a wrapper repeats" in capsys.readouterr().err


def with_dt(dt):
    env = Stranger()
    env.dt = dt
    return env


def with_frames(frames):
    env = Stranger()
    env.metadata = {"render_fps": frames}
    return env


def stopped():
    return Ticking(ticks=(0.0,))


@pytest.mark.parametrize(
    ("env", "seconds", "source"),
    [
        (with_dt(0.3), 0.3, "the environment's dt"),
        (with_dt(np.float32(0.5)), 0.5, "the environment's dt"),
        (with_frames(4), 0.25, "1 / render_fps=4, the frames a second of the environment's videos"),
        (stopped(), 0.02, "1 / render_fps=50, the frames a second of the environment's videos"),
        (with_dt("fast"), 1.0, "one a step for want of better"),
        (with_dt(np.inf), 1.0, "one a step for want of better"),
        (Stranger(), 1.0, "one a step for want of better"),
    ],
)
def test_a_guess_is_called_one_once(env, seconds, source, capsys, tmp_path):
    recorder = recorded(env, tmp_path / "x.npz")
    for _ in range(2):
        assert recorder.dataset().sample_time == seconds
    recorder.close()
    assert capsys.readouterr().err == (
        f"sample_time {seconds:g} s is a guess, {source}: the environment has no clock that is known here; "
        "sample_time=SECONDS says it better\n"
    )
    assert load_dataset(None, tmp_path / "x.npz").sample_time == seconds


def test_what_the_user_says_is_no_guess_and_is_kept(capsys):
    assert recorded(Stranger(), sample_time=0.7).dataset().sample_time == 0.7
    assert recorded(Ticking(), sample_time=0.0104).dataset().sample_time == 0.0104
    assert capsys.readouterr().err == ""
    assert recorded(Ticking(), sample_time=0.02).dataset().sample_time == 0.02
    assert (
        capsys.readouterr().err == "sample_time=0.02 is kept, but by the simulator's clock a step took 0.01 s\n"
    )  # fmt: skip
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(UserError, match="expected seconds per step, > 0"):
            RecordTrajectories(Ticking(), sample_time=wrong)


def test_a_clock_that_moves_unevenly_is_said(capsys):
    assert recorded(Ticking(ticks=(0.01, 0.01, 0.03)), steps=6).dataset().sample_time == 0.01
    assert capsys.readouterr().err == (
        "4 of 12 steps took 0.03 s instead of 0.01 s; the recording has one sample_time for all\n"
    )
    recorded(Ticking(ticks=(0.01, 0.01, 0.03, 0.01, -0.06)), episodes=1).dataset()
    assert "2 of 5 steps took -0.06 to 0.03 s instead of 0.01 s;" in capsys.readouterr().err


def test_steps_cut_short_by_the_end_of_an_episode_do_not_decide(capsys):
    env = MaxAndSkipObservation(Ticking(last=6), skip=4)
    assert recorded(env, episodes=3).dataset().sample_time == 0.04
    assert capsys.readouterr().err == (
        "3 of 6 steps took 0.02 s instead of 0.04 s, each at the end of an episode; "
        "the recording has one sample_time for all\n"
    )
    assert recorded(MaxAndSkipObservation(Ticking(last=4), skip=4)).dataset().sample_time == 0.04
    assert capsys.readouterr().err == ""


def test_long_recordings_count_the_same_although_a_clock_adds_up_inexactly(capsys):
    assert recorded(Ticking(ticks=(1 / 60,)), episodes=1, steps=3000).dataset().sample_time == pytest.approx(1 / 60)
    assert capsys.readouterr().err == ""
