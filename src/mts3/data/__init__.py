"""Files -> trajectories -> parts -> sequences."""

from mts3.data.core.masks import context_mask, forecast_mask, imputation_mask, random_step_mask
from mts3.data.core.matching import channels_of, matched
from mts3.data.core.native import save_dataset
from mts3.data.core.normalization import change_std, fit_normalizer
from mts3.data.core.sequences import SequenceDataset, batches
from mts3.data.core.splits import Splits, leave_out_short, split
from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.data.readers import import_files, import_with_notes
from mts3.data.rows.columns import Columns
from mts3.data.sets.describe import Channel, Summary, describe, describe_channels, describe_known
from mts3.data.sets.load import DATASETS, load_dataset, load_with_notes, names_a_set

__all__ = [
    "DATASETS",
    "Channel",
    "Columns",
    "Dataset",
    "SequenceDataset",
    "Splits",
    "Summary",
    "Trajectory",
    "batches",
    "change_std",
    "channels_of",
    "context_mask",
    "describe",
    "describe_channels",
    "describe_known",
    "fit_normalizer",
    "forecast_mask",
    "import_files",
    "import_with_notes",
    "imputation_mask",
    "leave_out_short",
    "load_dataset",
    "load_with_notes",
    "matched",
    "names_a_set",
    "random_step_mask",
    "save_dataset",
    "split",
]
