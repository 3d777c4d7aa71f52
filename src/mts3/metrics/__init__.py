"""How good a prediction is: losses, accuracy, calibration.

Every function takes a `Prediction` and the observations it is about; NaN means not observed and is left out.
Everything is pooled over all values (never a mean of batch means), and no input is changed.
In normalized space `rmse` is the NRMSE.
"""

from mts3.metrics.accuracy import rmse, sliding_window_rmse
from mts3.metrics.calibration import coverage, crps_gaussian
from mts3.metrics.likelihood import nll, sliding_window_nll
from mts3.metrics.sums import RELIABILITY_LEVELS, ErrorSums, LikelihoodSums

__all__ = [
    "RELIABILITY_LEVELS",
    "ErrorSums",
    "LikelihoodSums",
    "coverage",
    "crps_gaussian",
    "nll",
    "rmse",
    "sliding_window_nll",
    "sliding_window_rmse",
]
