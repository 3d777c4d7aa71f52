"""mts3: multi-time-scale probabilistic world models.

Learn a dynamical system from logged data, predict it far ahead with honest uncertainty.
"""

from mts3 import layers, metrics
from mts3.models import MTS3, RKN, AcRKN, HiPRSSM, build, load
from mts3.normalizer import Normalizer
from mts3.prediction import Prediction

__version__ = "0.1.0"
__all__ = ["MTS3", "RKN", "AcRKN", "HiPRSSM", "Normalizer", "Prediction", "build", "layers", "load", "metrics"]
