"""State estimation from noisy images of a pendulum: the experiment of the RKN paper, on equal terms.

    python benchmarks/pendulum_images.py      # 18 trainings of a minute or two on one thread; goes on where it stopped

At every step: the belief about (sin, cos) of the angle, given the images up to and including that step. The images
carry noise that is correlated in time, at times nothing else; with `missing` half of them are gone as well.
A recurrent Kalman network (locally linear transition, the posterior is decoded) beside LSTM and GRU with the same
convolutions, the same heads and as many parameters, trained alike; the epoch is chosen on validation sequences.
Writes benchmarks/results/pendulum_images.json and .md.

Reference: Becker et al. 2019 (arXiv 1905.07357), section 5.1. Differs from the paper in: fewer and shorter sequences,
a smaller budget, convolutions of our own; images are missing besides noisy.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mts3.data.sets.generators.pendulum_images import SIZE, simulate_pendulum
from mts3.files import write_aside
from mts3.gaussian import Belief, filtering, stack
from mts3.layers import GaussianDecoder, GaussianMarginalization, ImageEncoder, ImageObsEncoder, make_transition
from mts3.layers.encoder import GaussianEncoder
from mts3.metrics import coverage, nll, rmse
from mts3.models.acrkn import initial_belief
from mts3.prediction import Prediction

SETTINGS: dict[str, Any] = {
    "sequences": {"train": 400, "validation": 50, "test": 200},
    "steps": 75,
    "latent_obs_dim": 15,
    "hidden": 60,
    "transition": ["locally_linear", "identity"],
    "epochs": 40,
    "batch": 20,
    "learning_rate": 3e-3,
    "missing": [0.0, 0.5],
}
MODELS = ("rkn", "lstm", "gru", "mean")
IMAGE = (1, SIZE, SIZE)
RESULT = Path(__file__).parent / "results" / "pendulum_images.json"
Batch = tuple[Tensor, Tensor, Tensor]
"""Images (B, T, O), mask (B, T, O) and targets (B, T, 2)."""


class RKN(nn.Module):
    """Convolutions to evidence, a Gaussian filter, and the posterior to a belief about (sin, cos)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.dim = dim
        kind, init = SETTINGS["transition"]
        self.encoder = ImageObsEncoder(IMAGE, dim, hidden)
        self.marginalization = GaussianMarginalization(dim, [make_transition(kind, dim, init)])
        self.decoder = GaussianDecoder(dim, 2, hidden)

    def forward(self, images: Tensor, mask: Tensor) -> Prediction:
        """Entry t is the belief about the targets of step t."""
        evidence, noise = self.encoder(images, mask), self.marginalization.offset([])
        batch = images.shape[:2]
        noise = Belief(noise.mean.expand(*batch, -1), noise.cov.expand(*batch, -1))
        prior, posteriors = initial_belief(len(images), self.dim, images), []
        for step in filtering.prepare(self.marginalization.transitions[0](), noise, evidence):
            posterior, prior = filtering.combine(prior, step)
            posteriors.append(posterior)
        return self.decoder(stack(posteriors, 1))


