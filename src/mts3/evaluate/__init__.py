"""The evaluation protocol: what is hidden, what is scored, what stands beside the model, which file holds what."""

from mts3.evaluate.baselines import Baselines
from mts3.evaluate.evaluation import Evaluation, Scores
from mts3.evaluate.examples import Examples
from mts3.evaluate.protocol import evaluate
from mts3.evaluate.results import write_results
from mts3.evaluate.summary import BASELINES, Run, Table, table
from mts3.evaluate.summary_files import write_summary

__all__ = [
    "BASELINES",
    "Baselines",
    "Evaluation",
    "Examples",
    "Run",
    "Scores",
    "Table",
    "evaluate",
    "table",
    "write_results",
    "write_summary",
]
