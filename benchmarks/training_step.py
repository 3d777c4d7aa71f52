"""One training step beside its floor, an LSTM, and the loops that one would write first.

    python benchmarks/training_step.py            # prints the tables, writes benchmarks/results/training_step.json

Step: forward, loss, backward, gradient clipping, Adam. In one process, interleaved, on one thread; medians. A ratio is
comparable between machines, a time is not. Rows:

- floor: the same encoders, control net and decoders as plain modules, once over all steps, and no inference;
- floor in blocks: the same through `mts3.layers.mlp`, as the model itself takes them;
- modal, dense: the model, with the backend that `auto` chooses (`fused` where numba is installed);
- modal, dense reference: plain modules once over all steps, the filter a loop of PyTorch operations;
- naive: every network called inside the loop, a step at a time;
- lstm: `nn.LSTM` with the heads of the baseline, as many parameters as MTS3.

And how the time of a step changes with the length of the sequence.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

import mts3
from mts3.files import write_aside
from mts3.gaussian import Belief, Evidence, filtering
from mts3.kernels import use_backend
from mts3.metrics import nll
from mts3.models import MTS3, WorldModel
from mts3.models.inputs import Inputs

RESULT = Path(__file__).parent / "results" / "training_step.json"
OBS_DIM, ACTION_DIM, DIM = 4, 2, 30
LENGTHS = (300, 3000, 30_000)
LONG_BATCH = 16
Step = Callable[[], None]


@dataclass(frozen=True)
class Setting:
    """B sequences of T steps, H steps a window."""

    batch: int
    steps: int
    window_len: int


SETTINGS = (Setting(32, 300, 30), Setting(256, 300, 30), Setting(32, 900, 75))


def batch(setting: Setting) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Observations, actions, a mask with 30 % of the steps missing, and targets; what they hold does not matter."""
    g = torch.Generator().manual_seed(0)
    shape = (setting.batch, setting.steps)
    obs = torch.randn(*shape, OBS_DIM, generator=g)
    actions = torch.randn(*shape, ACTION_DIM, generator=g)
    return obs, actions, torch.rand(shape, generator=g) > 0.3, torch.randn(obs.shape, generator=g)


def build(transition: str, window_len: int) -> MTS3:
    torch.manual_seed(0)
    return MTS3(OBS_DIM, ACTION_DIM, window_len=window_len, latent_obs_dim=DIM, transition=transition)


def learner(model: WorldModel, loss: Callable[[], Tensor], backend: str | None = None) -> Step:
    """A function that does one training step on `loss`."""
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)

    def step() -> None:
        context: AbstractContextManager[None] = nullcontext() if backend is None else use_backend(backend)
        with context:
            optimizer.zero_grad()
            loss().backward()
            torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 5.0)
            optimizer.step()

    return step


def model_step(setting: Setting, transition: str, backend: str | None = None) -> Step:
    obs, actions, mask, target = batch(setting)
    model = build(transition, setting.window_len)
    return learner(model, lambda: nll(model(obs, actions, mask), target), backend)


def floor_step(setting: Setting, backend: str | None = None) -> Step:
    obs, actions, mask, target = batch(setting)
    model, g = build("dense", setting.window_len), torch.Generator().manual_seed(1)
    wide, slow, shape = mask[..., None].expand(obs.shape), model.slow[0], obs.shape[:2]
    belief = Belief(torch.randn(*shape, 2 * DIM, generator=g), torch.rand(*shape, 3 * DIM, generator=g))
    phase = torch.arange(shape[1]) % setting.window_len / setting.window_len

    def loss() -> Tensor:
        seen = model.fast.encoder(obs, wide)
        abstract_obs = slow.obs_encoder(obs, wide, phase)
        abstract_action = slow.action_encoder(actions, phase)
        shift = model.fast.control(actions)
        outputs = [x for e in (seen, abstract_obs, abstract_action) for x in (e.precision, e.information)]
        return nll(model.fast.decoder(belief), target) + sum(x.mean() for x in [*outputs, shift])

    return learner(model, loss, backend)


