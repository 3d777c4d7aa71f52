"""Video of balls that bounce off the walls and off each other: a system without actions, observed as images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mts3.data.core.trajectory import Dataset
from mts3.data.sets.generators.recipe import generate_at_once, recipes
from mts3.errors import UserError

RECIPE = recipes(
    "bouncing_balls",
    {},
    {},
    sample_time=0.1,
    attribution="generated: video of a bouncing ball",
    image_shape=(1, 24, 24),
    small=(300, 101),
)["small"]
SUBSTEPS = 10
COLOURS = np.array([[1.0, 0.35, 0.25], [0.3, 0.65, 1.0], [1.0, 0.85, 0.3], [0.45, 0.9, 0.5]], np.float32)
"""Red, green and blue of the balls, in turn."""


@dataclass(frozen=True)
class Balls:
    """N episodes of T rows with K balls in the unit square.

    Attributes:
        position: (N, T, K, 2), x to the right and y down.
        velocity: (N, T, K, 2), sides a step.
        radius: Of every ball.
    """

    position: np.ndarray
    velocity: np.ndarray
    radius: float

    @property
    def energy(self) -> np.ndarray:
        """(N, T) kinetic energy at unit mass."""
        return 0.5 * (self.velocity**2).sum((-1, -2))


def simulate_balls(
    episodes: int, rows: int, seed: int, *, balls: int = 1, radius: float = 0.12, speed: float = 0.03
) -> Balls:
    """Balls of equal mass start apart from each other, at one speed in any direction; every collision is elastic.

    Args:
        episodes: N.
        rows: T.
        seed: The same seed gives the same bits.
        balls: K.
        radius: In sides of the square.
        speed: Sides a step.
    Raises:
        UserError: if the balls do not fit, or are so fast that they would pass through each other.
    """
    if not 0.0 < radius < 0.5 or balls < 1 or (balls > 1 and balls * (4.0 * radius) ** 2 > 1.0):
        raise UserError(f"{balls} balls of radius {radius} do not fit into the unit square; use fewer or smaller ones")
    if speed * balls > SUBSTEPS * radius:
        raise UserError(f"at speed {speed} balls of radius {radius} would pass through each other; slow them down")
    rng = np.random.default_rng(seed)
    position = _apart(episodes, balls, radius, rng)
    heading = rng.uniform(0.0, 2.0 * np.pi, (episodes, balls))
    velocity = speed * np.stack((np.cos(heading), np.sin(heading)), -1)
    positions, velocities = np.empty((2, episodes, rows, balls, 2))
    for t in range(rows):
        positions[:, t], velocities[:, t] = position, velocity
        for _ in range(SUBSTEPS):
            position, velocity = _off_the_walls(position + velocity / SUBSTEPS, velocity, radius)
            velocity = _off_each_other(position, velocity, radius)
    return Balls(positions, velocities, radius)


def draw(made: Balls, size: int, colour: bool = False) -> np.ndarray:
    """(N, T, C * size * size) float32 images in [0, 1] on black, with soft edges; C is 3 in colour, else 1."""
    # One episode at a time: the images are the memory, not what leads to them.
    return np.stack([_video(position, made.radius, size, colour) for position in made.position.astype(np.float32)])


def generate_bouncing_balls(
    episodes: int = RECIPE.episodes,
    rows: int = RECIPE.rows,
    seed: int = 0,
    size: int = 24,
    balls: int = 1,
    colour: bool = False,
) -> Dataset:
    """The set: video of one ball, or of several, without actions. Bitwise the same for the same arguments.

    Args:
        episodes, rows, seed, balls: As in `simulate_balls`.
        size: Pixels a side.
        colour: Each ball in its own colour, three channels; otherwise white.
    """
    images = draw(simulate_balls(episodes, rows, seed, balls=balls), size, colour)
    return replace(RECIPE, image_shape=(3 if colour else 1, size, size)).dataset(images, images[..., :0])


def _video(position: np.ndarray, radius: float, size: int, colour: bool) -> np.ndarray:
    """(T, C * size * size) images of balls at (T, K, 2)."""
    centre = ((np.arange(size) + 0.5) / size).astype(np.float32)
    images = np.zeros((len(position), 3 if colour else 1, size, size), np.float32)
    for ball, (x, y) in enumerate(position.transpose(1, 2, 0)[..., None, None]):
        distance = np.hypot(centre - x, centre[:, None] - y)
        cover = np.clip(0.5 - (distance - np.float32(radius)) * size, 0.0, 1.0)[:, None]
        paint = COLOURS[ball % len(COLOURS), :, None, None] if colour else np.float32(1.0)
        images = np.maximum(images, cover * paint)
    return images.reshape(len(position), -1)


def _apart(episodes: int, balls: int, radius: float, rng: np.random.Generator) -> np.ndarray:
    """(N, K, 2) positions inside the walls where no two balls touch."""
    position = rng.uniform(radius, 1.0 - radius, (episodes, balls, 2))
    while True:
        apart = np.linalg.norm(position[:, :, None] - position[:, None], axis=-1)
        touching = np.triu(apart < 2.0 * radius, k=1).any((1, 2))
        if not touching.any():
            return position
        position[touching] = rng.uniform(radius, 1.0 - radius, (int(touching.sum()), balls, 2))


def _off_the_walls(position: np.ndarray, velocity: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Mirrored at the walls."""
    low, high = position < radius, position > 1.0 - radius
    position = np.where(low, 2.0 * radius - position, np.where(high, 2.0 * (1.0 - radius) - position, position))
    return position, np.where(low, np.abs(velocity), np.where(high, -np.abs(velocity), velocity))


def _off_each_other(position: np.ndarray, velocity: np.ndarray, radius: float) -> np.ndarray:
    """Balls that touch and approach exchange the parts of their velocities along the line between them."""
    velocity = velocity.copy()
    for one in range(position.shape[1]):
        for other in range(one + 1, position.shape[1]):
            between = position[:, other] - position[:, one]
            distance = np.linalg.norm(between, axis=-1, keepdims=True)
            normal = between / np.maximum(distance, 1e-12)
            closing = ((velocity[:, one] - velocity[:, other]) * normal).sum(-1, keepdims=True)
            exchange = np.where(distance < 2.0 * radius, np.maximum(closing, 0.0), 0.0) * normal
            velocity[:, one] -= exchange
            velocity[:, other] += exchange
    return velocity


generate_at_once(RECIPE, generate_bouncing_balls)
