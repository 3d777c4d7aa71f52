"""What the prepared step knows exactly: it computes what these parts compute, and takes nothing else for them."""

from __future__ import annotations

from typing import cast

from torch import nn

from mts3.layers import (
    ActionSetEncoder,
    Control,
    DenseTransition,
    GaussianDecoder,
    GaussianEncoder,
    GaussianMarginalization,
    ModalTransition,
    ObsEncoder,
    OscillatorTransition,
    ProcessNoise,
)
from mts3.layers.mlp import STACKS
from mts3.models import MTS3, RKN, AcRKN, WorldModel
from mts3.models.fast_level import FastLevel
from mts3.models.slow_level import SlowLevel

MODELS = (MTS3, AcRKN, RKN)
PARTS = (
    *MODELS,
    *(FastLevel, SlowLevel, GaussianMarginalization, ProcessNoise),
    *(DenseTransition, ModalTransition, OscillatorTransition),
    *(ObsEncoder, ActionSetEncoder, GaussianEncoder, GaussianDecoder, Control),
    *(nn.ModuleList, nn.Sequential, nn.Linear, nn.ReLU, nn.LayerNorm),
)


def refusal(model: WorldModel) -> str | None:
    """Why the step of a model cannot be prepared, in words; None if it can.

    Types are compared exactly: a subclass may compute something else, and so may a part with a hook, a method of its
    own or a layer wrapped around its weights.
    """
    if type(model) not in MODELS:
        return f"a {type(model).__name__} is none of {', '.join(kind.__name__ for kind in MODELS)}"
    if getattr(model, "adaptive", False):
        return "adaptive=True shifts the state by a function of the task"
    if len({(x.dtype, x.device) for x in (*model.parameters(), *model.buffers())}) > 1:
        return "its tensors are of several types, or on several devices"
    for name, part in model.named_modules():
        why = _unknown(part)
        if why is not None:
            return f"{name or 'the model'} {why}"
    return None


def _unknown(part: nn.Module) -> str | None:
    """What is unknown about one module, without what is inside of it."""
    if type(part) not in PARTS:
        return f"is a {type(part).__name__}"
    if part._forward_hooks or part._forward_pre_hooks:
        return "has hooks"
    changed = sorted(name for name in vars(part) if callable(getattr(type(part), name, None)))
    if changed:
        return f"has a {changed[0]} of its own"
    if type(part) is nn.Linear and part.bias is None:
        return "has no bias"
    if type(part) is nn.Sequential and [type(layer) for layer in part] not in STACKS:
        return f"is a stack of {', '.join(type(layer).__name__ for layer in part)}"
    if type(part) is Control and len(cast(nn.Sequential, part.net)) != len(STACKS[1]):
        return "has no layer normalisation"
    return None