class Recurrent(nn.Module):
    """The same convolutions, then an LSTM or a GRU, then mean and variance; a missing image is zeros and a flag."""

    def __init__(self, cell: type[nn.LSTM] | type[nn.GRU], units: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.encoder = ImageEncoder((2 * IMAGE[0], *IMAGE[1:]), dim, hidden)
        self.cell = cell(2 * dim + 1, units, batch_first=True)
        self.heads = GaussianEncoder(units, 2, 2 * hidden)  # as many hidden units as the two nets of a decoder

    def forward(self, images: Tensor, mask: Tensor) -> Prediction:
        """Entry t is the belief about the targets of step t."""
        seen = mask.any(-1)
        frames = torch.stack((images[seen], torch.ones_like(images[seen])), 1).unflatten(-1, IMAGE[1:])
        features = images.new_zeros(*seen.shape, 2 * self.encoder.net[-1].out_features // 2)
        features[seen] = torch.cat(self.encoder(frames), -1)
        return Prediction(*self.heads(self.cell(torch.cat((features, seen[..., None].to(images.dtype)), -1))[0]))


def build(name: str, seed: int) -> nn.Module:
    """A model by name; LSTM and GRU get the number of units that comes closest to the RKN's parameters."""
    torch.manual_seed(seed)
    dim, hidden = SETTINGS["latent_obs_dim"], SETTINGS["hidden"]
    if name == "rkn":
        return RKN(dim, hidden)
    cell = {"lstm": nn.LSTM, "gru": nn.GRU}[name]
    wanted = size(RKN(dim, hidden))
    units = min(range(1, 300), key=lambda n: abs(size(Recurrent(cell, n, dim, hidden)) - wanted))
    torch.manual_seed(seed)
    return Recurrent(cell, units, dim, hidden)


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def data(missing: float) -> dict[str, Batch]:
    """The three parts. With images missing the same pendulums swing as without."""
    parts = {}
    for seed, (part, sequences) in enumerate(SETTINGS["sequences"].items()):
        made = simulate_pendulum(sequences, SETTINGS["steps"], seed, missing=missing)
        images = torch.from_numpy(made.images)
        # 0.3 and 0.3: mean and spread of a pixel, roughly.
        parts[part] = ((images - 0.3) / 0.3).nan_to_num(0.0), ~images.isnan(), torch.from_numpy(made.targets)
    return parts


def batches(part: Batch, order: Tensor) -> Iterator[Batch]:
    for index in order.split(SETTINGS["batch"]):
        yield part[0][index], part[1][index], part[2][index]


@torch.no_grad()
def predict(model: nn.Module, part: Batch) -> Prediction:
    """The beliefs about a whole part."""
    preds = [model(images, mask) for images, mask, _ in batches(part, torch.arange(len(part[0])))]
    return Prediction(torch.cat([p.mean for p in preds]), torch.cat([p.var for p in preds]))


def train(name: str, missing: float, seed: int, report: Callable[[str], None] = print) -> dict[str, Any]:
    """Train one model and score it on the test part; the weights of the best epoch on validation are scored."""
    parts, model, g = data(missing), build(name, seed), torch.Generator().manual_seed(seed)
    per_epoch = -(-SETTINGS["sequences"]["train"] // SETTINGS["batch"])
    optimizer = torch.optim.Adam(model.parameters(), SETTINGS["learning_rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, SETTINGS["epochs"] * per_epoch)
    best, kept, best_epoch, start = float("inf"), {}, 0, time.perf_counter()
    for epoch in range(1, SETTINGS["epochs"] + 1):
        for images, mask, target in batches(parts["train"], torch.randperm(len(parts["train"][0]), generator=g)):
            optimizer.zero_grad()
            nll(model(images, mask), target).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
        found = nll(predict(model, parts["validation"]), parts["validation"][2]).item()
        if found < best:
            best, best_epoch = found, epoch
            kept = {key: value.clone() for key, value in model.state_dict().items()}
        report(f"{name} missing={missing} seed={seed} epoch {epoch}: validation NLL {found:.3f}")
    seconds = time.perf_counter() - start
    model.load_state_dict(kept)
    row = {"model": name, "missing": missing, "seed": seed, **scores(predict(model, parts["test"]), parts["test"][2])}
    return {**row, "parameters": size(model), "best_epoch": best_epoch, "train_seconds": round(seconds, 1)}


def predict_the_mean(missing: float) -> dict[str, Any]:
    """What knowing nothing scores: mean and variance of the training targets, at every step."""
    parts = data(missing)
    target, known = parts["test"][2], parts["train"][2].flatten(0, 1)
    pred = Prediction(known.mean(0).expand(target.shape), known.var(0).expand(target.shape))
    row = {"model": "mean", "missing": missing, "seed": 0, **scores(pred, target)}
    return {**row, "parameters": 4, "train_seconds": 0.0}


def scores(pred: Prediction, target: Tensor) -> dict[str, float]:
    values = rmse(pred, target), nll(pred, target).item(), coverage(pred, target, 0.9)
    return {name: round(value, 4) for name, value in zip(("rmse", "nll", "coverage_90"), values, strict=True)}


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and standard deviation over seeds, as markdown."""
    head = ["missing", "model", "parameters", "seeds", "RMSE", "NLL", "90 % hold", "training, s"]
    lines = [head, ["---"] * len(head)]
    for missing in sorted({row["missing"] for row in rows}):
        for model in MODELS:
            same = [row for row in rows if (row["model"], row["missing"]) == (model, missing)]
            if same:
                values = [_spread([row[key] for row in same]) for key in ("rmse", "nll", "coverage_90")]
                seconds = statistics.mean(row["train_seconds"] for row in same)
                size, number = f"{same[0]['parameters']:,}", str(len(same))
                lines.append([f"{missing:.0%}", model, size, number, *values, f"{seconds:.0f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def finished() -> list[dict[str, Any]]:
    """Rows of an earlier run with the same settings."""
    if not RESULT.exists():
        return []
    kept = json.loads(RESULT.read_text())
    return kept["rows"] if kept["settings"] == SETTINGS else []


def write(rows: list[dict[str, Any]]) -> None:
    machine = {"threads": 1, "torch": torch.__version__, "numpy": np.__version__, "device": "cpu"}
    with write_aside(RESULT) as path:
        path.write_text(json.dumps({"settings": SETTINGS, **machine, "rows": rows}, indent=2) + "\n")
    with write_aside(RESULT.with_suffix(".md")) as path:
        path.write_text(f"# State estimation from noisy images of a pendulum\n\n{table(rows)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    rows = finished() or [predict_the_mean(missing) for missing in SETTINGS["missing"]]
    done = {(row["model"], row["missing"], row["seed"]) for row in rows}
    for seed, missing, name in itertools.product(range(seeds), SETTINGS["missing"], MODELS[:-1]):
        if (name, missing, seed) not in done:
            rows.append(train(name, missing, seed))
            write(rows)
    print(table(rows))


if __name__ == "__main__":
    main()
