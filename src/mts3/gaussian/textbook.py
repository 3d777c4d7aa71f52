"""The oracle: dense float64 Kalman filtering and Gaussian algebra, as in any textbook. It is for tests and not fast.

Reference: Särkkä, Bayesian Filtering and Smoothing (2013), chapters 4 and 8, appendix A.
"""

from __future__ import annotations

import numpy as np

Gaussian = tuple[np.ndarray, np.ndarray]
"""(mean (n,), cov (n, n)), float64."""


def condition(prior: Gaussian, matrix: np.ndarray, obs: np.ndarray, obs_cov: np.ndarray) -> Gaussian:
    """p(z | y) for z ~ prior, y = matrix z + N(0, obs_cov): the Kalman update."""
    mean, cov = prior
    innovation_cov = matrix @ cov @ matrix.T + obs_cov
    gain = np.linalg.solve(innovation_cov, matrix @ cov).T
    return mean + gain @ (obs - matrix @ mean), cov - gain @ innovation_cov @ gain.T


def marginalize(parents: list[tuple[np.ndarray, Gaussian]], shift: np.ndarray, noise: np.ndarray) -> Gaussian:
    """p(sum_p M_p z_p + shift + N(0, noise)) for independent parents."""
    mean = shift + sum(matrix @ m for matrix, (m, _) in parents)
    cov = noise + sum(matrix @ P @ matrix.T for matrix, (_, P) in parents)
    return mean, cov


def keep_blocks(belief: Gaussian) -> Gaussian:
    """Drop every covariance but those between dimension d of the upper and d of the lower half: equation (4)."""
    mean, cov = belief
    eye = np.eye(len(mean) // 2, dtype=bool)
    return mean, np.where(np.block([[eye, eye], [eye, eye]]), cov, 0.0)


def kalman_filter(
    prior: Gaussian,
    transition: np.ndarray,
    shifts: np.ndarray,
    noise: np.ndarray,
    obs: np.ndarray,
    obs_var: np.ndarray,
    mask: np.ndarray,
    project: bool = False,
) -> tuple[list[Gaussian], list[Gaussian]]:
    """Filter z_{t+1} = transition z_t + shift_t + noise from w_t = upper half of z_t + N(0, diag obs_var_t).

    Args:
        prior: Of z_0, dimension 2D.
        transition: (2D, 2D).
        shifts: (T, 2D).
        noise: (2D, 2D).
        obs, obs_var: (T, D).
        mask: (T,), False skips the update.
        project: Apply `keep_blocks` after every prediction, as dense beliefs do.
    Returns: the posteriors of z_t and the predicted beliefs about z_{t+1}.
    """
    dim = obs.shape[1]
    upper = np.eye(dim, 2 * dim)
    posteriors, predicted = [], []
    for t in range(len(obs)):
        posterior = condition(prior, upper, obs[t], np.diag(obs_var[t])) if mask[t] else prior
        prior = marginalize([(transition, posterior)], shifts[t], noise)
        prior = keep_blocks(prior) if project else prior
        posteriors.append(posterior)
        predicted.append(prior)
    return posteriors, predicted


def joint_of_sequence(
    prior: Gaussian, transition: np.ndarray, shifts: np.ndarray, noise: np.ndarray, steps: int
) -> Gaussian:
    """The joint Gaussian of z_0, ..., z_{steps-1}, from the definition: z = L (z_0, shift + noise, ...).

    Conditioning it once on everything observed must agree with filtering; neither uses the other.
    """
    n = len(prior[0])
    powers = [np.linalg.matrix_power(transition, k) for k in range(steps)]
    influence = np.block([[powers[t - s] if s <= t else np.zeros((n, n)) for s in range(steps)] for t in range(steps)])
    mean = influence @ np.concatenate([prior[0], *shifts[: steps - 1]])
    sources = np.zeros((steps * n, steps * n))
    sources[:n, :n] = prior[1]
    for t in range(1, steps):
        sources[t * n : (t + 1) * n, t * n : (t + 1) * n] = noise
    return mean, influence @ sources @ influence.T
