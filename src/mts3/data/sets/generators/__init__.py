"""Generated sets: simulated systems, seeded, made when they are asked for and kept (see `mts3.data.sets.cache`).

A module offers RECIPES, one `Recipe` a size, and `make_episodes(recipe, numbers, seed)`, whose episodes each depend on
(seed, number) alone, so that a set can be made in pieces. The first sets are older: all their episodes share one stream
of random numbers, and a piece cannot be made alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.data.sets.generators import (
    arm_payload,
    bouncing_balls,
    excavator,
    halfcheetah,
    kitchen,
    maze2d,
    mobile_robot,
    pendulum_images,
    quadrotor,
    three_scales,
    truck_load,
)
from mts3.data.sets.generators.arm_payload import generate_arm_payload
from mts3.data.sets.generators.bouncing_balls import generate_bouncing_balls
from mts3.data.sets.generators.pendulum_images import generate_pendulum_images
from mts3.data.sets.generators.recipe import Recipe
from mts3.data.sets.generators.three_scales import generate_three_scales
from mts3.data.sets.generators.three_scales_optimum import optimal_prediction


class Generated(NamedTuple):
    """A set that can be made.

    Attributes:
        recipes: What it will hold, by size; the first is the usual one.
        make_episodes: (recipe, numbers, seed) -> the episodes of these numbers.
        piece: Episodes made at once, in the half minute or less that an interruption may cost; None makes all.
        version: Raised when the same recipe and seed would give other bytes.
    """

    recipes: Mapping[str, Recipe]
    make_episodes: Callable[[Recipe, range, int], list[Trajectory]]
    piece: int | None
    version: int = 1


def _together(recipe: Recipe, generate: Callable[[int, int, int], Dataset]) -> Generated:
    """A set of one size, from a function (episodes, rows, seed) that makes all of it."""

    def make_episodes(recipe: Recipe, numbers: range, seed: int) -> list[Trajectory]:
        made = generate(recipe.episodes, recipe.rows, seed)
        return list(made.trajectories[numbers.start : numbers.stop])

    return Generated({"small": recipe}, make_episodes, piece=None)


def _cheetah(policies: str) -> Generated:
    recipes = halfcheetah.SETS[f"halfcheetah-linear-{policies}"]
    return Generated(recipes, halfcheetah.make_episodes, piece=20, version=halfcheetah.VERSION)


GENERATED = {
    "arm_payload": _together(arm_payload.RECIPE, generate_arm_payload),
    "bouncing_balls": _together(bouncing_balls.RECIPE, generate_bouncing_balls),
    "excavator": Generated(excavator.RECIPES, excavator.make_episodes, piece=200),
    "halfcheetah": _cheetah("medium"),
    "halfcheetah_expert": _cheetah("expert"),
    "halfcheetah_mixed": _cheetah("mixed"),
    "kitchen": Generated(kitchen.RECIPES, kitchen.make_episodes, piece=5, version=kitchen.VERSION),
    "maze2d": Generated(maze2d.RECIPES, maze2d.make_episodes, piece=20, version=maze2d.VERSION),
    "mobile_robot": Generated(mobile_robot.RECIPES, mobile_robot.make_episodes, piece=10, version=mobile_robot.VERSION),
    "pendulum_images": _together(pendulum_images.RECIPE, generate_pendulum_images),
    "quadrotor": Generated(quadrotor.RECIPES, quadrotor.make_episodes, piece=200),
    "three_scales": _together(three_scales.RECIPE, generate_three_scales),
    "truck_load": Generated(truck_load.RECIPES, truck_load.make_episodes, piece=400),
}

__all__ = [
    "GENERATED",
    "Generated",
    "Recipe",
    "generate_arm_payload",
    "generate_bouncing_balls",
    "generate_pendulum_images",
    "generate_three_scales",
    "optimal_prediction",
]
