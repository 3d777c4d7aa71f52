"""The evaluation protocol: what is hidden, what is scored, what stands beside the model, which file holds what."""

from mts3.evaluate.evaluation import Evaluation, Scores
from mts3.evaluate.examples import Examples
from mts3.evaluate.linear import LinearRollout
from mts3.evaluate.persistence import persistence
from mts3.evaluate.protocol import evaluate
from mts3.evaluate.results import write_results

__all__ = ["Evaluation", "Examples", "LinearRollout", "Scores", "evaluate", "persistence", "write_results"]
