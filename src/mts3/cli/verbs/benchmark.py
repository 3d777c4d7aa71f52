"""`mts3 benchmark`."""

from __future__ import annotations

from mts3.cli.verb import VERBS, Verb, with_choices

_HELP = """\
usage: mts3 benchmark data=[NAME,..]|data.path=FILE [model=[NAME,..]] [seeds=N] [output=DIR] [runs=DIR] [key=value ...]

Train every model on every data set with every seed, and write one comparison: table.md, one_step.md, imputation.md,
rows.csv (every score of every run), horizon.csv and horizon.png. Finished runs are reused as they are and interrupted
ones continued; a run that fails says so, and the others go on.

  data={data}
  model={model}
  ablation={ablation}
  seeds=N                     0 to N-1 (default 3); seeds=[3,4] those
  output=DIR                  where the comparison goes (default RUNS/benchmark)
  runs=DIR                    where the run folders go (default runs): DIR/DATA-MODEL-seedN
  overwrite=true              train all of them again
  KEY=VALUE                   as in mts3 train, the same for every run; a folder that holds a run with another value is
                              refused before anything trains

example: mts3 benchmark data=[soil,tiago] model=[mts3,acrkn] seeds=3
"""


def run(arguments: list[str]) -> int:
    """Train and compare."""
    from mts3.cli.benchmark import benchmark

    return benchmark(arguments)


_SUMMARY = "several models on several data sets, with several seeds: tables and a figure"
VERBS.register("benchmark")(Verb(3, _SUMMARY, lambda: with_choices(_HELP), run))
