"""What `mts3 COMMAND --help` prints. It needs no Lightning."""

from __future__ import annotations

from mts3.cli.config import choices_of

_TRAIN = """\
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
_EVALUATE = """\
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
_BENCHMARK = """\
usage: mts3 benchmark data=[NAME,..]|data.path=FILE [model=[NAME,..]] [seeds=N] [output=DIR] [runs=DIR] [key=value ...]

Train every model on every data set with every seed, and write one comparison: table.md, one_step.md, imputation.md,
rows.csv (every score of every run), horizon.csv and horizon.png. Finished runs are taken as they are and interrupted
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
_DATA = """\
usage: mts3 data list
       mts3 data make NAME [size=small] [seed=0] [output=FILE.npz]
       mts3 data show NAME|FILE [output=PICTURE.png] [size=small] [seed=0] [obs=[x,y] .. as of import]
       mts3 data check NAME|FILE [output=PICTURE.png] [window_len=STEPS] [obs=[x,y] .. as of import]
       mts3 data import FILE.. output=FILE [obs=[x,y]] [actions=[u]] [time=t] [trajectory=episode]
       mts3 data record env=ID output=FILE.npz [policy=random] [episodes=N] [steps=N] [seed=N] [flatten=true]
                        [sample_time=SECONDS]

  list      the data sets by name: channels, trajectories, rows, source
  make      a generated set, made once and kept in the user's cache (or $MTS3_CACHE); goes on where it was interrupted
  show      the same of one set or file, and a picture of it (default NAME.png)
  check     what is wrong with a recording, in plain words: irregular times, gaps, stuck sensors, outliers, ...; and a
            picture of it (default NAME-check.png)
  import    files in any known format -> one npz file for data.path=FILE. Contents tell the format: npz, CSV, Parquet,
            HDF5 (D4RL, Minari, robomimic), NetCDF-4, MATLAB 7.3, benchmark pickles, folders of LeRobot and Minari,
            minari:ID. What was taken as what is printed. obs, actions, reward, time and trajectory name columns
            (time=[Date,Time] two), sample_time gives seconds per step where no column does.
            missing=[-200,Bad] names what stands for "not observed"; decimal="," and thousands="." say how numbers in
            text are written, time_unit=ms or time_format="%d.%m.%Y %H:%M" how times are, where that is not recognised;
            action_shift=1 takes each action from the row below.
            resample=true brings irregular times onto a grid (max_gap=SECONDS without a row end a trajectory);
            mask_stuck, mask_outliers and mask_held=true leave such observations out
  record    let a policy (random, zero, or MODULE:FUNCTION of yours) run in a gymnasium environment. flatten=true lays
            out Dict and Tuple spaces, channel by channel; sample_time gives seconds per step where the environment has
            no clock (a guess is said)

example: mts3 data import log1.csv log2.csv output=robot.npz obs=[x,y] actions=[throttle] time=stamp
"""


def text(verb: str) -> str:
    """The help of a command, with the names it takes today."""
    if verb == "data":
        return _DATA
    names = {group: "|".join(choices_of(group)) for group in ("data", "model", "ablation", "logger")}
    return {"train": _TRAIN, "evaluate": _EVALUATE, "benchmark": _BENCHMARK}[verb].format(**names)
