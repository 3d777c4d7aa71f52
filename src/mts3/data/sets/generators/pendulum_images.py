"""Noisy images of a pendulum: the state-estimation experiment of the RKN paper, and a data set of its images.

Reference: Becker et al. 2019 (arXiv 1905.07357), section 5.1: a point mass of 1 kg at 1 m, an image every 0.05 s,
and image noise that is correlated in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mts3.data.core.trajectory import Dataset
from mts3.data.sets.generators.recipe import generate_at_once, recipes

GRAVITY, LENGTH = 9.81, 1.0
SUBSTEPS = 50
SIZE = 24

RECIPE = recipes(
    "pendulum_images",
    {},
    {"torque": "Nm"},
    sample_time=0.05,
    attribution="generated: noisy images of a simulated pendulum that a torque drives",
    image_shape=(1, SIZE, SIZE),
    small=(300, 101),
)["small"]


@dataclass(frozen=True)
class Pendulum:
    """N episodes of T rows.

    Attributes:
        images: (N, T, SIZE * SIZE) float32 in [0, 1], with noise; NaN where an image is missing.
        angle: (N, T), 0 hangs down.
        velocity: (N, T) rad/s.
        torque: (N, T, 1), held between steps t and t + 1; zero unless driven.
        clarity: (N, T) share of the image in `images`, the rest being noise: 0 shows nothing of the pendulum.
    """

    images: np.ndarray
    angle: np.ndarray
    velocity: np.ndarray
    torque: np.ndarray
    clarity: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """(N, T, 2) float32, sine and cosine of the angle."""
        return np.stack((np.sin(self.angle), np.cos(self.angle)), -1).astype(np.float32)

    @property
    def energy(self) -> np.ndarray:
        """(N, T) joule, zero where it hangs at rest."""
        return 0.5 * (LENGTH * self.velocity) ** 2 + GRAVITY * LENGTH * (1.0 - np.cos(self.angle))


def simulate_pendulum(
    episodes: int,
    rows: int,
    seed: int,
    *,
    driven: bool = False,
    velocity_noise: float = 0.1,
    image_noise: bool = True,
    missing: float = 0.0,
) -> Pendulum:
    """Simulate and draw.

    Every episode starts at rest at a uniform angle.

    Args:
        episodes: N.
        rows: T.
        seed: The same seed gives the same bits.
        driven: Push with a torque that changes slowly at random; otherwise there is none.
        velocity_noise: Standard deviation of the push at every step, rad/s; the paper's is 0.1.
        image_noise: Blend the images with noise, see `clarity_of`.
        missing: Probability that a whole image is missing.
    """
    # One stream each: without noise, or with images missing, the same pendulums move.
    motion, noise, gaps = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(3))
    torque = _torque(episodes, rows, motion) if driven else np.zeros((episodes, rows))
    angle, velocity = _swing(motion.uniform(-np.pi, np.pi, episodes), torque, velocity_noise, motion)
    images = np.stack([draw(episode) for episode in angle])  # one at a time: ten times less memory on the way
    clarity = np.ones((episodes, rows))
    if image_noise:
        clarity = clarity_of(episodes, rows, noise)
        share = clarity[..., None].astype(np.float32)
        images = share * images + (1.0 - share) * noise.random(images.shape, dtype=np.float32)
    images[gaps.random((episodes, rows)) < missing] = np.nan
    return Pendulum(images, angle, velocity, torque[..., None], clarity)


def draw(angle: np.ndarray) -> np.ndarray:
    """(T, SIZE * SIZE) float32 images of a rod with a bob, white on black, with soft edges."""
    centre = ((np.arange(SIZE) + 0.5) / SIZE * 2.0 - 1.0).astype(np.float32)
    x, y = np.tile(centre, SIZE), np.repeat(centre, SIZE)  # of the pixels, in [-1, 1]
    tip = np.stack((np.sin(angle), np.cos(angle)), -1)[..., None].astype(np.float32)  # y points down, as rows do
    along = np.clip(tip[..., 0, :] * x + tip[..., 1, :] * y, 0.0, 0.7)
    rod = np.hypot(x - along * tip[..., 0, :], y - along * tip[..., 1, :])
    bob = np.hypot(x - 0.7 * tip[..., 0, :], y - 0.7 * tip[..., 1, :])
    pixel = 2.0 / SIZE
    distance = np.minimum(rod - 0.06, bob - 0.17)  # to the edge, negative inside
    return np.clip(0.5 - distance / pixel, 0.0, 1.0)


def clarity_of(episodes: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """(N, T) in [0, 1]: a random walk that dwells at both ends.

    f_0 ~ U(0, 1), f_t = clip(f_{t-1} + U(-0.2, 0.2), 0, 1); each episode draws two thresholds, t_1 ~ U(0, 0.25) and
    t_2 ~ U(0.75, 1), below and above which the image is all noise or all clear, and linear between them.
    """
    walk = np.empty((episodes, rows))
    walk[:, 0] = rng.random(episodes)
    moves = rng.uniform(-0.2, 0.2, (episodes, rows))
    for t in range(1, rows):
        walk[:, t] = np.clip(walk[:, t - 1] + moves[:, t], 0.0, 1.0)
    low, high = rng.uniform(0.0, 0.25, (episodes, 1)), rng.uniform(0.75, 1.0, (episodes, 1))
    return np.clip((walk - low) / (high - low), 0.0, 1.0)


def generate_pendulum_images(
    episodes: int = RECIPE.episodes, rows: int = RECIPE.rows, seed: int = 0, driven: bool = True
) -> Dataset:
    """The set: noisy images observed, torques given. Bitwise the same for the same arguments.

    Args:
        episodes, rows, seed: As in `simulate_pendulum`.
        driven: Without the torque there are no actions.
    """
    made = simulate_pendulum(episodes, rows, seed, driven=driven)
    if driven:
        return RECIPE.dataset(made.images, made.torque)
    return replace(RECIPE, action_names=(), action_units=()).dataset(made.images, made.torque[..., :0])


def _swing(
    angle: np.ndarray, torque: np.ndarray, velocity_noise: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Angle and velocity (N, T) from rest. Leapfrog: the energy does not drift."""
    dt = RECIPE.sample_time / SUBSTEPS
    velocity = np.zeros_like(angle)
    pushes = velocity_noise * rng.standard_normal(torque.shape)
    angles, velocities = np.empty_like(torque), np.empty_like(torque)
    for t in range(torque.shape[1]):
        angles[:, t], velocities[:, t] = angle, velocity
        for _ in range(SUBSTEPS):
            velocity = velocity + 0.5 * dt * _acceleration(angle, torque[:, t])
            angle = angle + dt * velocity
            velocity = velocity + 0.5 * dt * _acceleration(angle, torque[:, t])
        velocity = velocity + pushes[:, t]
    return angles, velocities


def _acceleration(angle: np.ndarray, torque: np.ndarray) -> np.ndarray:
    return torque / LENGTH**2 - GRAVITY / LENGTH * np.sin(angle)


def _torque(episodes: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """(N, T) Nm: an Ornstein-Uhlenbeck process of standard deviation 2 Nm that forgets in half a second."""
    keep = np.exp(-RECIPE.sample_time / 0.5)
    torque = np.empty((episodes, rows))
    torque[:, 0] = 2.0 * rng.standard_normal(episodes)
    for t in range(1, rows):
        torque[:, t] = keep * torque[:, t - 1] + 2.0 * np.sqrt(1.0 - keep**2) * rng.standard_normal(episodes)
    return torque


generate_at_once(RECIPE, generate_pendulum_images)
