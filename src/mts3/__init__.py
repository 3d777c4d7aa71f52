"""mts3: multi-time-scale probabilistic world models.

Learn a dynamical system from logged data, predict it far ahead with honest uncertainty.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mts3 import layers, metrics
    from mts3.models import MTS3, RKN, AcRKN, HiPRSSM, build, load
    from mts3.normalizer import Normalizer
    from mts3.prediction import Prediction

__version__ = "0.1.0"
__all__ = ["MTS3", "RKN", "AcRKN", "HiPRSSM", "Normalizer", "Prediction", "build", "layers", "load", "metrics"]

_HOMES = {"Normalizer": "mts3.normalizer", "Prediction": "mts3.prediction"}
_PACKAGES = ("gaussian", "kernels", "layers", "metrics", "models")


def __getattr__(name: str) -> Any:
    # Imported at the first use: the command says how threads wait before PyTorch is loaded, and its help needs none.
    if name in _PACKAGES:
        return import_module(f"mts3.{name}")
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, "mts3.models")), name)
    raise AttributeError(f"module 'mts3' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
