"""The best anyone can predict `three_scales`: the Kalman filter that knows the system, in float64."""

from __future__ import annotations

import numpy as np

from mts3.data.sets.generators.three_scales import LinearSystem, build_system


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
