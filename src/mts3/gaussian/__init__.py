"""The mathematics: pure functions on tensors. No configuration, no files, no modules.

Numbers of equations are those of docs/mathematics.md.
"""

from mts3.gaussian.belief import Belief, Evidence, evidence_of, stack
from mts3.gaussian.condition import aggregate, condition
from mts3.gaussian.marginalize import DenseMap, LinearMap, ModalMap, dense_map, marginalize, modal_map, noise_cov

__all__ = [
    "Belief",
    "DenseMap",
    "Evidence",
    "LinearMap",
    "ModalMap",
    "aggregate",
    "condition",
    "dense_map",
    "evidence_of",
    "marginalize",
    "modal_map",
    "noise_cov",
    "stack",
]
