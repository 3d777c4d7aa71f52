"""`mts3 benchmark`: every model on every data set with every seed, in tables and one figure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mts3.cli.config import Composed, composed, data_name
from mts3.cli.overrides import parse, prepare
from mts3.cli.report import STOPPED, print_table
from mts3.cli.run_files import Found, find_run
from mts3.cli.sweep import combinations, run_one
from mts3.errors import UserError
from mts3.evaluate import Run, write_summary
from mts3.evaluate.summary_files import KEYS
from mts3.plot import plot_benchmark
from mts3.plot.read import read_horizon, read_metrics
from mts3.run_layout import COMPARISON_FILES, HORIZON_FIGURE, ROWS

COMMAND = "mts3 benchmark"
SEEDS = "3"
MOST_SEEDS = 1000
_AXES = ("data", "model", "ablation")
_OURS = (*_AXES, "seeds", "output", "runs")
_INSTEAD = {
    "seed": "give seeds=N, for 0 to N-1, or seeds=[FIRST,SECOND] instead of seed",
    "resume": "leave resume out: interrupted runs are continued, finished ones reused as they are",
}
# What a run is given besides its options, by what its folder holds.
_GOES_ON = {Found.INTERRUPTED: "resume", Found.REMAINS: "overwrite"}


@dataclass(frozen=True)
class Asked:
    """What a benchmark was asked for.

    Attributes:
        overrides: Hydra overrides whose comma-separated values span the runs.
        runs: The folder of the run folders; None leaves it to the configuration.
        output: Where tables and figure go.
    """

    overrides: list[str]
    runs: Path | None
    output: Path


@dataclass(frozen=True)
class Planned(Composed):
    """One run of a benchmark.

    Attributes:
        overrides: With which `mts3 train` would do the same.
        found: What is in its folder already.
    """

    overrides: list[str]
    found: Found


def benchmark(arguments: list[str]) -> int:
    """Run `mts3 benchmark data=[..] model=[..] ablation=[..] seeds=N [output=DIR] [runs=DIR] [key=value ...]`.

    Every run is composed and its folder looked at before the first one trains; finished ones are reused as they are. A
    run that fails says so and the others go on.

    Returns: the exit code of the worst run.
    Raises:
        UserError: for a mistake in any run, or a folder that holds another run.
    """
    asked = read_arguments(arguments)
    for key, folder in (("output", asked.output), ("runs", asked.runs)):
        if folder and folder.exists() and not folder.is_dir():
            raise UserError(f"{key}={folder} is a file; name a folder")
    refuse_foreign_tables(asked.output)
    plan = planned(asked)
    codes = run_all(plan)
    if codes and codes[-1] in STOPPED:
        return codes[-1]
    table = write_summary(asked.output, list(map(_outcome, plan, codes)))
    print_table(table.plain())
    print(f"* least NRMSE of its data set, long horizon. Tables and figure: {asked.output}")
    picture = asked.output / HORIZON_FIGURE
    if all(codes):
        picture.unlink(missing_ok=True)  # of an earlier benchmark: nothing stands behind it any more
    else:
        plot_benchmark(asked.output, picture)
    return max(codes)


def refuse_foreign_tables(folder: Path) -> None:
    """Refuse a folder with files that the comparison would replace and that no benchmark has written.

    Raises:
        UserError: naming the first such file.
    """
    rows = folder / ROWS
    with suppress(OSError, ValueError):
        if rows.read_text(encoding="utf-8").startswith(",".join(KEYS)):
            return
    for name in COMPARISON_FILES:
        if (folder / name).exists():
            raise UserError(
                f"{folder / name} is of no benchmark and would be replaced: name another folder with output=DIR"
            )


def read_arguments(arguments: list[str]) -> Asked:
    """What the user typed, lists in either form: data=[pam,soil] or data=pam,soil.

    Raises:
        UserError: for a value that cannot be read, or an option that a benchmark sets itself.
    """
    ours: dict[str, str] = {"seeds": SEEDS}
    rest = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key in _OURS:
            ours[key] = value
        elif key in _INSTEAD:
            raise UserError(_INSTEAD[key])
        else:
            rest.append(argument)
    if "data" not in ours and not any(argument.startswith("data.path=") for argument in rest):
        raise UserError("which data? give data=NAME, data=[NAME,NAME] or data.path=FILE")
    overrides = prepare(rest)
    for text in overrides:
        if parse(text).is_sweep_override():
            raise UserError(
                f"{text.lstrip('+')} names several values, which only data, model, ablation and seeds do: write one "
                "list as KEY=[FIRST,SECOND], or run a benchmark for each value, with another runs=DIR"
            )
    axes = [f"{key}={','.join(_names(key, ours[key]))}" for key in _AXES if key in ours]
    axes.append(f"seed={','.join(map(str, _seeds(ours['seeds'])))}")
    for key in ("runs", "output"):
        if ours.get(key) == "":
            raise UserError(f"{key} is empty; name a folder as {key}=DIR, or leave it out")
    runs = Path(ours["runs"]) if "runs" in ours else None
    output = Path(ours["output"]) if "output" in ours else (runs or Path("runs")) / "benchmark"
    return Asked(prepare(axes) + overrides, runs, output)


def planned(asked: Asked) -> list[Planned]:
    """Every run, checked: data sets vary slowest, seeds fastest.

    Raises:
        UserError: for a mistake in any of them, or two in one folder.
    """
    plan = []
    folders: set[Path] = set()
    for overrides in combinations(asked.overrides):
        run = composed(overrides)
        run_dir = asked.runs / run.config["name"] if asked.runs else run.run_dir
        if run_dir in folders:
            raise UserError(
                f"two runs would share the folder {run_dir}: give runs=DIR instead of hydra.run.dir, and leave name out"
            )
        folders.add(run_dir)
        plan.append(Planned(run.config, run_dir, overrides, find_run(run_dir, run.config)))
    return plan


def run_all(plan: list[Planned]) -> list[int]:
    """The exit code of each run: trained, continued, or 0 without further ado. Ctrl-C and SIGTERM end all of them."""
    if all(run.found is Found.FINISHED for run in plan):
        return [0] * len(plan)
    # Imported here: Lightning takes seconds, and neither a slip nor a finished run needs it.
    from mts3.cli import train
    from mts3.cli.scores import Fitted

    fitted: Fitted = {}  # runs that differ in the model alone have the same baselines
    codes: list[int] = []
    for run in plan:
        goes_on = [_GOES_ON[run.found]] if run.found in _GOES_ON else []
        config = run.config | dict.fromkeys(goes_on, True)
        overrides = [*run.overrides, *(f"{key}=true" for key in goes_on)]
        job = partial(train.train, config, run.run_dir, fitted)
        codes.append(0 if run.found is Found.FINISHED else run_one(COMMAND, overrides, run.run_dir, job)[0])
        if codes[-1] in STOPPED:
            break
    return codes


def _outcome(run: Planned, code: int) -> Run:
    data, label, seed = (run.config[key] for key in ("data", "label", "seed"))
    found = (None, None) if code else (read_metrics(run.run_dir), read_horizon(run.run_dir))
    return Run(data_name(data["name"], data["path"], data.get("size")), label, seed, str(run.run_dir), *found)


def _names(key: str, text: str) -> list[str]:
    """The names of a list, each once."""
    names = [name for part in text.strip().removeprefix("[").removesuffix("]").split(",") if (name := part.strip())]
    if not names:
        raise UserError(f"{key}={text} names nothing; write {key}=NAME or {key}=[NAME,NAME]")
    return list(dict.fromkeys(names))


def _seeds(text: str) -> list[int]:
    """0 to N-1 for a number, those of a list otherwise."""
    names = _names("seeds", text)
    if not all(name.isdecimal() for name in names):
        raise UserError(f"seeds must be a number of them, as in seeds=3, or a list, as in seeds=[0,5]; got {text}")
    numbers = [int(name) for name in names]
    if "[" in text or "," in text:
        return list(dict.fromkeys(numbers))
    if not numbers[0]:
        raise UserError("seeds=0 leaves nothing to run; give at least one, as in seeds=1")
    if numbers[0] > MOST_SEEDS:
        raise UserError(f"seeds={text} are more than {MOST_SEEDS}; for one seed of that number write seeds=[{text}]")
    return list(range(numbers[0]))
