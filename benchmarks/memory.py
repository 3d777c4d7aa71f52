"""Peak memory of one training step, beside a loop over time that runs every network inside it.

    python benchmarks/memory.py            # prints the table, writes benchmarks/results/memory.json

Step: forward, loss, backward, Adam. Naive: the same modules of the same model, but encoder, control and decoder are
called on one step at a time, as a recurrent cell would be. Each number is of a process of its own, on one thread: the
most memory it ever held in RAM, less the most it held before the step; a small step before lets libraries load. It
includes what the allocator keeps of freed tensors, and is a few MB more or less from run to run.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mts3.files import write_aside
from mts3.gaussian import filtering
from mts3.kernels import use_backend
from mts3.metrics import nll
from mts3.models import MTS3
from mts3.models.inputs import Inputs
from mts3.prediction import Prediction
from mts3.segments import observe_in_segments

SIZES = {"obs_dim": 4, "action_dim": 2, "latent_obs_dim": 30, "window_len": 30}
SHAPES = ((32, 300), (256, 300), (32, 3000))
RESULT = Path(__file__).parent / "results" / "memory.json"
MB = 1e6


def inputs(batch: int, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Observations, actions, a mask with 30 % of the steps missing, and targets; what they hold does not matter."""
    g = torch.Generator().manual_seed(0)
    obs = torch.randn(batch, steps, SIZES["obs_dim"], generator=g)
    actions = torch.randn(batch, steps, SIZES["action_dim"], generator=g)
    return obs, actions, torch.rand(batch, steps, generator=g) > 0.3, torch.randn(obs.shape, generator=g)


def whole(model: MTS3, obs: Tensor, actions: Tensor, mask: Tensor) -> Prediction:
    return model(obs, actions, mask)


def recomputed(model: MTS3, obs: Tensor, actions: Tensor, mask: Tensor) -> Prediction:
    return observe_in_segments(model, obs, actions, mask, recompute=True)[0]


def naive(model: MTS3, obs: Tensor, actions: Tensor, mask: Tensor) -> Prediction:
    """Every network inside the loop; the slow level, which has one step a window, as it is."""
    wide, fast, (level,) = mask[..., None].expand(obs.shape), model.fast, model.levels()
    assert fast.control is not None
    state = model.initial_state(len(obs))
    tasks, _ = level.observe(state.slow[0], Inputs(actions, obs, wide))
    pushed = list(fast.marginalization.offset([tasks.belief]).map(lambda fields: fields.squeeze(2)).unbind(1))
    transition, belief, told = fast.marginalization.transitions[0](), state.prior, []
    for t in range(obs.shape[1]):
        now = slice(t, t + 1)
        seen = fast.encoder(obs[:, now], wide[:, now]).map(lambda fields: fields.squeeze(1))
        push = pushed[t // SIZES["window_len"]]
        offset = fast.marginalization.shifted(push, fast.control(actions[:, t]))
        _, belief = filtering.combine(belief, filtering.FilterStep(transition, offset, seen))
        told.append(fast.decode(belief))
    return Prediction(torch.stack([p.mean for p in told], 1), torch.stack([p.var for p in told], 1))


WAYS: dict[str, tuple[str, Callable[..., Prediction]]] = {
    "reference": ("reference", whole),
    "fused": ("fused", whole),
    "fused, recomputed": ("fused", recomputed),
    "naive": ("reference", naive),
}


def step(way: str, transition: str, batch: int, steps: int) -> float:
    """One training step of a fresh model; its loss."""
    backend, predict = WAYS[way]
    obs, actions, mask, target = inputs(batch, steps)
    torch.manual_seed(0)
    model = MTS3(SIZES["obs_dim"], SIZES["action_dim"], SIZES["window_len"], SIZES["latent_obs_dim"], transition)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with use_backend(backend):
        loss = nll(predict(model, obs, actions, mask), target)
        loss.backward()
    optimizer.step()
    return loss.item()


def high_water() -> float:
    """The most memory this process ever held in RAM, MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def measure(way: str, transition: str, batch: int, steps: int) -> dict[str, float]:
    """In a process of its own: by how much the step lifts the high water, and its loss."""
    torch.set_num_threads(1)
    step(way, transition, 2, 2 * SIZES["window_len"])
    gc.collect()
    before = high_water()
    loss = step(way, transition, batch, steps)
    return {"before_mb": before, "peak_mb": high_water() - before, "loss": loss}


def in_a_process(way: str, transition: str, batch: int, steps: int) -> dict[str, float]:
    arguments = ["--measure", way, transition, str(batch), str(steps)]
    found = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


def table(transition: str, batch: int, steps: int) -> list[dict]:
    """The rows of one size, all ways of going through it."""
    found = {way: in_a_process(way, transition, batch, steps) for way in WAYS}
    losses = [row["loss"] for row in found.values()]
    if max(losses) - min(losses) > 1e-3 * abs(losses[0]):
        raise RuntimeError(f"the same step has different losses: {found}")
    size = {"transition": transition, "batch": batch, "steps": steps}
    return [
        {
            "step": way,
            **size,
            "before_mb": round(row["before_mb"]),
            "peak_mb": round(row["peak_mb"], 1),
            "of_naive": round(row["peak_mb"] / found["naive"]["peak_mb"], 3),
        }
        for way, row in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", nargs=4, metavar=("WAY", "TRANSITION", "BATCH", "STEPS"), help="one, as JSON")
    options = parser.parse_args()
    if options.measure:
        way, transition, batch, steps = options.measure
        print(json.dumps(measure(way, transition, int(batch), int(steps))))
        return
    rows = []
    for shape in SHAPES:
        for row in table("dense", *shape):
            rows.append(row)
            print("{step:18} batch {batch:3} steps {steps:4}  {peak_mb:8.1f} MB  {of_naive:.3f} of naive".format(**row))
    machine = {"threads": 1, "torch": torch.__version__, "machine": platform.machine(), "device": "cpu"}
    with write_aside(RESULT) as path:
        path.write_text(json.dumps({"sizes": SIZES, **machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
