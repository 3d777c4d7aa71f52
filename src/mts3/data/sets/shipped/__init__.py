"""The recordings that ship in the package, in our own format; NOTICE.md says where they are from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

from mts3.data.core.native import from_arrays
from mts3.data.core.trajectory import Dataset

SHIPPED = ("plaza1", "soil", "tiago")


def load_shipped(name: str) -> Dataset:
    """One of SHIPPED."""
    return from_arrays(read_shipped(name), Path(f"{name}.npz"))


def read_shipped(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file in the package."""
    with (
        resources.as_file(resources.files(__name__) / f"{name}.npz") as path,
        np.load(path, allow_pickle=False) as archive,
    ):
        return {key: archive[key] for key in archive.files}
