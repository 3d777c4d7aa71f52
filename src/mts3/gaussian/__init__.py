"""The mathematics: pure functions on tensors. No configuration, no files, no modules.

Numbers of equations are those of docs/mathematics.md.
"""

from mts3.gaussian.banded import BandedMap
from mts3.gaussian.belief import Belief, Evidence, concat, diagonal, evidence_of, stack
from mts3.gaussian.condition import aggregate, condition
from mts3.gaussian.marginalize import DenseMap, LinearMap, ModalMap, dense_map, marginalize, modal_map, noise_cov

__all__ = [
    "BandedMap",
    "Belief",
    "DenseMap",
    "Evidence",
    "LinearMap",
    "ModalMap",
    "aggregate",
    "concat",
    "condition",
    "dense_map",
    "diagonal",
    "evidence_of",
    "marginalize",
    "modal_map",
    "noise_cov",
    "stack",
]
