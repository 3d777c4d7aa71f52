"""Every learned model beside each other: parameters, a training step, filtering, one step online.

    python benchmarks/models.py            # prints the table, writes benchmarks/results/models.json

The sizes of `training_step.py`, packaged defaults, one process, interleaved, one thread; medians. A ratio to the GRU,
which torch fuses, is comparable between machines, a time is not.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from training_step import ACTION_DIM, DIM, OBS_DIM, SETTINGS, batch, interleaved, learner

import mts3
from mts3.files import write_aside
from mts3.metrics import nll
from mts3.models import MODELS

RESULT = Path(__file__).parent / "results" / "models.json"
BESIDE = "gru"
SETTING = SETTINGS[0]
LEARNED = tuple(name for name in MODELS if name not in ("linear", "persistence"))
VARIANTS = {
    "acrkn_linear": ("acrkn", {"transition": "dense"}),
    "hiprssm_adaptive": ("hiprssm", {"transition": "dense", "adaptive": True}),
    "mts3_adaptive": ("mts3", {"adaptive": True}),
}


def build(name: str) -> mts3.models.WorldModel:
    kind, arguments = VARIANTS.get(name, (name, {}))
    if kind in ("mts3", "gru_two_rate"):
        arguments = {**arguments, "window_len": SETTING.window_len}
    torch.manual_seed(0)
    return mts3.build(kind, obs_dim=OBS_DIM, action_dim=ACTION_DIM, **arguments)


def train_step(model: mts3.models.WorldModel) -> Callable[[], None]:
    obs, actions, mask, target = batch(SETTING)
    return learner(model, lambda: nll(model(obs, actions, mask), target))


def filter_batch(model: mts3.models.WorldModel) -> Callable[[], None]:
    obs, actions, _, _ = batch(SETTING)

    @torch.no_grad()
    def run() -> None:
        model.eval()(obs, actions)
        model.train()

    return run


def online_step(model: mts3.models.WorldModel) -> Callable[[], None]:
    obs, actions, _, _ = batch(SETTING)
    with torch.no_grad():
        state = model.observe(obs[:1], actions[:1])[1]

    @torch.no_grad()
    def run() -> None:
        model.step(state, obs[:1, 0], actions[:1, 0])

    return run


def measured(names: tuple[str, ...], rounds: int) -> list[dict[str, object]]:
    """A row a model, medians in milliseconds."""
    models = {name: build(name) for name in names}
    rows: dict[str, dict[str, object]] = {
        name: {"model": name, "parameters": sum(p.numel() for p in model.parameters())}
        for name, model in models.items()
    }
    for key, make in {"train_ms": train_step, "filter_ms": filter_batch, "step_ms": online_step}.items():
        seconds = interleaved({name: make(model) for name, model in models.items()}, rounds)
        beside = statistics.median(seconds[BESIDE])
        for name, times in seconds.items():
            middle = statistics.median(times)
            rows[name] |= {key: round(1e3 * middle, 2), f"{key}_ratio": round(middle / beside, 2)}
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    rows = measured((*LEARNED, *VARIANTS), rounds)
    for row in rows:
        print(
            "{model:18} {parameters:8,}   train {train_ms:8.1f} ms ({train_ms_ratio:.2f})   "
            "filter {filter_ms:7.1f} ms ({filter_ms_ratio:.2f})   step {step_ms:6.2f} ms ({step_ms_ratio:.2f})".format(
                **row
            )
        )
    machine = {"threads": 1, "torch": torch.__version__, "machine": platform.machine(), "device": "cpu"}
    sizes = {**vars(SETTING), "obs_dim": OBS_DIM, "action_dim": ACTION_DIM, "latent_obs_dim": DIM}
    with write_aside(RESULT) as path:
        beside = {"ratio_to": BESIDE, "rounds": rounds}
        path.write_text(json.dumps({"sizes": sizes, **beside, **machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
