"""How much a pickle would do, counted from its instructions before any of them runs.

A tuple may hold one tuple twice, that one another twice: forty instructions later it has a million million parts, and
as the key of a dictionary all of them are looked at.
"""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import IO

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
