"""Generated sets: simulated systems, seeded, made when they are asked for and kept (see `mts3.data.sets.cache`).

A file says what its set holds (`recipes`), simulates it, and registers it (`generated`): each episode depends on its
number and the seed alone, so that a set can be made in pieces. The first sets are older (`generate_at_once`): all their
episodes share one stream of random numbers, and a piece cannot be made alone.
"""

from mts3.data.sets.generators.arm_payload import generate_arm_payload
from mts3.data.sets.generators.bouncing_balls import generate_bouncing_balls
from mts3.data.sets.generators.pendulum_images import generate_pendulum_images
from mts3.data.sets.generators.recipe import GENERATED, Generated, Recipe
from mts3.data.sets.generators.three_scales import generate_three_scales, optimal_prediction
from mts3.registry import import_all

import_all(__name__, list(__path__))
for name in sorted(GENERATED):  # messages list them in this order
    GENERATED[name] = GENERATED.pop(name)

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
