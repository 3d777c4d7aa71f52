"""Models, one file a paper, on one protocol (`base`)."""

from __future__ import annotations

import inspect
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch

from mts3 import store
from mts3.errors import UserError, unknown_name
from mts3.models.acrkn import RKN, AcRKN
from mts3.models.base import MODELS, WorldModel
from mts3.models.delta import DeltaTarget
from mts3.models.hiprssm import HiPRSSM
from mts3.models.linear import Linear
from mts3.models.mts3 import MTS3
from mts3.models.persistence import Persistence
from mts3.models.recurrent import GRU, LSTM
from mts3.models.transformer import TransformerAR, TransformerMulti
from mts3.models.two_rate_gru import TwoRateGRU
from mts3.store.checks import check_lengths, check_names, check_tensors
from mts3.store.unbuilt import unbuilt

for _model in (
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
):
    MODELS.register(_model.name)(_model)
_MOST = 2**62  # torch counts with 64 bits
_KINDS: dict[str, tuple[type, str]] = {
    "bool": (bool, "true or false"),
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "str": (str, "text"),
}


def build(name: str, **arguments: Any) -> WorldModel:
    """A model by name.

    Args:
        name: One of `MODELS`.
        **arguments: Of its constructor: obs_dim, action_dim, ...
    Raises:
        UserError: for an unknown model or argument, with the nearest names, a missing one, or one of another type.
    """
    accepted = parameters_of(MODELS[name])
    for argument in arguments:
        if argument not in accepted:
            raise unknown_name(f"argument of model {name}", argument, accepted)
    missing = [p.name for p in accepted.values() if p.default is p.empty and p.name not in arguments]
    if missing:
        raise UserError(f"model {name} needs {', '.join(missing)}")
    for argument, value in arguments.items():
        _check_kind(name, argument, value, str(accepted[argument].annotation))
    return MODELS[name](**arguments)


def parameters_of(kind: type[WorldModel]) -> dict[str, inspect.Parameter]:
    """The arguments of a constructor by name, with those that its **keywords hand on to the class it extends."""
    found: dict[str, inspect.Parameter] = {}
    for cls in kind.__mro__:
        if "__init__" in vars(cls):
            _, *parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
            found = {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} | found
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                break
    return found


def _check_kind(name: str, argument: str, value: Any, annotation: str) -> None:
    """Refuse a value of another type than the constructor names; one that takes several types checks them itself."""
    if isinstance(value, Integral) and abs(int(value)) >= _MOST:
        raise UserError(f"model={name}: {argument} is {value}, beyond any number of steps or units")
    if annotation not in _KINDS:
        return
    kind, words = _KINDS[annotation]
    # 0 and 1 are false and true for whoever writes them so; true is no size.
    fits = value in (0, 1) if annotation == "bool" else isinstance(value, kind) and not isinstance(value, bool)
    if not fits:
        raise UserError(f"model={name}: {argument} must be {words}, got {value!r}")


def load(path: str | Path) -> WorldModel:
    """A saved model with its normalizer, ready to predict (in evaluation mode).

    Args:
        path: A run folder, or what `model.save` wrote.
    Raises:
        UserError: if a file is missing or damaged, the two do not belong together, or a value is no finite number.
    """
    description, tensors, normalizer, channels = store.load(Path(path))

    def described() -> WorldModel:
        model = build(description["model"], **description["arguments"])
        if description["target"] == DeltaTarget.target:
            model = DeltaTarget(model, torch.ones(model.obs_dim))  # the scale is among the tensors
        return model

    try:
        check_tensors(tensors, unbuilt(described).shapes)  # before anything is allocated
        model = described()
        if normalizer is not None:
            check_lengths(normalizer, model.obs_dim, model.action_dim)
        if channels is not None:
            check_names(channels, model.obs_dim, model.action_dim)
    except Exception as error:  # whatever a constructor makes of arguments that are not its own
        reason = str(error).partition("\n")[0]
        raise UserError(f"the model in {path} is damaged, or of another version of mts3: {reason}") from error
    model.load_state_dict(tensors)
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
