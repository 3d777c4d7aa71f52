"""One step online beside its floor: the same networks, with no filter between them.

    python benchmarks/online_step.py            # prints the table, writes benchmarks/results/online_step.json

Step: `model.step` without gradients, the step that `model.online()` prepared, and the graph that `mts3.export` writes,
in onnxruntime; with no plan and with the rest of the window planned; the first two for 64 robots as well. Floor: the
same encoders, set encoders, control net and decoder, called once each for one sequence.
GRU: `nn.GRUCell` with about as many parameters. All in one process, interleaved, on one thread. A ratio is
comparable between machines, a time is not; other processes on the machine lengthen medians, hence the least round too.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

import mts3
from mts3.export import OnnxStep, export_step
from mts3.files import write_aside
from mts3.gaussian import Belief

SIZES = {"obs_dim": 4, "action_dim": 2, "latent_obs_dim": 30, "window_len": 30, "taken": 7}
"""`taken` steps of the second window are done."""
RESULT = Path(__file__).parent / "results" / "online_step.json"
CALLS = 200
Step = Callable[[], object]


def build(transition: str) -> mts3.MTS3:
    torch.manual_seed(0)
    sizes = {name: size for name, size in SIZES.items() if name != "taken"}
    return mts3.MTS3(**sizes, transition=transition).eval()


def inputs(batch: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Observations and actions of all steps before, and the plan; the last of each is the step's own."""
    g = torch.Generator().manual_seed(0)
    steps = SIZES["window_len"] + SIZES["taken"] + 1
    obs = torch.randn(batch, steps, SIZES["obs_dim"], generator=g)
    actions = torch.randn(batch, steps, SIZES["action_dim"], generator=g)
    return obs, actions, torch.randn(batch, SIZES["window_len"] - SIZES["taken"] - 1, SIZES["action_dim"], generator=g)


def in_pytorch(transition: str, planned: bool, prepared: bool, batch: int = 1) -> Step:
    model, (obs, actions, plan) = build(transition), inputs(batch)
    state = model.observe(obs[:, :-1], actions[:, :-1])[1]
    step = model.online().step if prepared else model.step
    return lambda: step(state, obs[:, -1], actions[:, -1], None, plan if planned else None)


def in_onnxruntime(transition: str, planned: bool, whole: bool) -> Step:
    """One run of the session; with `whole`, `OnnxStep.step`, numpy and units included."""
    obs, actions, plan = (x[0].numpy() for x in inputs())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        export_step(build(transition), path)
        online = OnnxStep(path)
    for o, a in zip(obs[:-1], actions[:-1], strict=True):
        online.step(o, a)
    rest = plan if planned else None
    if whole:
        return lambda: online.step(obs[-1], actions[-1], rest)
    given = {"obs": obs[-1:], "obs_mask": np.ones_like(obs[-1:], dtype=bool), "action": actions[-1:]}
    given |= {"plan": plan[None] if planned else plan[None, :0], **online._state}
    return lambda: online._session.run(None, given)


def floor(planned: bool) -> Step:
    model, (obs, actions, plan) = build("dense"), inputs()
    slow, mask = model.slow[0], torch.ones(1, 1, SIZES["obs_dim"], dtype=torch.bool)
    obs, action = obs[:, -1:], actions[:, -1:]
    acts = torch.cat((action, plan), 1) if planned else action
    phase = torch.arange(SIZES["taken"], SIZES["taken"] + acts.shape[1]) / SIZES["window_len"]
    dim = SIZES["latent_obs_dim"]
    belief = Belief(torch.zeros(1, 1, 2 * dim), torch.ones(1, 1, 3 * dim))

    def run() -> None:
        model.fast.encoder(obs, mask)
        slow.obs_encoder(obs, mask, phase[:1])
        slow.action_encoder(acts, phase)
        model.fast.control(action)
        model.fast.decoder(belief)

    return run


def gru() -> tuple[Step, int]:
    """A step of a GRU cell with about as many parameters as the model, and its size."""
    wanted, width = sum(p.numel() for p in build("dense").parameters()), SIZES["obs_dim"] + SIZES["action_dim"]
    size = next(n for n in range(1, 10_000) if 3 * n * (n + width + 2) >= wanted)
    cell, given, state = nn.GRUCell(width, size), torch.zeros(1, width), torch.zeros(1, size)
    return lambda: cell(given, state), size


def interleaved(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Microseconds a call, for each round of `CALLS` calls after one that does not count."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for counted in range(-1, rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                step()
            if counted >= 0:
                found[name].append(1e6 * (time.perf_counter() - start) / CALLS)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    cell, size = gru()
    steps = {"floor": floor(False), "floor, plan": floor(True), "GRU cell": cell}
    with torch.no_grad():
        for transition in ("dense", "modal"):
            for planned in (False, True):
                name = transition + (", plan" if planned else "")
                steps[f"online, {name}"] = in_pytorch(transition, planned, prepared=True)
                steps[f"step, {name}"] = in_pytorch(transition, planned, prepared=False)
                steps[f"onnxruntime, {name}"] = in_onnxruntime(transition, planned, whole=False)
                steps[f"OnnxStep, {name}"] = in_onnxruntime(transition, planned, whole=True)
            steps[f"online, {transition}, 64 robots"] = in_pytorch(transition, False, prepared=True, batch=64)
            steps[f"step, {transition}, 64 robots"] = in_pytorch(transition, False, prepared=False, batch=64)
        found = interleaved(steps, rounds)
    cell_us = statistics.median(found["GRU cell"])
    rows = []
    for name, times in found.items():
        median, floor_us = statistics.median(times), found["floor, plan" if name.endswith("plan") else "floor"]
        ratios = {"ratio_to_floor": median / statistics.median(floor_us), "ratio_to_gru": median / cell_us}
        rounded = {key: round(value, 2) for key, value in ratios.items()}
        rows.append({"step": name, "median_us": round(median, 1), "min_us": round(min(times), 1), **rounded})
    line = (
        "{step:28} {median_us:8.1f} us (least {min_us:.1f})   {ratio_to_floor:.2f} x floor   {ratio_to_gru:.2f} x GRU"
    )
    for row in rows:
        print(line.format(**row))
    machine = {
        "threads": 1,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
    }
    with write_aside(RESULT) as path:
        about = {"sizes": SIZES, "gru_size": size, "rounds": rounds, "calls": CALLS, **machine, "device": "cpu"}
        path.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
