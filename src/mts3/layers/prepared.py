"""Values made from parameters alone: made once, while nobody asks for gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from mts3.kernels import traced
from mts3.types import Tensor

Value = TypeVar("Value")

EXACT = (torch.float32, torch.float64)


class Prepared:
    """One value made from tensors, made again when one of them holds something else.

    A single step of a model takes less time than making its maps. Held on the CPU and without gradients alone; with
    gradients, elsewhere, and while a model is exported, compiled or transformed, the value is made at every call.
    What the tensors hold is compared byte by byte: PyTorch's version counters see neither what is written through
    `.data` nor what a fused optimizer does. Copies and pickles start with nothing held.
    """

    def __init__(self) -> None:
        self._held: tuple[list[tuple[int, np.ndarray, bytes]], Sequence[type], Any] | None = None

    def __call__(self, make: Callable[[], Value], *sources: Tensor, kinds: Sequence[type] = ()) -> Value:
        """`make()`, or what it returned when `sources` held what they hold now.

        Args:
            make: Makes the value from `sources` and constants. It must be read only.
            sources: Parameters and buffers.
            kinds: Classes of modules that `make` looks at.
        """
        if torch.is_grad_enabled() or traced():
            return make()
        held = self._held
        if held is not None and kinds == held[1] and len(sources) == len(held[0]):
            same = zip(sources, held[0], strict=True)
            if all(x.data_ptr() == at and view.tobytes() == content for x, (at, view, content) in same):
                return held[2]
        # Tensors made in inference mode could not be used outside of it.
        with torch.inference_mode(False), torch.no_grad():
            value = make()
        if all(x.is_cpu and x.dtype in EXACT for x in sources):
            views = [x.detach().numpy() for x in sources]
            self._held = [(x.data_ptr(), v, v.tobytes()) for x, v in zip(sources, views, strict=True)], kinds, value
        return value

    def __reduce__(self) -> tuple[type[Prepared], tuple[()]]:
        return Prepared, ()


def unhooked(module: nn.Module) -> tuple[list[Tensor], list[type]] | None:
    """All parameters and buffers and the classes of all parts, sooner than `parameters()` and `modules()` tell them.

    None if a part has hooks: something else happens when it is called.
    """
    kinds: list[type] = []
    found: list[Tensor | None] = []
    parts: list[nn.Module | None] = [module]
    for part in parts:  # which grows
        if part is None:
            continue
        if part._forward_hooks or part._forward_pre_hooks:
            return None
        kinds.append(type(part))
        found += part._parameters.values()
        found += part._buffers.values()
        parts += part._modules.values()
    return [x for x in found if x is not None], kinds
