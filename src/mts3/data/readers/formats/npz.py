"""npz: our own data sets, arrays of a user, and sets that come split into train and test. Never a pickle."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from mts3.data.core.matching import align
from mts3.data.core.native import FORMAT_KEY, from_arrays
from mts3.data.core.stored import LARGE, Rows, StoredArray
from mts3.data.readers.arrays.named import read_arrays
from mts3.data.readers.arrays.presplit import PRESPLIT_KEYS, read_presplit
from mts3.data.readers.formats import reads
from mts3.data.readers.limits import refuse_oversized
from mts3.data.readers.result import ReadResult, readable, reason, refuse_self_described, roles
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

ENDING = ".npy"
# The header before each member: 26 bytes that its central entry repeats, then how long its name and extra field are.
LENGTHS_IN_HEADER = "<26xHH"
# An array of fewer bytes, as one of names or lengths, is read in any case.
SHORT = 2**23
# What reading a damaged archive raises.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError, struct.error)
# numpy writes these two. Others decompress whole blocks at once, beyond what is asked for.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@reads(".npz", starts=(b"PK\x03\x04",), place=1)
def read(path: Path, columns: Columns) -> ReadResult:
    """A data set from an npz file.

    Three layouts: our own (`core.native`); train_obs, test_obs (N, T+1, O) with train_act, test_act (N, T, A),
    whose test part is kept; or a user's arrays, obs and actions unless the mapping names others, of shape (T, O) or
    (N, T, O). A mapping may name several arrays, which are put side by side.

    Raises:
        UserError: for a damaged file, pickled objects, a missing array, or shapes that do not fit.
    """
    arrays = load_arrays(path)
    unmapped = not columns.names_columns
    if FORMAT_KEY in arrays:
        if not unmapped:
            raise UserError(
                f"{path} is a data set of mts3 and says itself what its columns are; of the column mapping it takes "
                "sample_time and action_shift"
            )
        refuse_self_described(columns, str(path))
        dataset = from_arrays(arrays, path)
        dataset = replace(dataset, sample_time=columns.sample_time or dataset.sample_time)
        dataset = align(dataset, columns.action_shift)
        return ReadResult(dataset, "data set of mts3", roles(dataset.obs_names, dataset.action_names))
    if unmapped and all(key in arrays for key in PRESPLIT_KEYS):
        return read_presplit(arrays, path, "npz, split into train and test", columns)
    return read_arrays(arrays, columns, path, "npz", {name: array.shape for name, array in arrays.items()})


def load_arrays(path: Path) -> dict[str, Rows]:
    """Every array in an npz file; what else the archive holds is passed over.

    Where they take more than `mts3.data.core.stored.LARGE` together, arrays that are not compressed stay in the file.
    Nothing is allocated before the sizes are checked: all arrays that are read within the bounds of
    `mts3.data.readers.limits`, and each array exactly as large as its place in the archive.

    Raises:
        UserError: if the file is damaged, holds pickled objects, which could run code, or declares absurd sizes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(ENDING)]
            # What lies there as it is, and is not one of the short ones.
            plain = [info for info in members if info.compress_type == zipfile.ZIP_STORED and info.file_size > SHORT]
            staying = plain if sum(info.file_size for info in members) > LARGE else []
            _refuse_archive(members, staying, path)
            return {
                info.filename.removesuffix(ENDING): (_stored if info in staying else _load)(archive, info, path)
                for info in members
            }
    except UserError:
        raise
    except DAMAGE as error:
        raise UserError(
            f"{path} is no readable npz file, or it is truncated ({reason(error)}); get it or write it again"
        ) from error


def _refuse_archive(members: list[zipfile.ZipInfo], staying: list[zipfile.ZipInfo], path: Path) -> None:
    times = Counter(info.filename for info in members)
    repeated = next((name for name, count in times.items() if count > 1), None)
    if repeated is not None:
        raise UserError(f"{path} holds two arrays '{repeated.removesuffix(ENDING)}'; expected one of each name")
    other = next((info for info in members if info.compress_type not in METHODS), None)
    if other is not None:
        raise UserError(
            f"array '{other.filename.removesuffix(ENDING)}' of {path} is compressed in a way that numpy does not "
            "write; expected np.savez or np.savez_compressed: write it again"
        )
    refuse_oversized(path, sum(info.file_size for info in members if info not in staying))


def _load(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """One array, if its header declares exactly what the archive holds."""
    _checked(archive, info, path)
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _stored(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Rows:
    """The same, left where it is; in Fortran's order a row is scattered over the file, and it is read after all."""
    shape, fortran, dtype, header_bytes = _checked(archive, info, path)
    if fortran or not shape:
        refuse_oversized(path, info.file_size)
        return _load(archive, info, path)
    # The local header may be longer than the central one says: numpy and zip pad it.
    with path.open("rb") as file:
        file.seek(info.header_offset)
        name_bytes, extra_bytes = struct.unpack(LENGTHS_IN_HEADER, file.read(struct.calcsize(LENGTHS_IN_HEADER)))
    start = info.header_offset + struct.calcsize(LENGTHS_IN_HEADER) + name_bytes + extra_bytes
    if start + info.file_size > path.stat().st_size:
        raise zipfile.BadZipFile(f"'{info.filename}' lies beyond its end")
    return StoredArray(NpzSource(path, info.filename.removesuffix(ENDING), start + header_bytes, shape, dtype))


def _checked(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path
) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, whether in Fortran's order, type, and bytes of the header of an array."""
    name = info.filename.removesuffix(ENDING)
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version not in HEADERS:
            raise ValueError(f"an array of format {version[0]}.{version[1]}; expected 1.0 or 2.0")
        shape, fortran, dtype = HEADERS[version](member)
        if dtype.hasobject:
            raise UserError(f"{path} holds pickled objects, which could run code; save plain arrays of numbers")
        header_bytes = member.tell()
    declared, held = math.prod(shape) * dtype.itemsize, info.file_size - header_bytes
    if min(shape, default=0) < 0 or declared != held:
        written = str(shape) if len(str(shape)) < 80 else f"of {len(shape)} axes"
        raise UserError(
            f"array '{name}' of {path} declares shape {written} of {dtype}, {declared} bytes, and holds "
            f"{held}; the file is damaged: get it or write it again"
        )
    return shape, fortran, dtype, header_bytes


class NpzSource:
    """An array of an npz, stored as it is, in C order: rows are a place in the file.

    Args:
        path: The file.
        name: Of the array.
        offset: Where its first value lies.
        shape, dtype: As its header says.
    """

    def __init__(self, path: Path, name: str, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.offset, self.shape, self.dtype = path, offset, shape, dtype
        self.where = f"'{name}' of {path}"

    def read(self, prefix: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        """array[*prefix, start:stop]."""
        axes = len(prefix)
        first = sum(index * math.prod(self.shape[axis + 1 :]) for axis, index in enumerate((*prefix, start)))
        shape = (stop - start, *self.shape[axes + 1 :])
        count = math.prod(shape)
        with readable(self.where):
            flat = np.fromfile(self.path, self.dtype, count, offset=self.offset + first * self.dtype.itemsize)
        if len(flat) < count:
            raise UserError(f"{self.where} ends before row {stop}: the file changed or was cut; write it again")
        return flat.reshape(shape)
