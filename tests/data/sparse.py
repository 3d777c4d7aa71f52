"""Files of many gigabytes that take next to no room on the disk: almost all of them was never written."""

import io
import struct
from pathlib import Path

import numpy as np

WRITTEN = 50
"""Rows at the start of every trajectory that hold something; the rest reads as zeros."""


def rows(g: np.random.Generator, channels: int) -> np.ndarray:
    return g.normal(size=(WRITTEN, channels)).astype(np.float32)


def sparse_npz(path: Path, arrays: dict[str, tuple[int, int, int]]) -> None:
    """An uncompressed npz of float32 arrays (N, T, channels), as np.savez would write it."""
    g = np.random.default_rng(0)
    central = b""
    with path.open("wb") as file:
        for name, (count, length, channels) in arrays.items():
            header = _npy_header((count, length, channels))
            size = len(header) + 4 * count * length * channels
            key = f"{name}.npy".encode()
            place = file.tell()
            sizes = struct.pack("<HHQQ", 1, 16, size, size)
            file.write(
                struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 45, 0, 0, 0, 0, 0, *[2**32 - 1] * 2, len(key), len(sizes))
            )
            file.write(key + sizes + header)
            start = file.tell()
            for n in range(count):
                file.seek(start + 4 * n * length * channels)
                file.write(rows(g, channels).tobytes())
            file.seek(place + 30 + len(key) + len(sizes) + size)
            extra = struct.pack("<HHQQQ", 1, 24, size, size, place)
            fields = (45, 45, 0, 0, 0, 0, 0, *[2**32 - 1] * 2, len(key), len(extra), 0, 0, 0, 0, 2**32 - 1)
            central += struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", *fields) + key + extra
        begin = file.tell()
        file.write(central)
        end = file.tell()
        many = len(arrays)
        file.write(struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, many, many, len(central), begin))
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
        file.write(struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, many, many, len(central), 2**32 - 1, 0))


def sparse_hdf5(path: Path, arrays: dict[str, tuple[int, int, int]]) -> None:
    """The same in HDF5 and float64, a quarter as long: one piece, the file is as large as its arrays."""
    import h5py

    g = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name, (count, length, channels) in arrays.items():
            dataset = file.create_dataset(name, (count, length // 4, channels), np.float64)
            for n in range(count):
                dataset[n, :WRITTEN] = rows(g, channels)


def _npy_header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()
