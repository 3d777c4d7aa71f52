"""Models on disk: `model.safetensors` for the parameters, `model.json` for how to build it and the normalizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file
from safetensors.torch import save as serialize

from mts3.channels import Channels
from mts3.errors import UserError
from mts3.files import write_aside
from mts3.normalizer import Normalizer
from mts3.run_layout import DESCRIPTION, WEIGHTS
from mts3.store.checks import check_description, checked_normalizer
from mts3.types import Tensor


def save(folder: Path, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write both files into `folder`, each whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with write_aside(folder / WEIGHTS) as path:
        # Not save_file: on a full disk it raises an error of its own, and nobody else may read what it writes.
        path.write_bytes(serialize(tensors))
    with write_aside(folder / DESCRIPTION) as path:
        path.write_text(json.dumps(description, indent=2) + "\n")


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any], Normalizer | None, Channels | None]:
    """The description, the tensors, the normalizer and the channels of a saved model.

    Args:
        path: A run folder, a folder `save` wrote, or either of the two files.
    Raises:
        UserError: if a file is missing or damaged.
    """
    folder = path.parent if path.name in (WEIGHTS, DESCRIPTION) else path
    for name in (DESCRIPTION, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"no model in {folder}: {name} is missing; name a run folder or what model.save wrote")
    try:
        description = check_description(json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")))
        normalizer = checked_normalizer(description["normalizer"])
        channels = Channels.from_json(description)
        tensors = load_file(folder / WEIGHTS)
    except (ValueError, OverflowError, RecursionError, OSError, safetensors.SafetensorError) as error:
        raise UserError(f"the model in {folder} is damaged ({error}); train or save it again") from error
    return description, tensors, normalizer, channels
