"""Pickles of numpy arrays, read without running anything they contain.

A pickle is a program: it may call whatever it names. Here it may name what numpy writes for an array, nothing else, and
what it then calls are stand-ins that only remember what they were given. Arrays are made from that afterwards, so that
neither numpy's nor anybody else's rebuilding code ever sees the file. Before that, its instructions are counted.
"""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.readers.arrays.pickle_bounds import SAFE_WAY, refuse_endless_pickle
from mts3.data.readers.result import reason
from mts3.errors import UserError

NUMBER = re.compile(r"[fiub][1248]")


class _StandIn:
    """Remembers what it is made from, and the state it is given."""

    def __init__(self, *arguments: Any):
        self.arguments = arguments
        self.state: Any = None

    # Without it, a pickle could set attributes of the class itself.
    def __setstate__(self, state: Any) -> None:
        self.state = state


class Array(_StandIn):
    """For numpy's `_reconstruct` and `ndarray`; its state is (version, shape, dtype, order is Fortran's, bytes)."""


class Buffer(_StandIn):
    """For numpy's `_frombuffer`, which protocol 5 calls: made from (bytes, dtype, shape, order)."""


class Dtype(_StandIn):
    """For `numpy.dtype`: made from a code such as f4; its state is (version, order of bytes, ..)."""


class Scalar(_StandIn):
    """For numpy's `scalar`: settings that come along; nobody looks at them."""


class Text(_StandIn):
    """For `_codecs.encode`, with which old protocols write bytes: made from (text, encoding)."""


ALLOWED: dict[tuple[str, str], type[_StandIn]] = {
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): Dtype,
    ("_codecs", "encode"): Text,
}
for _core in ("numpy.core", "numpy._core"):  # before numpy 2, and since
    ALLOWED |= {(f"{_core}.multiarray", "_reconstruct"): Array, (f"{_core}.multiarray", "scalar"): Scalar}
    ALLOWED |= {(f"{_core}.numeric", "_frombuffer"): Buffer}


class _Refused(Exception):
    """A pickle names what it must not."""


class _Unpickler(pickle.Unpickler):
    """Finds the stand-ins, and nothing else."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in ALLOWED:
            raise _Refused(module_name, global_name)
        return ALLOWED[module_name, global_name]


def load_pickle(path: Path) -> Any:
    """What a pickle holds: dictionaries, lists, texts, numbers, and stand-ins for arrays (see `as_array`).

    Raises:
        UserError: if it names anything but numpy's arrays, is damaged, or is no plain dictionary by its length.
    """
    try:
        with path.open("rb") as file:
            refuse_endless_pickle(file, path)
            file.seek(0)
            return _Unpickler(file).load()
    except UserError:
        raise
    except _Refused as error:
        raise _names_too_much(path, *error.args) from None
    except Exception as error:  # whatever a damaged program makes of its interpreter
        raise UserError(f"{path} is no readable pickle, or it is truncated ({reason(error)}); get it again") from (
            error
        )


def as_array(value: Any, what: str) -> np.ndarray:
    """The array that a stand-in remembers, over the bytes of the file, without a copy.

    Raises:
        UserError: if it is no array of numbers, or has another size than it declares.
    """
    try:
        shape, dtype, fortran, raw = _parts(value)
        order = dtype.state[1] if dtype.state is not None else "="
        code = dtype.arguments[0]
        if order not in ("<", ">", "=", "|") or not NUMBER.fullmatch(code):
            raise TypeError(f"it is of type {code}")
        if isinstance(raw, Text) and raw.arguments[1:] == ("latin1",):
            raw = raw.arguments[0].encode("latin1")
        if not isinstance(raw, bytes | bytearray):
            raise TypeError(f"its numbers are a {type(raw).__name__}")
        kind = np.dtype(order + code)
        if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != len(raw):
            raise TypeError(f"it declares shape {shape} of {kind} and holds {len(raw)} bytes")
        return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UserError(f"{what} is no array of numbers ({reason(error)}); expected (N, T, channels)") from error


def _parts(value: Any) -> tuple[tuple[int, ...], Dtype, bool, Any]:
    """(shape, dtype, order is Fortran's, bytes) of a stand-in."""
    if isinstance(value, Buffer):
        raw, dtype, shape, order = value.arguments
        return tuple(shape), dtype, order == "F", raw
    if not isinstance(value, Array):
        raise TypeError(f"it is a {type(value).__name__}")
    _, shape, dtype, fortran, raw = value.state
    return tuple(shape), dtype, bool(fortran), raw


def _names_too_much(path: Path, module: str, name: str) -> UserError:
    if module.split(".")[0] == "torch":
        return UserError(
            f"{path} is a pickle with torch tensors ({module}.{name}), which cannot be read without running code; "
            f"write it with torch.save, which is read here, or as arrays: {SAFE_WAY}"
        )
    return UserError(
        f"{path} is a pickle that names {module}.{name}, which could run code; nothing of it was run: expected arrays "
        "of numpy alone, do not load it elsewhere either unless you trust it"
    )
