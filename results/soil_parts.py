"""Why the soil intervals cover what they cover: the three years of the recording are not alike.

    python results/soil_parts.py runs/soil-mts3-seed*

For each part of the recording: how far the soil moves in 28 days (persistence NRMSE) and how much of it the 90 %
intervals of each run hold. Writes results/soil_parts.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import mts3
from mts3.data import SequenceDataset, load_dataset, split
from mts3.evaluate import evaluate
from mts3.files import write_aside

WINDOW, CONTEXT, STEPS, STRIDE = 24, 48, 720, 120
RESULT = Path(__file__).parent / "soil_parts.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    runs = parser.parse_args().runs
    parts = split(load_dataset("soil"), seed=0)
    seeds = [json.loads((run / "metrics.json").read_text())["seed"] for run in runs]
    head = ["part", "persistence NRMSE", *(f"90 % coverage, seed {seed}" for seed in seeds)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, part in {"train": parts.train, "validation": parts.validation, "test": parts.test}.items():
        scores = []
        for run in runs:
            model = mts3.load(run)
            assert model.normalizer is not None
            train = SequenceDataset(parts.train, model.normalizer, STEPS, STRIDE)
            sequences = SequenceDataset(part, model.normalizer, STEPS, STRIDE)
            scores.append(evaluate(model, sequences, train, CONTEXT, WINDOW).long_horizon)
        cells = [f"{scores[0].persistence.rmse():.3f}", *(f"{score.model.coverage(0.9):.3f}" for score in scores)]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    text = "\n".join(lines) + "\n"
    with write_aside(RESULT) as path:
        path.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
