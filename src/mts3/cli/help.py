"""What `mts3 COMMAND --help` prints. It needs no Lightning."""

from __future__ import annotations

from mts3.cli.config import choices_of

_TRAIN = """\
usage: mts3 train data=NAME|data.path=FILE [model=NAME] [key=value ...] [-m]

Train a model, evaluate it on the test part, and write a run folder: config.yaml, model.safetensors and model.json
(the best weights), last.ckpt, metrics.json, horizon.csv, predictions.npz, plots/ and logs/.

  data={data}
  data.path=FILE              your own npz, CSV or Parquet file (see mts3 data import)
  data.KEY=VALUE              window_len, context_len, sequence_len, ... (steps)
  model={model}
  model.ARGUMENT=VALUE        any argument of the model, as in model.transition=modal
  seed=N                      split, parameters, order of the batches, masks (default 0)
  train.KEY=VALUE             batch_size learning_rate=0.003 schedule=cosine|constant weight_decay
                              step_drop_rate=0.15 forecast_rate=0.5 curriculum_epochs=1 average_decay=0.98
                              patience=null num_workers=0
  trainer.OPTION=VALUE        any option of lightning.Trainer, as in trainer.max_epochs=50 trainer.max_time=00:01:00:00
  logger={logger}
  threads=N                   CPU threads (default 1; null: torch's choice)
  resume=true                 continue from last.ckpt in hydra.run.dir, repeating the options it was started with
  overwrite=true              replace the run in hydra.run.dir
  hydra.run.dir=DIR           the run folder (default runs/DATA-MODEL-seedN)
  -m, --multirun              run every combination of comma-separated values, as in data=pam,soil seed=0,1,2

example: mts3 train data=tiago seed=1 trainer.max_epochs=20 hydra.run.dir=runs/first
"""
_EVALUATE = """\
usage: mts3 evaluate run=DIR [data=NAME|data.path=FILE] [output=DIR] [key=value ...]

Evaluate the model of a run folder: metrics.json, horizon.csv, predictions.npz and plots/, in the run folder, or for
other data in DIR/evaluate-DATA or output.

  run=DIR                     what mts3 train wrote
  data={data}
  data.path=FILE              other data with the same channels; its test part is evaluated
  data.KEY=VALUE              as in mts3 train, as in data.context_len=40
  evaluate.KEY=VALUE          metric_window (steps of the sliding-window curves), batch_size

example: mts3 evaluate run=runs/tiago-mts3-seed0
"""
_DATA = """\
usage: mts3 data list
       mts3 data show NAME|FILE [output=PICTURE.png]
       mts3 data import FILE.. output=FILE [obs=[x,y]] [actions=[u]] [time=t] [trajectory=episode]

  list      the data sets by name: channels, trajectories, rows, source
  show      the same of one set or file, and a picture of it (default NAME.png)
  import    npz, CSV and Parquet files -> one npz file for data.path=FILE; obs, actions, time and trajectory name
            columns, sample_time gives seconds per step where no column does

example: mts3 data import log1.csv log2.csv output=robot.npz obs=[x,y] actions=[throttle] time=stamp
"""


def text(verb: str) -> str:
    """The help of a command, with the names it takes today."""
    if verb == "data":
        return _DATA
    names = {group: "|".join(choices_of(group)) for group in ("data", "model", "logger")}
    return (_TRAIN if verb == "train" else _EVALUATE).format(**names)
