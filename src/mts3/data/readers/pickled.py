"""The official dictionaries of benchmark sets, as a pickle or a file of torch.save. No code of theirs runs."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mts3.data.columns import Columns
from mts3.data.readers.limits import refuse_oversized
from mts3.data.readers.presplit import PRESPLIT_KEYS, presplit_reading
from mts3.data.readers.reading import Reading, reason
from mts3.data.readers.safe_pickle import ALLOWED, SAFE_WAY, as_array, load_pickle
from mts3.errors import UserError

KEYS = (*PRESPLIT_KEYS, "train_targets", "test_targets")
NORMALIZERS = ("observations", "actions", "targets")


def read(path: Path, columns: Columns) -> Reading:
    """A dictionary of train_obs, train_act, train_targets, test_obs, test_act, test_targets (N, T, D), and normalizer.

    The arrays are normalized, the targets are the next observations, and normalizer holds [mean, std] for each of
    observations, actions and targets. The result is in physical units, with T + 1 observations a sequence.

    Raises:
        UserError: for a pickle that names anything but numpy's arrays, is damaged, or is no such dictionary.
    """
    return _reading(load_pickle(path), path, columns, "pickled dictionary, split into train and test")


def read_torch(path: Path, columns: Columns) -> Reading:
    """The same dictionary, of tensors or of arrays, written by torch.save.

    Raises:
        UserError: as for `read`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise zipfile.BadZipFile("torch.save does not compress")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise zipfile.BadZipFile("its parts are larger than the file")
        # torch refuses all names but its own tensors'; numpy's are given the stand-ins of our own reader.
        stand_ins: Any = [(stand_in, f"{module}.{name}") for (module, name), stand_in in ALLOWED.items()]
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes of torch
        raise UserError(
            f"{path} is no file of torch.save that can be read without running code ({reason(error)}); {SAFE_WAY}"
        ) from error
    return _reading(content, path, columns, "dictionary of torch.save, split into train and test")


def _reading(content: Any, path: Path, columns: Columns, kind: str) -> Reading:
    if not isinstance(content, Mapping) or not all(key in content for key in PRESPLIT_KEYS):
        found = ", ".join(str(key)[:40] for key in list(content)[:8]) if isinstance(content, Mapping) else ""
        raise UserError(
            f"{path} holds {found or f'a {type(content).__name__}'}; expected a dictionary with the keys "
            f"{', '.join(PRESPLIT_KEYS)}"
        )
    if any((columns.obs, columns.actions, columns.reward, columns.time, columns.trajectory)):
        raise UserError(f"{path} says itself what it holds; of the column mapping it takes sample_time")
    parts = {key: content[key] for key in KEYS if key in content}
    normalizer = content.get("normalizer")
    for name in NORMALIZERS:
        pair = normalizer.get(name) if isinstance(normalizer, Mapping) else None
        if isinstance(pair, list | tuple) and len(pair) == 2:
            parts |= {f"normalizer/{name}/mean": pair[0], f"normalizer/{name}/std": pair[1]}
    if any(isinstance(value, torch.Tensor) for value in parts.values()):
        # A tensor may repeat a few bytes of the file as often as it declares.
        refuse_oversized(path, sum(v.numel() * v.element_size() for v in parts.values() if torch.is_tensor(v)))
    arrays = {key: _array(value, f"'{key}' of {path}") for key, value in parts.items()}
    return presplit_reading(arrays, path, kind, columns)


def _array(value: Any, what: str) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        return as_array(value, what)
    if value.layout != torch.strided or value.dtype in (torch.bfloat16, torch.complex64, torch.complex128):
        raise UserError(f"{what} is a tensor of {value.dtype}, {value.layout}; expected plain numbers")
    return value.detach().numpy()
