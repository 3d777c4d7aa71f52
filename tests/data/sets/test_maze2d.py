"""The ball in the maze: inside its walls, from goal to goal, and each episode made of its number and seed alone."""

import hashlib
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics")

from mts3.data.sets.generators import maze2d
from mts3.errors import UserError

# A wall gives way: at 5 m/s the ball enters it by up to 3 cm before it is thrown back.
GIVES_WAY = 0.035
SMALL = maze2d.RECIPES["small"]
SHORT = replace(SMALL, rows=301)


@pytest.fixture(scope="module")
def episodes() -> list[maze2d.Episode]:
    return maze2d.simulate(range(12), SMALL.rows, seed=0)


def wall_distance(positions: np.ndarray) -> np.ndarray:
    """(...,) metres from a position (..., 2) to the nearest wall, 0 inside one."""
    row, column = np.nonzero(maze2d.maze_walls())
    middle = np.stack([column - 3.5, 3.5 - row], -1)
    return np.linalg.norm(np.maximum(np.abs(positions[..., None, :] - middle) - 0.5, 0.0), axis=-1).min(-1)


def digest(trajectory) -> str:
    return hashlib.sha256(trajectory.obs.tobytes() + trajectory.actions.tobytes()).hexdigest()


def test_the_walls_are_those_of_the_simulator():
    environment = maze2d.make_maze()
    np.testing.assert_array_equal(maze2d.maze_walls(), np.array(environment.maze.maze_map) == 1)
    for cell in np.argwhere(~maze2d.maze_walls()).tolist():
        middle = maze2d.middle_of(tuple(cell))
        np.testing.assert_array_equal(middle, environment.maze.cell_rowcol_to_xy(np.array(cell)))
        assert maze2d.cell_of(middle + 0.49) == maze2d.cell_of(middle - 0.49) == tuple(cell)
    ball = environment.point_env.model.geom("particle_geom")
    assert ball.size[0] == maze2d.BALL_RADIUS
    assert environment.point_env.dt == SMALL.sample_time


def test_the_ball_stays_inside_the_walls_and_bumps_into_them(episodes):
    distance = np.stack([wall_distance(e.position) for e in episodes])
    assert distance.min() > maze2d.BALL_RADIUS - GIVES_WAY
    touches = distance < maze2d.BALL_RADIUS
    assert touches.any(1).mean() > 0.5
    assert touches.mean() < 0.02
    visited = {maze2d.cell_of(p) for e in episodes for p in e.position}
    assert len(visited) == (~maze2d.maze_walls()).sum()


def test_goals_are_reached_one_after_the_other(episodes):
    for episode in episodes:
        new = np.flatnonzero((episode.goal[1:] != episode.goal[:-1]).any(1))
        assert len(new) >= 3
        assert np.diff([0, *new, SMALL.rows - 1]).max() < 450  # a way of 4.5 s would be a lost ball
        # A goal is exchanged in the step in which it is reached, and shown in the next.
        reached = np.linalg.norm(episode.position[new] - episode.goal[new], axis=1)
        assert (reached <= maze2d.GOAL_RADIUS).all()
        assert (wall_distance(episode.goal) > maze2d.BALL_RADIUS).all()


def test_the_recorded_push_moves_the_ball(episodes):
    """Far from walls and slower than 5 m/s: m (v' - v) / dt = 100 a - v', and x' = x + dt v'."""
    mass, dt = 4 / 3 * np.pi * maze2d.BALL_RADIUS**3 * 1000, SMALL.sample_time
    for episode in episodes[:3]:
        free = (wall_distance(episode.position) > 0.2)[:-1] & (np.abs(episode.velocity) < 5.0).all(1)[:-1]
        now, after = episode.velocity[:-1][free], episode.velocity[1:][free]
        expected = (mass * now + dt * 100.0 * episode.push[free]) / (mass + dt)
        np.testing.assert_allclose(after, expected, atol=1e-9)
        moved = np.diff(episode.position, axis=0)[free]
        np.testing.assert_allclose(moved, dt * after, atol=1e-9)
    push = np.concatenate([e.push for e in episodes])
    assert (np.abs(push) <= 1.0).all()
    assert 0.2 < (np.abs(push) == 1.0).mean() < 0.6


@pytest.mark.parametrize(("start", "end", "steps"), [((1, 1), (1, 6), 9), ((6, 6), (4, 4), 4), ((2, 2), (2, 2), 0)])
def test_a_way_is_the_shortest_and_goes_through_open_cells(start, end, steps):
    path = [start, *maze2d.shortest_path(start, end)]
    assert (len(path) - 1, path[-1]) == (steps, end)
    assert not maze2d.maze_walls()[tuple(np.transpose(path))].any()
    assert (np.abs(np.diff(path, axis=0)).sum(1) == 1).all()


def test_an_episode_depends_on_its_number_and_the_seed_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it stays
    many = maze2d.make_episodes(SHORT, range(8), 3)
    (alone,) = maze2d.make_episodes(SHORT, range(7, 8), 3)
    assert digest(many[7]) == digest(alone)
    assert len({digest(t) for t in (*many, *maze2d.make_episodes(SHORT, range(7, 8), 4))}) == 9
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (alone.name, alone.obs.shape, alone.actions.shape) == ("episode_007", (301, 2), (301, 2))


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    maze2d.simulate(range(1), 3)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_simulator_is_the_users_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium_robotics", None)
    with pytest.raises(UserError, match=r'pip install "mts3\[sim\]"'):
        maze2d.simulate(range(1), 3)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(UserError, match=r'pip install "mts3\[sim\]"'):
        maze2d.simulate(range(1), 3)
