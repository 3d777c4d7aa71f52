"""Whether PyTorch executes operations or traces them one by one: a fused kernel cannot be traced."""

from __future__ import annotations

import torch


def traced() -> bool:
    """Whether single operations are traced: by export, compilation, or a transform such as torch.func.vmap."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return True
    return torch._C._are_functorch_transforms_active()  # what autograd.Function asks; no public name says it
