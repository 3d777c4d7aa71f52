"""Minari data sets: a folder in HDF5 or Arrow, or the id of one. Read here, for minari may run what a set describes.

The package minari rebuilds a set's environment where its spaces are not written down, and so calls whatever the file
names. Its files are plain; only downloads go through it.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from mts3.data.core.stored import Rows
from mts3.data.readers.arrays.episodes import Episode, left_out_notes, read_episodes
from mts3.data.readers.arrays.minari_spaces import DESCRIPTION, Description, described, plain_name
from mts3.data.readers.formats import hdf5, reads
from mts3.data.readers.formats.hdf5 import MAIN_FILE
from mts3.data.readers.result import ReadResult, reason
from mts3.data.readers.tables.arrow import damaged, leaves, pyarrow, read_parquet
from mts3.data.rows.columns import Columns
from mts3.errors import UserError

PREFIX = "minari:"
ID = re.compile(r"(?:[-_\w]+/)*[-_\w]+-v\d+")
ROOT_VARIABLE = "MINARI_DATASETS_PATH"
PARTS = ("observations", "actions", "rewards")
# Nothing is lost with these: a folder is an episode.
KNOWN = ("terminations", "truncations", "episode_id")


def _is_one(folder: Path, start: bytes = b"") -> bool:
    """Whether a folder is a Minari data set, or the folder data of one."""
    return _data(folder) is not None


@reads(holds=_is_one, folder=f"a Minari data set data/{DESCRIPTION}")
def read(folder: Path, columns: Columns) -> ReadResult:
    """A data set from a Minari folder: observations (T+1, ..), actions and rewards of each episode.

    Observations that are dictionaries are put side by side by name; images and texts among them are left out. Minari
    does not tell the sampling time: it is 1 unless `columns` says it.

    Raises:
        UserError: without h5py or pyarrow, for a folder that is incomplete or damaged, or with no numbers in it.
    """
    data = _data(folder)
    assert data is not None  # whoever calls has asked _is_one
    if (data / MAIN_FILE).is_file():
        result = hdf5.read(data / MAIN_FILE, columns)
    else:
        result = _read_arrow(data, columns)
    name = described(data).name or folder.resolve().name
    dataset = replace(result.dataset, name=name.replace("/", "_"), attribution=f"Minari data set {name}")
    return replace(result, dataset=dataset)


@reads(
    prefix=PREFIX,
    hint=lambda text: f"; for the Minari data set of that id say {PREFIX}{text}" if ID.fullmatch(text) else "",
)
def read_id(identity: str, columns: Columns) -> ReadResult:
    """The data set of a Minari id such as D4RL/door/human-v2, from Minari's folder or else its server.

    Raises:
        UserError: for what is no id, or a set that is not at hand and cannot be downloaded.
    """
    if not ID.fullmatch(identity):
        raise UserError(f"{PREFIX}{identity} is no Minari id; expected one such as {PREFIX}D4RL/door/human-v2")
    root = os.environ.get(ROOT_VARIABLE) or Path.home() / ".minari" / "datasets"
    folder = Path(root) / identity
    if not _is_one(folder):
        _download(identity, folder)
    return read(folder, columns)


def _download(identity: str, folder: Path) -> None:
    try:
        import minari
    except ImportError as error:
        raise UserError(
            f'there is no {folder}, and to download it needs minari; install it with pip install "mts3[data]"'
        ) from error
    try:
        minari.download_dataset(identity)
    except ImportError as error:
        raise UserError(
            f'downloading {identity} needs what minari asks for ({error}); install it with pip install "minari[hf]"'
        ) from error
    except Exception as error:  # whatever the network, the server and its client make of it
        raise UserError(
            f"cannot download the Minari data set {identity} ({reason(error)}); check the id and the network, or copy "
            f"it to {folder} from a computer where `minari download {identity}` works"
        ) from error
    if not _is_one(folder):
        raise UserError(f"minari downloaded {identity}, and {folder} holds no data set; download it again")


def _data(folder: Path) -> Path | None:
    for data in (folder / "data", folder):
        if (data / MAIN_FILE).is_file() or (data / DESCRIPTION).is_file():
            return data
    return None


def _read_arrow(data: Path, columns: Columns) -> ReadResult:
    folders = sorted((f for f in data.iterdir() if f.is_dir() and f.name.isdecimal()), key=lambda f: int(f.name))
    if not folders:
        raise UserError(f"{data} holds neither {MAIN_FILE} nor episodes 0, 1, ..; download the set again")
    said = described(data)
    left_out: dict[str, None] = {}
    unused: dict[str, None] = {}
    episodes = [_episode(folder, said, left_out, unused) for folder in folders]
    notes = left_out_notes(data, [episode.obs for episode in episodes], left_out, unused)
    return read_episodes(data, episodes, columns, "Minari Arrow", (*notes, *said.spaces_notes()), said.counts)


def _episode(folder: Path, said: Description, left_out: dict[str, None], unused: dict[str, None]) -> Episode:
    """One folder of files; the last row of actions and rewards fills up to the last observation."""
    table = _table(folder, unused)
    obs: dict[str, Rows] = {}
    actions: dict[str, Rows] = {}
    for part, whole, parts, blocks in ((PARTS[0], "obs", said.obs, obs), (PARTS[1], "action", said.actions, actions)):
        for stored, values in leaves(table[part], part).items():
            name = plain_name(stored, part, whole)
            if values is None or name in parts.images:
                left_out[name] = None
            else:
                blocks |= parts.blocks(name, values if part == PARTS[0] else values[:-1], f"episode '{folder.name}'")
    reward = leaves(table[PARTS[2]], PARTS[2])[PARTS[2]]
    rewards = None if reward is None else reward[:-1, 0]
    return Episode(f"episode_{folder.name}", obs, actions, rewards)


def _table(folder: Path, unused: dict[str, None]) -> Any:
    """Observations, actions and rewards of an episode; other columns with something in them go to `unused`."""
    pa = pyarrow(folder)
    tables = []
    for file in sorted(f for f in folder.iterdir() if f.suffix in (".arrow", ".parquet")):
        try:
            if file.suffix == ".parquet":
                tables.append(read_parquet(file, list(PARTS)))
                names = pa.parquet.read_schema(file).names
            else:
                with pa.OSFile(str(file)) as opened:
                    whole = pa.ipc.open_file(opened).read_all()
                    names, table = whole.column_names, whole.select(PARTS)
                    table.validate(full=True)
                    tables.append(table)
            unused.update(dict.fromkeys(name for name in names if name not in (*PARTS, *KNOWN)))
        except (pa.ArrowException, UnicodeDecodeError, KeyError, OSError) as error:
            raise damaged(file, error) from error
    if not tables:
        raise UserError(f"{folder} holds no .arrow or .parquet file; download the set again")
    return pa.concat_tables(tables)
