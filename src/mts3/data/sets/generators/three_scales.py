"""A linear-Gaussian system with a fast, a middle and a slow time scale, whose optimal prediction is known.

    z' = A z + B a + N(0, Q),      a' = F a + N(0, 1 - F^2),      y = C z + N(0, R).

Each scale is a rotation that dies out: two numbers in z. The fast one is pushed by the first action, which is white;
the others by the second, which wanders. Both channels of y mix the scales, so that none is observed alone. Every action
has variance 1 and every scale the same variance, of which a fixed share comes from its action; the rest is noise, which
no prediction knows ahead. Episodes start in the stationary distribution: every row is like every other.

The best anyone can predict it is the Kalman filter that knows the system, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mts3.data.core.trajectory import Dataset
from mts3.data.sets.generators.recipe import generate_at_once, recipes

RECIPE = recipes(
    "three_scales",
    {"y1": "", "y2": ""},
    {"fast_push": "", "slow_push": ""},
    sample_time=1.0,
    attribution="generated: linear-Gaussian system with three time scales",
    small=(60, 1200),
)["small"]

SCALES = ("fast", "middle", "slow")
PERIOD = np.array([6.0, 45.0, 450.0])  # steps for a turn
MEMORY = np.array([6.0, 60.0, 600.0])  # steps until what is left is 1/e
PUSHED_BY = np.array([0, 1, 1])  # the action that drives a scale
DRIVEN = np.array([0.8, 0.6, 0.6])  # share of a scale's variance that its action causes
ACTION_KEEPS = np.array([0.0, 0.95])  # of an action, from one step to the next: white, and a memory of 20 steps
MIXING = np.array([[0.6, 0.8, 0.7], [0.6, -0.6, 0.8]])  # of each scale's first number into each channel
QUADRATURE = np.array([[0.3, 0.0, -0.4], [0.0, 0.4, 0.3]])  # and of its second
OBS_STD = 0.5


@dataclass(frozen=True)
class LinearSystem:
    """z' = transition z + push a + N(0, noise), a' = wander a + N(0, I - wander^2), y = mixing z + N(0, obs_var I).

    Attributes:
        transition: (Z, Z).
        push: (Z, A).
        noise: (Z, Z), a covariance.
        wander: (A,) the diagonal of F.
        mixing: (O, Z).
        obs_var: Variance of the measurement noise of each channel.
    """

    transition: np.ndarray
    push: np.ndarray
    noise: np.ndarray
    wander: np.ndarray
    mixing: np.ndarray
    obs_var: float

    def stationary(self) -> np.ndarray:
        """Joint covariance (Z + A, Z + A) of a state and the action that acts on it next, far from any start."""
        return _stationary(*self.joint())

    def joint(self) -> tuple[np.ndarray, np.ndarray]:
        """Transition and noise covariance of (z, a) together."""
        states, actions = self.push.shape
        transition = np.block([[self.transition, self.push], [np.zeros((actions, states)), np.diag(self.wander)]])
        noise = np.zeros_like(transition)
        noise[:states, :states], noise[states:, states:] = self.noise, np.diag(1.0 - self.wander**2)
        return transition, noise


def build_system() -> LinearSystem:
    """The system of the data set, scaled so that every scale has variance 1 a number."""
    transition, push, noise = np.zeros((6, 6)), np.zeros((6, 2)), np.zeros((6, 6))
    for scale, (period, memory, action, driven) in enumerate(zip(PERIOD, MEMORY, PUSHED_BY, DRIVEN, strict=True)):
        own = slice(2 * scale, 2 * scale + 2)
        turn = 2 * np.pi / period
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        transition[own, own] = np.exp(-1.0 / memory) * rotation
        # A push of 1 along the first number causes some variance; what it should cause gives its strength.
        alone = LinearSystem(
            transition[own, own],
            np.array([[1.0], [0.0]]),
            np.zeros((2, 2)),
            ACTION_KEEPS[[action]],
            np.zeros((1, 2)),
            0.0,
        )
        push[2 * scale, action] = np.sqrt(driven / (np.trace(alone.stationary()[:2, :2]) / 2))
        # Noise q I on a shrinking rotation has the stationary variance q / (1 - shrink^2).
        noise[own, own] = (1.0 - driven) * (1.0 - np.exp(-2.0 / memory)) * np.eye(2)
    mixing = np.stack([MIXING, QUADRATURE], axis=2).reshape(len(MIXING), 6)
    return LinearSystem(transition, push, noise, ACTION_KEEPS, mixing, OBS_STD**2)


def generate_three_scales(episodes: int = RECIPE.episodes, rows: int = RECIPE.rows, seed: int = 0) -> Dataset:
    """The set: y observed, actions given. Bitwise the same for the same arguments."""
    _, obs, actions = simulate(episodes, rows, seed)
    return RECIPE.dataset(obs, actions)


def simulate(episodes: int, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States (E, T, 6): fast, middle, slow, two numbers each; observations (E, T, 2); actions (E, T, 2)."""
    system, rng = build_system(), np.random.default_rng(seed)
    transition, noise = system.joint()
    states = len(system.transition)
    joint = np.empty((rows, episodes, len(transition)))
    joint[0] = rng.standard_normal((episodes, len(transition))) @ np.linalg.cholesky(system.stationary()).T
    # The noise covariance is diagonal: its root is entry by entry.
    shocks = rng.standard_normal((rows, episodes, len(transition))) * np.sqrt(np.diag(noise))
    for t in range(rows - 1):
        joint[t + 1] = joint[t] @ transition.T + shocks[t]
    joint = joint.swapaxes(0, 1)
    state, actions = joint[..., :states], joint[..., states:]
    obs = state @ system.mixing.T
    obs += np.sqrt(system.obs_var) * rng.standard_normal(obs.shape)
    return state, obs, actions


