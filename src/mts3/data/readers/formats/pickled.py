"""The official dictionaries of benchmark sets, as a pickle or a file of torch.save. No code of theirs runs."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mts3.data.readers.arrays.presplit import PRESPLIT_KEYS, read_presplit
from mts3.data.readers.arrays.safe_pickle import ALLOWED, SAFE_WAY, as_array, load_pickle, refuse_endless_pickle
from mts3.data.readers.formats import reads
from mts3.data.readers.limits import refuse_oversized
from mts3.data.readers.result import ReadResult, reason
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

KEYS = (*PRESPLIT_KEYS, "train_targets", "test_targets")
NORMALIZERS = ("observations", "actions", "targets")


@reads(".pkl", ".pickle", starts=(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), place=5)
def read(path: Path, columns: Columns) -> ReadResult:
    """A dictionary of train_obs, train_act, train_targets, test_obs, test_act, test_targets (N, T, D), and normalizer.

    The arrays are normalized, the targets are the next observations, and normalizer holds [mean, std] for each of
    observations, actions and targets. The result is in physical units, with T + 1 observations a sequence.

    Raises:
        UserError: for a pickle that names anything but numpy's arrays, is damaged, or is no such dictionary.
    """
    return _of_dictionary(load_pickle(path), path, columns, "pickled dictionary, split into train and test")


def _is_torch(path: Path, start: bytes) -> bool:
    """Whether torch.save wrote an archive, which holds one pickle, in a folder; also where its ending says so."""
    if path.suffix.lower() in (".pt", ".pkl", ".pickle"):
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False  # the reader of npz says what is wrong


@reads(".pt", starts=(b"PK\x03\x04",), holds=_is_torch, place=6)
def read_torch(path: Path, columns: Columns) -> ReadResult:
    """The same dictionary, of tensors or of arrays, written by torch.save.

    Raises:
        UserError: as for `read`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for member in members:
                if member.filename.endswith("/data.pkl"):
                    with archive.open(member) as file:
                        refuse_endless_pickle(file, path, most=None)  # type: ignore[arg-type]
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise zipfile.BadZipFile("torch.save does not compress")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise zipfile.BadZipFile("its parts are larger than the file")
        # torch refuses all names but its own tensors'; numpy's are given the stand-ins of our own reader.
        stand_ins: Any = [(stand_in, f"{module}.{name}") for (module, name), stand_in in ALLOWED.items()]
        with torch.serialization.safe_globals(stand_ins), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of kinds of tensors that are refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # whatever a damaged file makes of torch
        raise UserError(
            f"{path} is no file of torch.save that can be read without running code ({reason(error)}); {SAFE_WAY}"
        ) from error
    return _of_dictionary(content, path, columns, "dictionary of torch.save, split into train and test")


def _of_dictionary(content: Any, path: Path, columns: Columns, kind: str) -> ReadResult:
    if not isinstance(content, Mapping) or not all(key in content for key in PRESPLIT_KEYS):
        # A key may be a tuple in a tuple in a tuple: its text takes longer than there is time.
        keys = [str(key)[:40] for key in content if isinstance(key, str | int)] if isinstance(content, Mapping) else []
        found = ", ".join(keys[:8]) or f"a {type(content).__name__}"
        raise UserError(f"{path} holds {found}; expected a dictionary with the keys {', '.join(PRESPLIT_KEYS)}")
    if columns.names_columns:
        raise UserError(
            f"{path} says itself what it holds; of the column mapping it takes sample_time and action_shift"
        )
    parts = {key: content[key] for key in KEYS if key in content}
    normalizer = content.get("normalizer")
    for name in NORMALIZERS:
        pair = normalizer.get(name) if isinstance(normalizer, Mapping) else None
        if isinstance(pair, list | tuple) and len(pair) == 2:
            parts |= {f"normalizer/{name}/mean": pair[0], f"normalizer/{name}/std": pair[1]}
    tensors = {key: value for key, value in parts.items() if isinstance(value, torch.Tensor)}
    for key, tensor in tensors.items():
        odd = tensor.is_quantized or tensor.is_nested or tensor.is_meta or tensor.dtype.is_complex
        if odd or tensor.layout != torch.strided:
            kind_of = f"{tensor.dtype}, {tensor.layout}"
            raise UserError(f"'{key}' of {path} is a tensor of {kind_of}; expected plain numbers in memory")
    # A tensor may repeat a few bytes of the file as often as it declares.
    refuse_oversized(path, sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    arrays = {key: _array(value, f"'{key}' of {path}") for key, value in parts.items()}
    return read_presplit(arrays, path, kind, columns)


def _array(value: Any, what: str) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        return as_array(value, what)
    kind = value.dtype
    try:
        # What numpy does not have, such as bfloat16, is exact in float32.
        small = kind.is_floating_point and kind.itemsize < torch.float32.itemsize
        return (value.detach().float() if small else value.detach().resolve_neg()).numpy()
    except (TypeError, RuntimeError) as error:
        raise UserError(f"{what} is a tensor of {kind} ({reason(error)}); expected plain numbers") from error
