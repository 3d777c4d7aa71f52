"""Whether PyTorch executes, or looks at operations one by one: what is fused is not there to be looked at."""

from __future__ import annotations

import torch


def traced() -> bool:
    """Whether someone looks at single operations: export, compilation, or a transform such as torch.func.vmap."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return True
    return torch._C._are_functorch_transforms_active()  # what autograd.Function asks; no public name says it
