"""Generated sets: simulated systems, seeded, vectorised over episodes, made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mts3.data.generators import arm_payload, bouncing_balls, pendulum_images, three_scales, truck_load
from mts3.data.generators.arm_payload import generate_arm_payload
from mts3.data.generators.bouncing_balls import generate_bouncing_balls
from mts3.data.generators.pendulum_images import generate_pendulum_images
from mts3.data.generators.recipe import Recipe
from mts3.data.generators.three_scales import generate_three_scales
from mts3.data.generators.three_scales_optimum import optimal_prediction
from mts3.data.generators.truck_load import generate_truck_load
from mts3.data.trajectory import Dataset


class Generated(NamedTuple):
    """A set that can be made: what it will hold, and the function that makes it."""

    recipe: Recipe
    generate: Callable[[], Dataset]


GENERATED = {
    "arm_payload": Generated(arm_payload.RECIPE, generate_arm_payload),
    "bouncing_balls": Generated(bouncing_balls.RECIPE, generate_bouncing_balls),
    "pendulum_images": Generated(pendulum_images.RECIPE, generate_pendulum_images),
    "three_scales": Generated(three_scales.RECIPE, generate_three_scales),
    "truck_load": Generated(truck_load.RECIPE, generate_truck_load),
}

__all__ = [
    "GENERATED",
    "Generated",
    "Recipe",
    "generate_arm_payload",
    "generate_bouncing_balls",
    "generate_pendulum_images",
    "generate_three_scales",
    "generate_truck_load",
    "optimal_prediction",
]
