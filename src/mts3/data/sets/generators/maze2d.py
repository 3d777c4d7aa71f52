"""A ball that finds its way through a maze, pushed by a force: the setting of D4RL's maze2d-medium, simulated anew.

The physics are those of PointMaze_Medium-v3 of gymnasium-robotics: a ball of 4.2 kg slides without friction on the
floor and bumps into walls, 100 steps a second, at most 5 m/s. A goal lies somewhere; as soon as the ball is within
0.45 m of it there is another one. The ball follows the shortest way over the cells: a PD controller pulls it towards
one way-point after the other, and noise is added to its push.

Observed is the position alone: a filter finds the velocity from it. The goals and the ways to them are hidden.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.sets.generators.environment import make_environment, roll_out
from mts3.data.sets.generators.recipe import generated, recipes

MAZE = (
    "########",
    "#..##..#",
    "#..#...#",
    "##...###",
    "#..#...#",
    "#.#..#.#",
    "#...#..#",
    "########",
)
BALL_RADIUS = 0.1  # m
GOAL_RADIUS = 0.45  # m

# Controller: newtons are 100 times the push, which is cut off at 1.
POSITION_GAIN, VELOCITY_GAIN = 10.0, -1.0
WAY_POINT_RADIUS = 0.1  # m; closer than this it is passed
WAY_POINT_JITTER = 0.2  # m, at most, along each axis, from the middle of a cell
ACTION_NOISE = 0.5  # standard deviation

Cell = tuple[int, int]
"""Row from the top and column of a square of 1 m."""

RECIPES = recipes(
    "maze2d-medium-like",
    {"x": "m", "y": "m"},
    {"push_x": "", "push_y": ""},
    sample_time=0.01,
    attribution="generated: PointMaze_Medium-v3 of gymnasium-robotics, way-point controller",
    small=(100, 1001),
    paper=(1000, 1001),
)


@dataclass(frozen=True)
class Episode:
    """What happened, T rows, hidden quantities too.

    Attributes:
        position, velocity: (T, 2) m and m/s.
        push: (T - 1, 2) in [-1, 1]; push[t] acts from row t to row t + 1.
        goal: (T, 2) m, where the ball is on its way to.
    """

    position: np.ndarray
    velocity: np.ndarray
    push: np.ndarray
    goal: np.ndarray


def simulate(numbers: range, rows: int, seed: int = 0) -> list[Episode]:
    """Let a ball chase goals for `rows` rows, once for each number.

    Raises:
        UserError: if the simulator is not installed.
    """
    environment = make_maze()
    return [_chase(environment, rows, np.random.default_rng([seed, number])) for number in numbers]


make_episodes = generated(
    "maze2d", RECIPES, 20, simulate, lambda made: ([e.position for e in made], [e.push for e in made])
)


def make_maze() -> Any:
    """The gymnasium environment, which leaves no file behind.

    Raises:
        UserError: if the simulator is not installed.
    """
    environment = make_environment("gymnasium_robotics:PointMaze_Medium-v3", continuing_task=True, reset_target=True)
    Path(environment.tmp_xml_file_path).unlink()  # its model has been read from it
    return environment


def maze_walls() -> np.ndarray:
    """(8, 8) bool, True where a cell is wall.

    Row i, column j is the square j - 4 <= x <= j - 3, 3 - i <= y <= 4 - i: the first row is the top.
    """
    return np.array([[square == "#" for square in row] for row in MAZE])


def cell_of(position: np.ndarray) -> Cell:
    """The cell in which a position (2,) lies."""
    return int(np.floor(len(MAZE) / 2 - position[1])), int(np.floor(position[0] + len(MAZE[0]) / 2))


def middle_of(cell: Cell) -> np.ndarray:
    """(2,) position of the middle of a cell."""
    return np.array([cell[1] + 0.5 - len(MAZE[0]) / 2, len(MAZE) / 2 - cell[0] - 0.5])


def shortest_path(start: Cell, end: Cell) -> list[Cell]:
    """The cells after `start` up to `end`, through open ones from side to side; of ways as short always the same."""
    came_from = {end: end}
    waiting = deque([end])
    while start not in came_from:  # every open cell can be reached from every other
        row, column = here = waiting.popleft()
        for there in ((row + 1, column), (row, column + 1), (row - 1, column), (row, column - 1)):
            if there not in came_from and MAZE[there[0]][there[1]] != "#":
                came_from[there] = here
                waiting.append(there)
    path = [start]
    while path[-1] != end:
        path.append(came_from[path[-1]])
    return path[1:]


def _chase(environment: Any, rows: int, rng: np.random.Generator) -> Episode:
    """One episode."""
    way: deque[np.ndarray] = deque()

    def push(observed: list[dict[str, np.ndarray]]) -> np.ndarray:
        nonlocal way
        state, goal = observed[-1]["observation"], observed[-1]["desired_goal"]
        if len(observed) == 1 or (goal != observed[-2]["desired_goal"]).any():
            way = _way_points(state[:2], goal, rng)
        while len(way) > 1 and np.hypot(*(way[0] - state[:2])) < WAY_POINT_RADIUS:
            way.popleft()
        return np.clip(POSITION_GAIN * (way[0] - state[:2]) + VELOCITY_GAIN * state[2:], -1.0, 1.0)

    observed, pushes, _ = roll_out(environment, rows, rng, ACTION_NOISE, push)
    state, goal = (np.stack([row[part] for row in observed]) for part in ("observation", "desired_goal"))
    return Episode(state[:, :2], state[:, 2:], pushes, goal)


def _way_points(position: np.ndarray, goal: np.ndarray, rng: np.random.Generator) -> deque[np.ndarray]:
    """Near the middle of each cell of the way, and the goal itself in the last one."""
    between = shortest_path(cell_of(position), cell_of(goal))[:-1]
    jitter = rng.uniform(-WAY_POINT_JITTER, WAY_POINT_JITTER, (len(between), 2))
    return deque([*(middle_of(cell) + offset for cell, offset in zip(between, jitter, strict=True)), goal])
