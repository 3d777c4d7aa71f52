"""One step of a model as an ONNX file: what a robot runs, without PyTorch.

    mts3.export.export_step(mts3.load("run"), "step.onnx")
    online = mts3.export.OnnxStep("step.onnx")
    mean, var = online.step(obs, action)            # physical units; NaN where nothing was observed

Inputs of the graph, for one sequence, float32, normalized units: obs (1, O), obs_mask (1, O) bool, action (1, A) unless
A = 0, plan (1, n, A), the actions known beyond it, 0 <= n < the longest window, if the model looks at a plan, and the
state, see `MergedStep` and `AnyStep`. Outputs: mean, var (1, O), reward_mean, reward_var (1, 1) if the model
predicts the reward, and the next state, under the names of the inputs after `next_`. The metadata of the file, entry
"mts3", is JSON with the initial state and the normalizer.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from mts3.errors import UserError
from mts3.export.any_model import AnyStep
from mts3.export.onnx_step import OnnxStep
from mts3.files import write_aside
from mts3.models.base import WorldModel
from mts3.models.latent import LatentModel
from mts3.normalizer import Normalizer
from mts3.online import MergedStep, merged, refusal, row
from mts3.types import Tensor

PLAN_OF_THE_EXAMPLE = 3
"""Any length of 2 or more: the exporter takes shorter ones for constants."""


def export_step(model: WorldModel, path: str | Path) -> None:
    """Write `model.step` as an ONNX graph, one graph for every step of a window.

    Args:
        model: Any of flat observations but those whose memory grows or whose step depends on what it holds: linear,
            persistence and the Transformers.
        path: The file to write.
    Raises:
        UserError: for another model, a task_belief that needs the future, or without the packages of `mts3[export]`.
    """
    if not model.static_step:
        raise UserError(
            f"cannot export {type(model).__name__}: its step is not the same computation every time; choose mts3, "
            "acrkn, rkn, hiprssm, gru, lstm or gru_two_rate, with flat observations"
        )
    model.require_causal()
    try:
        import onnxscript
    except ImportError as error:
        raise UserError(f'exporting needs onnx and onnxscript: pip install "mts3[export]" ({error})') from error
    with torch.no_grad(), _without_chatter():
        model = copy.deepcopy(model).float().cpu().eval()
        step, initial = _graph(model)
        # Clones: the exporter takes two inputs that are the same tensor for one.
        inputs = {name: value.clone() for name, value in {**_example(model), **initial}.items()}
        names = step(inputs)
        program = torch.onnx.export(
            step,
            (inputs, {}),  # a dict at the end is read as keyword arguments
            dynamo=True,
            verbose=False,
            input_names=list(inputs),
            output_names=list(names),
            dynamic_shapes=({name: {1: torch.export.Dim.DYNAMIC} if name == "plan" else None for name in inputs},),
            custom_translation_table={torch.ops.aten.softplus.default: partial(_softplus, onnxscript.opset18)},
        )
    assert program is not None
    program.model.metadata_props["mts3"] = json.dumps(_description(model, initial))
    with write_aside(path) as aside:
        program.save(aside)


def _softplus(op: Any, x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(x)), without PyTorch's switch to a straight line at `threshold`: no need for it, and three nodes.

    For many rows onnxruntime's own takes a third of the step: it computes number by number. With e = exp(x) and
    u = 1 + e rounded, log(1 + e) = log(u) - ((u - 1) - e) / u up to rounding; beyond x = 88, where e would overflow,
    it stays at 88: such an action adds no evidence either way.
    """
    if isinstance(x.shape[0], int):
        return op.Softplus(x)
    one = op.Constant(value_float=1.0)
    e = op.Exp(op.Min(x, op.Constant(value_float=88.0)))
    u = op.Add(e, one)
    return op.Sub(op.Log(u), op.Div(op.Sub(op.Sub(u, one), e), u))


def _graph(model: WorldModel) -> tuple[MergedStep | AnyStep, dict[str, Tensor]]:
    """The smaller graph where every part is known exactly, and the state it starts from."""
    if refusal(model) is None:
        step = merged(model).eval()
        return step, step.initial(row(cast(LatentModel, model).initial_state(1).prior))
    step = AnyStep(model).eval()
    return step, step.initial()


def _example(model: WorldModel) -> dict[str, Tensor]:
    """Observation, mask, action and plan by name."""
    obs, action = torch.zeros(1, model.obs_dim), torch.zeros(1, model.action_dim)
    given = {"obs": obs, "obs_mask": obs == 0}
    if model.action_dim:
        given["action"] = action
    if model.longest_plan:
        given["plan"] = action[:, None].repeat(1, PLAN_OF_THE_EXAMPLE, 1)
    return given


def _description(model: WorldModel, initial: dict[str, Tensor]) -> dict[str, Any]:
    """What `OnnxStep` needs to know."""
    o, a = model.obs_dim, model.action_dim
    plain = {"obs_mean": [0.0] * o, "obs_std": [1.0] * o, "action_mean": [0.0] * a, "action_std": [1.0] * a}
    state = {
        name: {"dtype": str(value.dtype).removeprefix("torch."), "value": value.tolist()}
        for name, value in initial.items()
    }
    normalizer = model.normalizer or Normalizer.from_lists(plain)
    return {
        "model": model.name,
        "state": state,
        "normalizer": normalizer.as_lists(),
        "longest_plan": model.longest_plan,
    }


@contextmanager
def _without_chatter() -> Iterator[None]:
    """The exporter warns of its own insides, which it deprecates."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*_flat_weights.* were assigned during export")  # of an LSTM or GRU
        try:
            yield
        finally:
            logger.setLevel(level)


__all__ = ["OnnxStep", "export_step"]
