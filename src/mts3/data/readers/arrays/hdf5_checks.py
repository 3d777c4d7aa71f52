"""What is looked at before anything is read from an HDF5 file: where links lead, and what is declared.

A dataset may lie in another file, be made up of others, or be compressed by code that HDF5 loads by its number; a few
bytes may declare terabytes, and a chunk of two megabytes may expand to two gigabytes whatever it declares.
"""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mts3.data.core.stored import LARGE, Rows, StoredArray
from mts3.data.readers.arrays.hdf5_values import HDF5File, HDF5Source, is_mere_dimension, meaning, meanings_notes
from mts3.data.readers.limits import refuse_endless, refuse_oversized
from mts3.errors import UserError

DEEPEST = 8
NUMBERED = re.compile(r"(_index_)(\d+)")
DEFLATE = 1
# zlib, shuffle, checksum, szip, n-bit, scale-offset and lzf: what HDF5 and h5py bring along, each at most once.
FILTERS = (DEFLATE, 2, 3, 4, 5, 6, 32000)
# zlib expands at most 1032 times: chunks below this cannot fill half a gigabyte.
HARMLESS_CHUNK = 2**19
# Of a dataset that stays in its file: HDF5 unpacks whole chunks, to read a row of them.
LARGEST_CHUNK = 2**26


def child(group: Any, name: str, path: Path) -> Any:
    """A group or dataset that lies in the file itself, by its name or its path a/b.

    Raises:
        UserError: if it is not there, or a link leads to it, perhaps out of the file.
    """
    import h5py

    node = group
    for part in name.strip("/").split("/"):
        if not isinstance(node, h5py.Group) or part not in node:
            held = itertools.islice(group, 20) if isinstance(group, h5py.Group) else ()
            raise UserError(f"{path} has no '{name}'; it has {', '.join(held) or 'nothing'}")
        if not isinstance(node.get(part, getlink=True), h5py.HardLink):
            raise UserError(
                f"'{name}' of {path} is a link, perhaps into another file; expected data in the file itself: copy the "
                "data there, as h5repack does"
            )
        node = node[part]
    return node


def leaves(group: Any, name: str, path: Path) -> dict[str, Any]:
    """The datasets under `name`: itself, or those of a group by their path below it, in the order of their names."""
    import h5py

    def visit(node: Any, key: str, depth: int) -> Iterator[tuple[str, Any]]:
        if isinstance(node, h5py.Dataset):
            yield key or name, node
            return
        if depth == DEEPEST or not isinstance(node, h5py.Group):
            raise UserError(f"'{name}' of {path} has groups within groups, {DEEPEST} deep; expected named arrays")
        # Minari's _index_2 comes before _index_10.
        for part in sorted(node, key=lambda name: (n[1], int(n[2])) if (n := NUMBERED.fullmatch(name)) else (name, 0)):
            yield from visit(child(node, part, path), f"{key}/{part}".strip("/"), depth + 1)

    return dict(visit(child(group, name, path), "", 0))


def all_shapes(group: Any) -> dict[str, tuple[int, ...]]:
    """The shape of everything in a group that is no group, by its path; of links and text, ().

    What NetCDF writes for the length of an axis alone is left out. Groups are looked into `DEEPEST` deep.
    """
    import h5py

    found: dict[str, tuple[int, ...]] = {}
    visited: set[Any] = set()

    def visit(node: Any, prefix: str, depth: int) -> None:
        if node in visited:  # a group may hold itself
            return
        visited.add(node)
        for part in node:
            held = node[part] if isinstance(node.get(part, getlink=True), h5py.HardLink) else None
            if isinstance(held, h5py.Group) and depth < DEEPEST:
                visit(held, f"{prefix}{part}/", depth + 1)
            elif not isinstance(held, h5py.Dataset) or not is_mere_dimension(held):
                found[f"{prefix}{part}"] = held.shape if isinstance(held, h5py.Dataset) and is_number(held) else ()

    visit(group, "", 0)
    return found


def is_number(dataset: Any) -> bool:
    """Whether a dataset holds plain numbers."""
    return dataset.shape is not None and dataset.dtype.kind in "fiub"


def read_all(datasets: Mapping[str, Any], path: Path) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The values in some datasets, if all of them together are sound, and what was done to get them, a line each.

    Where they take more than `mts3.data.core.stored.LARGE` together, they stay in the file.

    Raises:
        UserError: for one that holds no numbers, lies outside the file, is compressed by other code, or declares more
            than `mts3.data.readers.limits` allows.
    """
    for name, dataset in datasets.items():
        _refuse_foreign(dataset, f"'{name}' of {path}")
    meanings = {name: meaning(dataset, f"'{name}' of {path}") for name, dataset in datasets.items()}
    sizes = {name: _declared(dataset) for name, dataset in datasets.items()}
    large = sum(sizes.values()) > LARGE
    staying = {n for n, dataset in datasets.items() if large and _may_stay(dataset) and not meanings[n].columns_first}
    refuse_oversized(path, sum(size for name, size in sizes.items() if name not in staying))
    refuse_endless(path, sum(sizes[name] for name in staying))
    if path.stat().st_size > HARMLESS_CHUNK:
        for name, dataset in datasets.items():
            _refuse_swelling(dataset, f"'{name}' of {path}")
    file = HDF5File(path)
    arrays: dict[str, Rows] = {
        name: StoredArray(HDF5Source(file, dataset, how)) if name in staying else how.values(dataset[()])
        for (name, dataset), how in zip(datasets.items(), meanings.values(), strict=True)
    }
    return arrays, meanings_notes(meanings, arrays)


def _may_stay(dataset: Any) -> bool:
    """Whether a dataset may stay in the file: some of it was written, and what is unpacked for a row is not much."""
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    return dataset.ndim > 0 and dataset.id.get_storage_size() > 0 and chunk <= LARGEST_CHUNK


def _refuse_foreign(dataset: Any, what: str) -> None:
    if not is_number(dataset):
        raise UserError(f"{what} is of type {dataset.dtype}; expected numbers")
    if dataset.is_virtual or dataset.external:
        raise UserError(f"{what} lies in other files; expected data in the file itself: copy it there with h5repack")
    settings = dataset.id.get_create_plist()
    codes = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    if len(set(codes)) < len(codes) or not set(codes) <= set(FILTERS):
        raise UserError(
            f"{what} is compressed with the HDF5 filters {codes}; expected gzip, lzf or none: write it again with "
            "h5repack -f GZIP=4"
        )


def _declared(dataset: Any) -> int:
    """Bytes: of the whole, or of one chunk, which is unpacked as a whole."""
    return max(math.prod(dataset.shape), math.prod(dataset.chunks or ())) * dataset.dtype.itemsize


def _refuse_swelling(dataset: Any, what: str) -> None:
    """Refuses chunks that unpack to more than a chunk; HDF5 unpacks first and looks afterwards."""
    settings = dataset.id.get_create_plist()
    if DEFLATE not in [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]:
        return
    nominal = math.prod(dataset.chunks) * dataset.dtype.itemsize
    large: list[tuple[int, ...]] = []

    def collect(chunk: Any) -> None:
        if chunk.size > HARMLESS_CHUNK:
            large.append(chunk.chunk_offset)

    dataset.id.chunk_iter(collect)
    for offset in large:
        skipped, packed = dataset.id.read_direct_chunk(offset)
        if skipped == 0 and len(zlib.decompressobj().decompress(packed, nominal + 1)) > nominal:
            raise UserError(f"{what} has a chunk that unpacks to more than its size; the file is damaged: get it again")
