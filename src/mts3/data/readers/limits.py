"""How large a file may become in memory, checked on what it declares, before anything is allocated.

A few kilobytes can declare terabytes: zeros compress a thousandfold, HDF5 need not store them at all. Measured on
recordings and on videos of 64x64 pixels with an empty background, files expand 1 to 50 times.
"""

from __future__ import annotations

import os
from pathlib import Path

from mts3.errors import UserError

FREE_BYTES = 256 * 2**20
ENDLESS_BYTES = 64 * 2**30
EXPANSION = 100


def refuse_oversized(path: Path, declared: int) -> None:
    """Nothing where `declared` bytes of arrays are plausible for the file: up to 256 MiB, or 100 times its size.

    Args:
        path: The file, or the folder, that declares them.
        declared: Bytes of all arrays that are to be read, together.

    Raises:
        UserError: if the file declares more, or more than this machine has memory.
    """
    refuse_endless(path, declared, FREE_BYTES)
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows does not tell
        memory = 2**63
    if declared > memory:
        raise UserError(
            f"{path} holds {_size(declared)} of data and this machine has {_size(memory)} of memory; write it again "
            "without compression (numpy.savez, or HDF5): it is then read as it is needed; or take fewer trajectories"
        )


def refuse_endless(path: Path, declared: int, free: int = ENDLESS_BYTES) -> None:
    """The same for arrays that stay in their file, whose size costs no memory, but time to look through.

    What was never written into an HDF5 file reads as zeros: up to 64 GiB of it is believed.

    Raises:
        UserError: if the file declares more than `free` bytes, and more than 100 times its size.
    """
    stored = path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    if declared > max(free, EXPANSION * stored):
        raise UserError(
            f"{path} has {_size(stored)} and declares {_size(declared)} of data; expected at most {EXPANSION} times "
            "its size: it is damaged or made to fill the memory; if it is sound, write it again without compression"
        )


def _size(count: int) -> str:
    """Bytes with a unit, as in 1.5 GiB."""
    power = min(max(0, (count.bit_length() - 1) // 10), 5)
    return f"{count / 1024**power:.3g} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[power]}"
