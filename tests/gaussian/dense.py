"""Beliefs as the dense matrices a textbook uses."""

import numpy as np

from mts3.gaussian import Belief


def as_dense(belief: Belief, *index: int) -> tuple[np.ndarray, np.ndarray]:
    """(mean (2D,), cov (2D, 2D)) of one member of a batch."""
    upper, side, lower = (np.diag(x[index].detach().numpy()) for x in (belief.upper_var, belief.side, belief.lower_var))
    return belief.mean[index].detach().numpy(), np.block([[upper, side], [side, lower]])


def as_belief_arrays(dense: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(mean (2D,), cov fields (3D,)) out of dense matrices."""
    mean, cov = dense
    dim = len(mean) // 2
    return mean, np.concatenate([np.diag(cov[:dim, :dim]), np.diag(cov[:dim, dim:]), np.diag(cov[dim:, dim:])])