def _stationary(transition: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The covariance P = transition P transition' + noise, by one linear solve."""
    size = len(transition)
    system = np.eye(size**2) - np.kron(transition, transition)
    covariance = np.linalg.solve(system, noise.ravel()).reshape(size, size)
    return (covariance + covariance.T) / 2


generate_at_once(RECIPE, generate_three_scales)


def optimal_prediction(
    obs: np.ndarray, actions: np.ndarray, obs_mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of obs[t+1] given what was observed up to t and the actions up to t.

    Exact for any stretch of an episode: the sequence may start at any row, since the set is stationary. With everything
    after a context masked it is the optimal long-horizon prediction. The variance includes the measurement noise.

    Args:
        obs: (B, T, 2) in the set's own units. Values under a False mask are never read, NaN included.
        actions: (B, T, 2) in the set's own units.
        obs_mask: (B, T) or (B, T, 2), True = observed; None: everything.
    Returns: mean and var, (B, T, 2) each; entry t is about obs[t+1].
    """
    obs, actions = np.asarray(obs, dtype=np.float64), np.asarray(actions, dtype=np.float64)
    mask = np.ones(obs.shape, dtype=bool) if obs_mask is None else np.asarray(obs_mask, dtype=bool)
    mask = np.broadcast_to(mask if mask.ndim == 3 else mask[..., None], obs.shape)
    obs = np.where(mask, obs, 0.0)
    system = build_system()
    mean, cov = _prior(system, actions[:, 0])
    means, variances = np.empty(obs.shape), np.empty(obs.shape)
    for t in range(obs.shape[1]):
        mean, cov = _condition(system, mean, cov, obs[:, t], mask[:, t])
        mean = mean @ system.transition.T + actions[:, t] @ system.push.T
        cov = system.transition @ cov @ system.transition.T + system.noise
        means[:, t] = mean @ system.mixing.T
        variances[:, t] = np.einsum("oz,bzw,ow->bo", system.mixing, cov, system.mixing) + system.obs_var
    return means, variances


def _prior(system: LinearSystem, first_action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first state given the first action: an action that wanders says something about those before it.

    Later actions say nothing more, since the action is a Markov process of its own.
    """
    joint, states = system.stationary(), len(system.transition)
    gain = np.linalg.solve(joint[states:, states:], joint[states:, :states]).T
    cov = joint[:states, :states] - gain @ joint[states:, :states]
    return first_action @ gain.T, np.broadcast_to(cov, (len(first_action), *cov.shape))


def _condition(
    system: LinearSystem, mean: np.ndarray, cov: np.ndarray, obs: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The Kalman update of B beliefs, mean (B, Z) and cov (B, Z, Z), by the observed of the channels (B, O).

    A channel that was not observed gets a row of zeros in the observation matrix: noise about nothing, so no gain.
    """
    matrix = mask[..., None] * system.mixing
    innovation_cov = matrix @ cov @ matrix.transpose(0, 2, 1) + system.obs_var * np.eye(obs.shape[1])
    gain = np.linalg.solve(innovation_cov, matrix @ cov).transpose(0, 2, 1)
    innovation = mask * (obs - mean @ system.mixing.T)
    mean = mean + (gain @ innovation[..., None])[..., 0]
    cov = cov - gain @ innovation_cov @ gain.transpose(0, 2, 1)
    return mean, (cov + cov.transpose(0, 2, 1)) / 2
