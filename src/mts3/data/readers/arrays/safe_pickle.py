"""Pickles of numpy arrays, read without running anything they contain.

A pickle is a program: it may call whatever it names. Here it may name what numpy writes for an array, nothing else, and
what it then calls are stand-ins that only remember what they were given. Arrays are made from that afterwards, so that
neither numpy's nor anybody else's rebuilding code ever sees the file.

Before that, its instructions are counted: a tuple may hold one tuple twice, that one another twice; forty instructions
later it has a million million parts, and as the key of a dictionary all of them are looked at.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import re
from pathlib import Path
from typing import IO, Any

import numpy as np

from mts3.data.readers.result import reason
from mts3.errors import UserError

# A dictionary of arrays takes a few hundred. More would be lists of numbers, or nesting made to exhaust the stack.
MOST_INSTRUCTIONS = 20_000
# Parts of all keys that are tuples: texts and numbers count nothing.
MOST_PARTS = 20_000
SAFE_WAY = (
    "where you trust the file, load it and save its arrays with numpy.savez under the names train_obs, train_act, "
    "test_obs, test_act and normalizer/observations/mean, .../std"
)
# Python makes room for as many objects as the largest number in one of these says.
PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
GETS = ("GET", "BINGET", "LONG_BINGET")
TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET")
# Instructions that look at keys -> how many objects lie between one key and the next.
KEYED = {"SETITEMS": 2, "DICT": 2, "ADDITEMS": 1, "FROZENSET": 1}
MARK = -1
NUMBER = re.compile(r"[fiub][1248]")


def refuse_endless_pickle(file: IO[bytes], path: Path, most: int | None = MOST_INSTRUCTIONS) -> None:
    """Nothing where the instructions in `file` are few, and its keys small.

    Args:
        file: A pickle, from its start.
        path: For errors.
        most: Instructions; None for any number.

    Raises:
        UserError: for more instructions or objects than `most`, or keys of more parts than MOST_PARTS together.
    """
    stack = _Stack()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        number = argument if opcode.name in PUTS and isinstance(argument, int) else 0
        if most is not None and max(count, number) > most:
            raise UserError(
                f"{path} is a pickle of more than {most} instructions or objects; expected a dictionary of arrays: "
                f"{SAFE_WAY}"
            )
        stack.run(opcode, argument)
        if stack.looked_at > MOST_PARTS:
            raise UserError(
                f"{path} is a pickle whose keys are tuples of more than {MOST_PARTS} parts; expected a dictionary of "
                f"arrays with texts as keys: {SAFE_WAY}"
            )


class _Stack:
    """What lies on the stack of a pickle, as the number of parts of each object below a first one: 0 for a text.

    Attributes:
        looked_at: Parts of the keys so far.
    """

    def __init__(self) -> None:
        self.looked_at = 0
        self._parts: list[int] = []
        self._memo: dict[int, int] = {}

    def run(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        """What an instruction does to the numbers of parts."""
        name = opcode.name
        if name in PUTS or name == "MEMOIZE":
            place = argument if isinstance(argument, int) else len(self._memo)
            self._memo[place] = self._parts[-1] if self._parts else 0
            return
        popped = self._popped(opcode)
        if name in KEYED:
            self.looked_at += sum(popped[:: KEYED[name]])
        elif name == "SETITEM":
            self.looked_at += sum(popped[1:2])
        made = [MARK if kind is pickletools.markobject else 0 for kind in opcode.stack_after]
        if name in TUPLES:
            # Beyond the bound it does not matter how many.
            made = [min(sum(popped) + len(popped), MOST_PARTS + 1)]
        elif name in GETS and isinstance(argument, int):
            made = [self._memo.get(argument, 0)]
        elif name == "DUP":
            made = popped * 2
        self._parts += made

    def _popped(self, opcode: pickletools.OpcodeInfo) -> list[int]:
        """Takes what an instruction takes; of one that takes all down to a mark, what lies above the mark."""
        above: list[int] = []
        fixed = opcode.stack_before
        if pickletools.markobject in fixed or (opcode.name == "POP" and self._parts[-1:] == [MARK]):
            while self._parts and (parts := self._parts.pop()) != MARK:
                above.append(parts)
            fixed = fixed[: fixed.index(pickletools.markobject)] if pickletools.markobject in fixed else []
            self._parts = self._parts[: len(self._parts) - len(fixed)]
            return above[::-1]
        start = max(0, len(self._parts) - len(fixed))
        popped, self._parts = self._parts[start:], self._parts[:start]
        return popped


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


class _Unpickler(pickle.Unpickler):
    """Finds the stand-ins, and nothing else."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) in ALLOWED:
            return ALLOWED[module_name, global_name]
        name = f"{module_name}.{global_name}"
        if module_name.split(".")[0] == "torch":
            raise UserError(
                f"{self._path} is a pickle with torch tensors ({name}), which cannot be read without running code; "
                f"write it with torch.save, which is read here, or as arrays: {SAFE_WAY}"
            )
        raise UserError(
            f"{self._path} is a pickle that names {name}, which could run code; nothing of it was run: expected arrays "
            "of numpy alone, do not load it elsewhere either unless you trust it"
        )


def load_pickle(path: Path) -> Any:
    """What a pickle holds: dictionaries, lists, texts, numbers, and stand-ins for arrays (see `as_array`).

    Raises:
        UserError: if it names anything but numpy's arrays, is damaged, or is no plain dictionary by its length.
    """
    try:
        with path.open("rb") as file:
            refuse_endless_pickle(file, path)
            file.seek(0)
            return _Unpickler(file, path).load()
    except UserError:
        raise
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
