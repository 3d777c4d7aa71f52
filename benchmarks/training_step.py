"""One training step beside its floor: the same networks with no inference between them.

    python benchmarks/training_step.py            # prints the table, writes benchmarks/results/training_step.json

Step: forward, loss, backward, gradient clipping, Adam. Floor: the same encoders, control net and decoders, once over
all steps, their loss, backward, clipping, Adam, and no Gaussian inference. Both in one process, interleaved, on one
thread; medians. A ratio is comparable between machines, a time is not.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import mts3
from mts3.files import write_aside
from mts3.gaussian import Belief
from mts3.metrics import gaussian_nll

SIZES = {"batch": 32, "steps": 300, "obs_dim": 4, "action_dim": 2, "latent_obs_dim": 30, "window_len": 30}
RESULT = Path(__file__).parent / "results" / "training_step.json"


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Observations, actions, a mask with 30 % of the steps missing, and targets; what they hold does not matter."""
    g = torch.Generator().manual_seed(0)
    shape = (SIZES["batch"], SIZES["steps"])
    obs = torch.randn(*shape, SIZES["obs_dim"], generator=g)
    actions = torch.randn(*shape, SIZES["action_dim"], generator=g)
    return obs, actions, torch.rand(shape, generator=g) > 0.3, torch.randn(obs.shape, generator=g)


def build(transition: str, task_belief: str = "predicted") -> mts3.MTS3:
    torch.manual_seed(0)
    return mts3.MTS3(
        SIZES["obs_dim"],
        SIZES["action_dim"],
        window_len=SIZES["window_len"],
        latent_obs_dim=SIZES["latent_obs_dim"],
        transition=transition,
        task_belief=task_belief,
    )


def learner(model: mts3.MTS3, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """A function that does one training step on `loss`."""
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 5.0)
        optimizer.step()

    return step


def full_step(transition: str, task_belief: str = "predicted") -> Callable[[], None]:
    obs, actions, mask, target = batch()
    model = build(transition, task_belief)
    return learner(model, lambda: gaussian_nll(model(obs, actions, mask), target))


def floor_step() -> Callable[[], None]:
    obs, actions, mask, target = batch()
    model, g = build("dense"), torch.Generator().manual_seed(1)
    wide, slow = mask[..., None].expand(obs.shape), model.slow[0]
    shape, dim = obs.shape[:2], SIZES["latent_obs_dim"]
    belief = Belief(torch.randn(*shape, 2 * dim, generator=g), torch.rand(*shape, 3 * dim, generator=g))
    phase = torch.arange(shape[1]) % SIZES["window_len"] / SIZES["window_len"]

    def loss() -> Tensor:
        seen = model.fast.encoder(obs, wide)
        abstract_obs = slow.obs_encoder(obs, wide, phase)
        abstract_action = slow.action_encoder(actions, phase)
        shift = model.fast.control(actions)
        outputs = [x for e in (seen, abstract_obs, abstract_action) for x in (e.precision, e.information)]
        return gaussian_nll(model.fast.decoder(belief), target) + sum(x.mean() for x in [*outputs, shift])

    return learner(model, loss)


def interleaved(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, one after the other in every round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for counted in range(-1, rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if counted >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    steps = {"floor": floor_step(), **{kind: full_step(kind) for kind in ("dense", "banded", "modal")}}
    steps["dense, filtered"] = full_step("dense", "filtered")
    seconds = interleaved(steps, rounds)
    floor = statistics.median(seconds["floor"])
    rows = [
        {
            "step": name,
            "median_ms": round(1e3 * statistics.median(times), 1),
            "min_ms": round(1e3 * min(times), 1),
            "ratio_to_floor": round(statistics.median(times) / floor, 2),
        }
        for name, times in seconds.items()
    ]
    for row in rows:
        print("{step:16} {median_ms:8.1f} ms   {ratio_to_floor:.2f} x floor".format(**row))
    machine = {"threads": 1, "torch": torch.__version__, "machine": platform.machine(), "device": "cpu"}
    with write_aside(RESULT) as path:
        path.write_text(json.dumps({"sizes": SIZES, "rounds": rounds, **machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
