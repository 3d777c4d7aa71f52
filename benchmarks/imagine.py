"""Open loop at planning sizes: 512 candidates of 100 steps, no gradient, beside the networks alone.

    python benchmarks/imagine.py            # prints the table, writes benchmarks/results/imagine.json

In one process, interleaved, on one thread; medians. The floor is what `imagine` has to compute beside the beliefs, as
plain modules: the control net and the decoders; with the action set encoder, which the slow level needs, as a row of
its own. "mean" leaves out the variance and its decoder (`imagine_mean`).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from training_step import ACTION_DIM, DIM, OBS_DIM, build, interleaved

import mts3
from mts3.files import write_aside
from mts3.gaussian import Belief
from mts3.kernels import use_backend

RESULT = Path(__file__).parent / "results" / "imagine.json"
CANDIDATES, STEPS, WINDOW = 512, 100, 30
KINDS = ("modal", "dense")


def quiet(run: Callable[[], object], backend: str = "auto") -> Callable[[], None]:
    @torch.no_grad()
    def timed() -> None:
        with use_backend(backend):
            run()

    return timed


def floors(actions: torch.Tensor) -> dict[str, Callable[[], None]]:
    model, g = build("dense", WINDOW).eval(), torch.Generator().manual_seed(1)
    belief = Belief(
        torch.randn(CANDIDATES, STEPS, 2 * DIM, generator=g), torch.rand(CANDIDATES, STEPS, 3 * DIM, generator=g)
    )
    phase = torch.arange(STEPS) % WINDOW / WINDOW
    fast, encoder = model.fast, model.slow[0].action_encoder
    runs: dict[str, Callable[[], object]] = {
        "floor": lambda: (fast.control(actions), fast.decoder(belief)),
        "floor, mean": lambda: (fast.control(actions), fast.decoder.mean(belief)),
        "floor with action set": lambda: (fast.control(actions), encoder(actions, phase), fast.decoder(belief)),
        "floor with action set, mean": lambda: (
            fast.control(actions),
            encoder(actions, phase),
            fast.decoder.mean(belief),
        ),
    }
    return {name: quiet(run, "reference") for name, run in runs.items()}


def imagined(model: mts3.MTS3, actions: torch.Tensor, backend: str, name: str) -> dict[str, Callable[[], None]]:
    state = model.eval().initial_state(CANDIDATES)
    return {
        name: quiet(lambda: model.imagine(state, actions), backend),
        f"{name}, mean": quiet(lambda: model.imagine_mean(state, actions), backend),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    actions = torch.randn(CANDIDATES, STEPS, ACTION_DIM, generator=torch.Generator().manual_seed(0))
    steps = floors(actions)
    for kind in KINDS:
        steps |= imagined(build(kind, WINDOW), actions, "auto", kind)
        steps |= imagined(build(kind, WINDOW), actions, "reference", f"{kind} reference")
    seconds = {name: statistics.median(times) for name, times in interleaved(steps, rounds).items()}
    rows = []
    for name, middle in seconds.items():
        floor = seconds["floor, mean" if name.endswith("mean") else "floor"]
        with_set = seconds["floor with action set, mean" if name.endswith("mean") else "floor with action set"]
        ratios = {"ratio_to_floor": round(middle / floor, 2), "ratio_to_floor_with_set": round(middle / with_set, 2)}
        rows.append({"what": name, "median_ms": round(1e3 * middle, 1), **ratios})
        print("{what:30} {median_ms:8.1f} ms   {ratio_to_floor:.2f}   {ratio_to_floor_with_set:.2f}".format(**rows[-1]))
    machine = {"threads": 1, "torch": torch.__version__, "machine": platform.machine(), "device": "cpu"}
    sizes = {"obs_dim": OBS_DIM, "action_dim": ACTION_DIM, "latent_obs_dim": DIM, "window_len": WINDOW}
    shape = {"candidates": CANDIDATES, "steps": STEPS, "rounds": rounds}
    with write_aside(RESULT) as path:
        path.write_text(json.dumps({**sizes, **shape, **machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
