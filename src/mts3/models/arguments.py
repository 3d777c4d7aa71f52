"""What callers hand to a model, checked: every message names the argument that was given, and what to pass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch

from mts3.types import Bool, Tensor


def check_tensor(what: str, value: Any, axes: str, features: int, like: Tensor) -> None:
    """Type, number of axes, features, dtype and device of one argument; `like` has those of the model.

    Args:
        what: Its name.
        value: The argument.
        axes: Names of the axes before the features, as in "B, T".
        features: Size of the last axis.
        like: A tensor of the model.
    """
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{what} is of type {type(value).__name__}, expected a torch tensor ({axes}, {features}): "
            f"pass torch.from_numpy({what}).to({like.dtype}) for a NumPy array"
        )
    if value.ndim != axes.count(",") + 2 or value.shape[-1] != features:
        raise ValueError(f"expected {what} ({axes}, {features}), got {tuple(value.shape)}")
    if value.dtype != like.dtype or value.device != like.device:
        raise ValueError(
            f"{what} is {value.dtype} on {value.device}, the model is {like.dtype} on {like.device}: "
            f"convert one of them with .to()"
        )


def check_some(what: str, value: Tensor, axes: str, features: int) -> None:
    """Refuse an argument without a sequence or a step in it."""
    if 0 in value.shape[:-1]:
        sizes = axes.replace(",", " >= 1,") + " >= 1"
        raise ValueError(f"expected {what} ({sizes}, {features}), got {tuple(value.shape)}")


def check_actions(what: str, actions: Any, axes: str, features: int, like: Tensor) -> None:
    """As `check_tensor`, with a step at least, and all of them known."""
    check_tensor(what, actions, axes, features, like)
    check_some(what, actions, axes, features)
    if not is_finite(actions).all():
        raise ValueError(f"NaN or infinite values in {what}: an action is always known, fill the gaps first")


def check_batch(what: str, given: int, beside: str, expected: int) -> None:
    """The batch size of a state or a plan, and of the argument it is given with."""
    if given != expected:
        raise ValueError(f"{what} holds a batch of {given}, {beside} one of {expected}: pass one of the same size")


def check_state(state: Any, beside: str, batch_size: int) -> None:
    """That a state is one, for as many sequences as the argument `beside` it."""
    check_batch("state", batch_size_of(state), beside, batch_size)


def batch_size_of(state: Any) -> int:
    """For how many sequences a state is."""
    size = getattr(state, "batch_size", None)
    if size is None:
        raise ValueError(
            f"state is of type {type(state).__name__}: pass what model.initial_state(batch_size) returned, or the "
            "second of the two that observe and step return"
        )
    return size


def completed_mask(what: str, obs: Tensor, obs_mask: Any) -> Bool[Tensor, "..."]:
    """The mask in the shape of `obs`, (B, T, O) or without T, True = observed; None: wherever `obs` is not NaN.

    Args:
        what: The name of `obs`.
        obs: Observations, checked.
        obs_mask: The argument.
    """
    finite = is_finite(obs)
    if obs_mask is None:
        if not finite.all() and torch.isinf(obs).any():
            raise ValueError(f"{what} holds infinite values; mark what was not observed with NaN or obs_mask=False")
        return finite
    if not isinstance(obs_mask, Tensor):
        raise ValueError(
            f"obs_mask is of type {type(obs_mask).__name__}, expected a torch tensor of bool, True = observed: "
            "pass torch.from_numpy(obs_mask) for a NumPy array"
        )
    if obs_mask.dtype != torch.bool:
        raise ValueError(f"obs_mask must be bool, True = observed; got {obs_mask.dtype}: pass obs_mask.bool()")
    if obs_mask.shape not in (obs.shape, obs.shape[:-1]):
        raise ValueError(
            f"expected obs_mask {tuple(obs.shape[:-1])} or {tuple(obs.shape)}, got {tuple(obs_mask.shape)}"
        )
    if obs_mask.device != obs.device:
        raise ValueError(f"obs_mask is on {obs_mask.device}, {what} on {obs.device}: move one of them with .to()")
    mask = obs_mask if obs_mask.ndim == obs.ndim else obs_mask[..., None].expand(obs.shape)
    if not (finite | ~mask).all():
        raise ValueError(f"{what} is NaN or infinite where obs_mask says observed: set the mask False there")
    return mask


def is_finite(values: Tensor) -> Tensor:
    """True where neither NaN nor infinite: `torch.isfinite` in half the passes."""
    return values.abs() < torch.inf


def recording(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that leaves in `self.arguments` what it was called with, defaults included.

    The outermost class decides: what it passes on to its bases is recorded only if it takes such an argument itself, by
    name or among its **keywords.
    """
    signature = inspect.signature(init)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())

    @functools.wraps(init)
    def recorded(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)  # what Python itself says of wrong arguments
        bound.apply_defaults()
        given: dict[str, Any] = {}
        for (name, value), p in zip(bound.arguments.items(), signature.parameters.values(), strict=True):
            if p.kind is p.VAR_KEYWORD:
                given |= value
            elif p.kind is not p.VAR_POSITIONAL:
                given[name] = value
        del given[next(iter(signature.parameters))]  # self
        outer, more = vars(self).get("_recorded", ({}, True))
        vars(self)["_recorded"] = ({**given, **outer} if more else outer), more and open_ended
        vars(self)["arguments"] = vars(self)["_recorded"][0]
        init(self, *args, **kwargs)

    return recorded