def naive(model: MTS3, obs: Tensor, actions: Tensor, mask: Tensor) -> mts3.Prediction:
    """What the model predicts, the fast level calling every network at every step; the slow level as it is."""
    wide = mask[..., None].expand(obs.shape)
    state = model.initial_state(len(obs))
    task, _ = model.slow[0].observe(state.slow[0], Inputs(actions, obs, wide))
    transition, prior, preds = model.fast.marginalization.transitions[0](), state.prior, []
    for t in range(obs.shape[1]):
        now = slice(t, t + 1)
        evidence: Evidence = model.fast.encoder(obs[:, now], wide[:, now])
        belief = task.belief.map(lambda fields, t=t: fields[:, t // task.windows.window_len, 0])
        offset = model.fast.marginalization.offset([belief], model.fast.control(actions[:, t]))
        step = filtering.FilterStep(transition, offset, evidence.map(lambda fields: fields[:, 0]))
        _, prior = filtering.combine(prior, step)
        preds.append(model.fast.decoder(prior.map(lambda fields: fields[:, None])))
    return mts3.Prediction(torch.cat([p.mean for p in preds], 1), torch.cat([p.var for p in preds], 1))


def naive_step(setting: Setting) -> Step:
    obs, actions, mask, target = batch(setting)
    model = build("dense", setting.window_len)
    return learner(model, lambda: nll(naive(model, obs, actions, mask), target), "reference")


def lstm_step(setting: Setting) -> Step:
    obs, actions, mask, target = batch(setting)
    wanted = size(build("dense", setting.window_len))

    def lstm(units: int) -> WorldModel:
        torch.manual_seed(0)
        return mts3.build("lstm", obs_dim=OBS_DIM, action_dim=ACTION_DIM, units=units)

    model = lstm(min(range(10, 200), key=lambda units: abs(size(lstm(units)) - wanted)))
    return learner(model, lambda: nll(model(obs, actions, mask), target))


def size(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def interleaved(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, one after the other in every round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for counted in range(-1, rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if counted >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def rows_of(setting: Setting, rounds: int) -> Iterator[dict[str, object]]:
    """A row for each kind of step."""
    steps = {
        "floor": floor_step(setting, "reference"),
        "floor in blocks": floor_step(setting),
        "modal": model_step(setting, "modal"),
        "dense": model_step(setting, "dense"),
        "modal reference": model_step(setting, "modal", "reference"),
        "dense reference": model_step(setting, "dense", "reference"),
        "naive": naive_step(setting),
        "lstm": lstm_step(setting),
    }
    seconds = interleaved(steps, rounds)
    floor = statistics.median(seconds["floor"])
    for name, times in seconds.items():
        middle = statistics.median(times)
        timed = {"median_ms": round(1e3 * middle, 1), "min_ms": round(1e3 * min(times), 1)}
        yield {**vars(setting), "step": name, **timed, "ratio_to_floor": round(middle / floor, 2)}


def growth(rounds: int) -> Iterator[dict[str, object]]:
    """Time per step of longer and longer sequences, beside the shortest."""
    for transition in ("modal", "dense"):
        settings = {steps: replace(Setting(LONG_BATCH, 0, 30), steps=steps) for steps in LENGTHS}
        seconds = interleaved({str(n): model_step(s, transition) for n, s in settings.items()}, rounds)
        per_step = {n: statistics.median(seconds[str(n)]) / n for n in LENGTHS}
        for n in LENGTHS:
            ratio = round(per_step[n] / per_step[LENGTHS[0]], 2)
            row = {"batch": LONG_BATCH, "steps": n, "step": transition}
            yield {**row, "microseconds_per_step": round(1e6 * per_step[n], 2), f"ratio_to_{LENGTHS[0]}": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    rows = []
    for setting in SETTINGS:
        for row in rows_of(setting, rounds):
            rows.append(row)
            print("B {batch:3} T {steps:3}  {step:16} {median_ms:8.1f} ms   {ratio_to_floor:.2f} x floor".format(**row))
    lengths = list(growth(min(rounds, 5)))
    for row in lengths:
        print("B {batch} T {steps:6}  {step:6} {microseconds_per_step:8.2f} us a step".format(**row))
    machine = {"threads": 1, "torch": torch.__version__, "machine": platform.machine(), "device": "cpu"}
    sizes = {
        "obs_dim": OBS_DIM,
        "action_dim": ACTION_DIM,
        "latent_obs_dim": DIM,
        "parameters": size(build("dense", 30)),
    }
    with write_aside(RESULT) as path:
        everything = {"sizes": sizes, "rounds": rounds, **machine, "rows": rows, "lengths": lengths}
        path.write_text(json.dumps(everything, indent=2) + "\n")


if __name__ == "__main__":
    main()
