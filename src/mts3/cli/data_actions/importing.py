"""`mts3 data import`."""

from __future__ import annotations

from mts3.cli.data_action import ACTIONS, print_summary, split_options
from mts3.cli.verb import Verb
from mts3.data import import_with_notes
from mts3.data.rows.columns import KEYS
from mts3.errors import UserError

_USAGE = "import FILE.. output=FILE [obs=[x,y]] [actions=[u]] [time=t] [trajectory=episode]"
_ABOUT = """\
files in any known format -> one npz file for data.path=FILE. Contents tell the format: npz, CSV, Parquet,
HDF5 (D4RL, Minari, robomimic), NetCDF-4, MATLAB 7.3, benchmark pickles, folders of LeRobot and Minari,
minari:ID. It prints how each column was read. obs, actions, reward, time and trajectory name columns
(time=[Date,Time] two), sample_time gives seconds per step where no column does.
missing=[-200,Bad] names what stands for "not observed"; decimal="," and thousands="." say how numbers in
text are written, time_unit=ms or time_format="%d.%m.%Y %H:%M" how times are, where that is not recognised;
action_shift=1 takes each action from the row below.
resample=true brings irregular times onto a grid (max_gap=SECONDS without a row end a trajectory);
mask_stuck, mask_outliers and mask_held=true leave such observations out"""


def run(arguments: list[str]) -> None:
    """Read files and write them as one."""
    names, options = split_options(arguments, ("output", *KEYS))
    if "output" not in options:
        raise UserError("import needs output=FILE.npz, the file to write")
    dataset, lines = import_with_notes(names, options.pop("output"), options or None)
    print("\n".join(lines))
    print_summary(dataset)


ACTIONS.register("import")(Verb(5, _ABOUT, lambda: _USAGE, run))
