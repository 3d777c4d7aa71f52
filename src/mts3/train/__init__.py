"""Training: any model of `mts3.models` on sequences of `mts3.data`, with Lightning.

`fit` is the one entry; the rest are its parts, each usable with a `lightning.Trainer` of your own.
"""

from mts3.train.closed_form import MOST_INPUTS, fit_linear, fit_linears, measure_var
from mts3.train.curriculum import WindowDropCurriculum
from mts3.train.data_module import SequenceDataModule
from mts3.train.divergence import TrainingDiverged
from mts3.train.fit import fit, is_main_process
from mts3.train.loggers import LOGGERS, build_loggers
from mts3.train.module import TrainingModule
from mts3.train.objective import Objective, negative_log_likelihood
from mts3.train.options import TrainingOptions
from mts3.train.randomness import generator, seeded
from mts3.train.run_folder import FitResult, RunFolder

__all__ = [
    "LOGGERS",
    "MOST_INPUTS",
    "FitResult",
    "Objective",
    "RunFolder",
    "SequenceDataModule",
    "TrainingDiverged",
    "TrainingModule",
    "TrainingOptions",
    "WindowDropCurriculum",
    "build_loggers",
    "fit",
    "fit_linear",
    "fit_linears",
    "generator",
    "is_main_process",
    "measure_var",
    "negative_log_likelihood",
    "seeded",
]
