"""Run folders -> the table and the files that README and docs quote.

    mts3 train -m data=pam,soil,tiago,plaza1 model=mts3 seed=0,1,2
    python results/collect.py runs/*-mts3-seed*

Copies each run's metrics.json (and the figures of seed 0) to results/DATA-MODEL-seedN/ and writes
results/long_horizon.md, one_step.md and imputation.md: mean and standard deviation over the seeds, beside persistence
and the linear rollout.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from mts3.files import write_aside

RESULTS = Path(__file__).parent
SCORES = {
    "nrmse": "NRMSE",
    "linear_nrmse": "linear",
    "persistence_nrmse": "persistence",
    "nll": "NLL",
    "crps": "CRPS",
    "coverage_90": "90 % coverage",
}
COST = {"train_seconds": "train s", "gradient_steps": "steps"}


def keep(run: Path) -> dict[str, Any]:
    """Copy what is committed of a run; returns its metrics."""
    metrics = json.loads((run / "metrics.json").read_text())
    folder = RESULTS / f"{metrics['data']}-{metrics['model']}-seed{metrics['seed']}"
    files = ["metrics.json", "config.yaml"]
    files += [f"plots/{name}.png" for name in ("predictions", "horizon", "reliability")] if metrics["seed"] == 0 else []
    for name in files:
        with write_aside(folder / name) as aside:
            shutil.copyfile(run / name, aside)
    config = folder / "config.yaml"
    lines = config.read_text().splitlines()
    # Where the data lay on the machine that trained is nobody's business.
    config.write_text("\n".join("  path: null" if line.startswith("  path: /") else line for line in lines) + "\n")
    return metrics


def cell(values: list[float]) -> str:
    """Mean, and the standard deviation if there is any."""
    mean = statistics.mean(values)
    digits = 0 if mean >= 20 else 3
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{mean:.{digits}f} ± {spread:.{digits}f}" if spread else f"{mean:.{digits}f}"


def table(rows: dict[tuple[str, str], list[dict[str, Any]]], columns: dict[str, str]) -> str:
    head = ["data", "model", "seeds", *columns.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (data, model), metrics in sorted(rows.items()):
        cells = [cell([m[key] for m in metrics]) for key in columns]
        lines.append("| " + " | ".join([data, model, str(len(metrics)), *cells]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for run in parser.parse_args().runs:
        metrics = keep(run)
        rows[metrics["data"], metrics["model"]].append(metrics)
    tables = {
        "long_horizon": table(rows, SCORES | COST),
        **{
            task: table({name: [m[task] for m in metrics] for name, metrics in rows.items()}, SCORES)
            for task in ("one_step", "imputation")
        },
    }
    for name, text in tables.items():
        with write_aside(RESULTS / f"{name}.md") as path:
            path.write_text(text)
        print(f"{name}\n{text}")


if __name__ == "__main__":
    main()
