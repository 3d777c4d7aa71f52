"""Two-layer MLPs the fast way where there is one, see `blocked`, and as plain modules everywhere else.

The plain way is the definition, and taken on accelerators, under autocast, for few rows, for modules that someone
changed, while a model is exported, compiled or transformed, and where the reference backend is asked for. Parameters
and checkpoints are the modules' own.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from mts3.gaussian import Evidence
from mts3.kernels import traced, wanted_backend
from mts3.layers.blocked import BlockedMLP
from mts3.layers.blocked_evidence import BlockedEvidence
from mts3.types import Bool, Float, Tensor

FEWEST_ROWS = 2048
"""With fewer rows than this the activations are in cache as they are."""
STACKS = ([nn.Linear, nn.ReLU, nn.Linear], [nn.Linear, nn.ReLU, nn.LayerNorm, nn.Linear])
"""What blocks compute; a layer that someone quantized, wrapped or parametrized is of another type."""


def goes_in_blocks(x: Float[Tensor, "*batch I"], net: nn.Sequential) -> bool:
    """Whether `net` takes x (*batch, I) in blocks here and now."""
    if x.shape[:-1].numel() < FEWEST_ROWS or traced() or not _known(net):
        return False
    on_cpu = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    exact = x.dtype in (torch.float32, torch.float64) and x.dtype == net[0].weight.dtype
    return on_cpu and exact and wanted_backend() != "reference"


def _known(net: nn.Sequential) -> bool:
    """Whether the modules are the ones that blocks compute, and nobody hooked on to them: blocks do not call them."""
    hooked = any(m._forward_hooks or m._forward_pre_hooks for m in (net, *net))
    return [type(module) for module in net] in STACKS and not hooked


def mlp(net: nn.Sequential, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch J"]:
    """net(x).

    Args:
        net: Linear, ReLU, and Linear; or a LayerNorm before the second Linear.
        x: (*batch, I).
    """
    if not goes_in_blocks(x, net):
        return net(x)
    return _blocked(net, x.reshape(-1, x.shape[-1])).unflatten(0, x.shape[:-1])


def blocked_evidence(
    net: nn.Sequential, x: Float[Tensor, "*batch I"], mask: Bool[Tensor, "*batch"] | None, floor: float
) -> Evidence:
    """`evidence_of` mean and variance, `net` saying mean and raw variance; only where observed is anything computed.

    Args:
        net: As in `mlp`, with x for which `goes_in_blocks`.
        x: (*batch, I).
        mask: True where observed; None: everywhere.
        floor: Added to softplus(raw variance).
    """
    batch, x = x.shape[:-1], x.reshape(-1, x.shape[-1])
    observed = None if mask is None else mask.flatten().nonzero().squeeze(1)
    if observed is None or len(observed) == len(x):
        fields: tuple[Tensor, ...] = BlockedEvidence.apply(_blocked(net, x), floor)
    else:
        found = BlockedEvidence.apply(_blocked(net, x.index_select(0, observed)), floor)
        fields = tuple(x.new_zeros(len(x), f.shape[1]).index_copy(0, observed, f) for f in found)
    return Evidence(*(f.unflatten(0, batch) for f in fields))


def _blocked(net: nn.Sequential, x: Float[Tensor, "N I"]) -> Float[Tensor, "N J"]:
    first, last, norm = cast(nn.Linear, net[0]), cast(nn.Linear, net[-1]), net[2]
    if not isinstance(norm, nn.LayerNorm):
        return BlockedMLP.apply(x, first.weight, first.bias, last.weight, last.bias, None)
    # The weights w and b of the normalisation go into the last layer: W (w * k + b) + c = (W * w) k + (W b + c).
    weight, bias = last.weight * norm.weight, torch.addmv(last.bias, last.weight, norm.bias)
    return BlockedMLP.apply(x, first.weight, first.bias, weight, bias, norm.eps)
