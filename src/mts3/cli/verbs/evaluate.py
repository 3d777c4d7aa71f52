"""`mts3 evaluate`."""

from __future__ import annotations

from mts3.cli.verb import VERBS, Verb, with_choices

_HELP = """\
usage: mts3 evaluate run=DIR [data=NAME|data.path=FILE] [output=DIR] [key=value ...]

Evaluate the model of a run folder: metrics.json, horizon.csv, predictions.npz and plots/, in the run folder, or for
other data in DIR/evaluate-DATA or output.

  run=DIR                     what mts3 train wrote
  data={data}
  data.path=FILE              other data, all of which is evaluated: read with the run's own mapping, channels found by
                              name; other names, units or rates are refused
  data.KEY=VALUE              as in mts3 train, as in data.context_len=40
  evaluate.KEY=VALUE          metric_window (steps of the sliding-window curves), batch_size
  backend=NAME, threads=N     as in mts3 train (threads=auto is one)

example: mts3 evaluate run=runs/tiago-mts3-seed0
"""


def run(arguments: list[str]) -> None:
    """Evaluate a run."""
    from mts3.cli.evaluate import evaluate

    evaluate(arguments)


_SUMMARY = "evaluate the model of a run folder, on its own test part or on other data"
VERBS.register("evaluate")(Verb(2, _SUMMARY, lambda: with_choices(_HELP), run))
