"""`mts3 train`."""

from __future__ import annotations

from functools import partial

from mts3.cli.verb import VERBS, Verb, with_choices

_SWEEP = frozenset({"-m", "--multirun"})
_HELP = """\
usage: mts3 train data=NAME|data.path=FILE [model=NAME] [key=value ...] [-m]

Train a model, evaluate it on the test part, and write a run folder: config.yaml, model.safetensors and model.json
(the best weights), last.ckpt, metrics.json, horizon.csv, predictions.npz, plots/ and logs/.

  data={data}
  data.path=FILE              your own recording, a file or folder in any known format (see mts3 data --help)
  data.KEY=VALUE              window_len, context_len, sequence_len, ... (steps); size=paper of some generated sets
  model={model}
  model.ARGUMENT=VALUE        any argument of the model, as in model.transition=modal or model.window_len=[10,60]
  ablation={ablation}
  train.target=obs|delta      what the network's output is about: the observation, or its change from step to step
  seed=N                      split, parameters, order of the batches, masks (default 0)
  train.KEY=VALUE             batch_size learning_rate=0.003 schedule=cosine|constant weight_decay
                              step_drop_rate=0.15 window_drop_rate=0.75 forecast_rate=0.5 curriculum_epochs=1
                              average_decay=0.98 recompute=false patience=null num_workers=0
  trainer.OPTION=VALUE        any option of lightning.Trainer, as in trainer.max_epochs=50 trainer.max_time=00:01:00:00
  logger={logger}
  backend=auto|triton|fused|associative|reference
                              what filters over time (default auto: the fastest that can)
  threads=auto|N              CPU threads (default auto: one, or more where a few timed steps say that they are faster)
  resume=true                 continue the run in hydra.run.dir from its last.ckpt, with its own options
  overwrite=true              replace the run in hydra.run.dir; files that no run wrote stay
  hydra.run.dir=DIR           the run folder (default runs/DATA-MODEL-seedN)
  -m, --multirun              run every combination of comma-separated values, as in data=pam,soil seed=0,1,2

example: mts3 train data=tiago seed=1 trainer.max_epochs=20 hydra.run.dir=runs/first
         mts3 train resume=true hydra.run.dir=runs/first trainer.max_epochs=40
"""


def run(arguments: list[str]) -> int | None:
    """One training, or with a sweep's flag one for every combination of values."""
    from mts3.cli.overrides import prepare
    from mts3.cli.resume import asked

    overrides = prepare(argument for argument in arguments if argument not in _SWEEP)
    if not _SWEEP.isdisjoint(arguments):
        from mts3.cli.sweep import run_sweep
        from mts3.cli.train import train

        return run_sweep("mts3 train", overrides, partial(train, fitted={}))
    wanted = asked(overrides)  # a slip is answered before Lightning, which takes seconds, is imported
    from mts3.cli.train import train

    train(wanted.config, wanted.run_dir)


VERBS.register("train")(
    Verb(1, "train a model, evaluate it on the test part, write a run folder", lambda: with_choices(_HELP), run, _SWEEP)
)
