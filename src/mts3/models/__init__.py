"""Models, one file a paper, on one protocol (`base`)."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from mts3.errors import UserError, unknown_name
from mts3.models import store
from mts3.models.acrkn import RKN, AcRKN
from mts3.models.base import WorldModel
from mts3.models.delta import DeltaTarget
from mts3.models.hiprssm import HiPRSSM
from mts3.models.linear import Linear
from mts3.models.mts3 import MTS3
from mts3.models.persistence import Persistence
from mts3.models.recurrent import GRU, LSTM
from mts3.models.transformer import TransformerAR, TransformerMulti
from mts3.models.two_rate_gru import TwoRateGRU

MODELS: dict[str, type[WorldModel]] = {
    cls.name: cls
    for cls in (
        MTS3,
        HiPRSSM,
        AcRKN,
        RKN,
        LSTM,
        GRU,
        TwoRateGRU,
        TransformerAR,
        TransformerMulti,
        Linear,
        Persistence,
    )
}


def build(name: str, **arguments: Any) -> WorldModel:
    """A model by name.

    Args:
        name: One of `MODELS`.
        **arguments: Of its constructor: obs_dim, action_dim, ...
    Raises:
        UserError: for an unknown model or argument, with the nearest names, or a missing one.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    accepted = inspect.signature(MODELS[name]).parameters
    for argument in arguments:
        if argument not in accepted:
            raise unknown_name(f"argument of model {name}", argument, accepted)
    missing = [p.name for p in accepted.values() if p.default is p.empty and p.name not in arguments]
    if missing:
        raise UserError(f"model {name} needs {', '.join(missing)}")
    return MODELS[name](**arguments)


def load(path: str | Path) -> WorldModel:
    """A saved model with its normalizer, ready to predict (in evaluation mode).

    Args:
        path: A run folder, or what `model.save` wrote.
    """
    description, tensors, normalizer, channels = store.load(Path(path))
    try:
        model = build(description["model"], **description["arguments"])
        if description["target"] == DeltaTarget.target:
            model = DeltaTarget(model, torch.ones(model.obs_dim))  # the scale is among the tensors
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"the model in {path} does not fit this version of mts3: {error}") from error
    model.normalizer, model.channels = normalizer, channels
    return model.eval()


__all__ = [
    "GRU",
    "LSTM",
    "MODELS",
    "MTS3",
    "RKN",
    "AcRKN",
    "DeltaTarget",
    "HiPRSSM",
    "Linear",
    "Persistence",
    "TransformerAR",
    "TransformerMulti",
    "TwoRateGRU",
    "WorldModel",
    "build",
    "load",
]
