"""Generated sets are made once: in pieces that outlast an interruption, then kept in one file.

The file is NAME-SIZE-SEED-CHECKSUM.npz, in our own format. The checksum is over all that decides its bytes, so that a
changed recipe never reads an old file. Until every piece is made, they lie in a folder of the same name. Each file is
written aside and renamed, and its name decides its bytes: two processes that make one set at once do no harm.
Everything here may be deleted at any time; it is made again when it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from platformdirs import user_cache_dir
from tqdm import tqdm

from mts3.data.core.native import FORMAT_VERSION, from_arrays, save_dataset
from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.data.readers.formats.npz import load_arrays
from mts3.data.sets.generators import GENERATED, Generated, Recipe
from mts3.data.sets.published import how_to_get
from mts3.errors import UserError, unknown_name

CACHE_VARIABLE = "MTS3_CACHE"


def cache_folder() -> Path:
    """Where generated sets are kept: $MTS3_CACHE, or the folder `data` of mts3 among the user's caches."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given).expanduser() if given else Path(user_cache_dir("mts3")) / "data"


def cached(name: str, size: str | None = None, seed: int | None = None) -> Cached:
    """A generated set, which need not be made yet.

    Args:
        name: One of GENERATED.
        size: One of its sizes; None is the usual one.
        seed: Decides every byte; None is 0.

    Raises:
        UserError: for a set that is not generated, a size it does not have, or a seed that is no whole number >= 0.
    """
    if name not in GENERATED:
        raise UserError(f"{unknown_name('generated data set', name, GENERATED)} {how_to_get(name)}")
    recipes = GENERATED[name].recipes
    size = next(iter(recipes)) if size is None else size
    if size not in recipes:
        raise UserError(f"data set '{name}' has no size '{size}'; choose from: {', '.join(recipes)}")
    seed = 0 if seed is None else seed
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"the seed of data set '{name}' is {seed!r}; expected a whole number >= 0")
    return Cached(name, GENERATED[name], size, seed)


@dataclass(frozen=True)
class Cached:
    """A generated set of one size and one seed, and where it is kept."""

    name: str
    generated: Generated
    size: str
    seed: int

    @property
    def recipe(self) -> Recipe:
        """What it holds."""
        return self.generated.recipes[self.size]

    @property
    def path(self) -> Path:
        """Its file, made or not."""
        facts = {"recipe": asdict(self.recipe), "size": self.size, "seed": self.seed}
        facts |= {"version": self.generated.version, "format": FORMAT_VERSION}
        checksum = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return cache_folder() / f"{self.name}-{self.size}-{self.seed}-{checksum}.npz"

    def load(self) -> Dataset | None:
        """The set if it has been made; None if it has not, or if its file is damaged, which is said."""
        return _read(self.path)

    def make(self) -> Dataset:
        """Make the set, going on from the pieces that are there already, and keep it. A line on stderr says so.

        Raises:
            UserError: if the folder cannot be written, or what simulates it is not installed.
        """
        try:
            return self._make()
        except UserError:
            # Another process may have finished the same set and cleared the pieces away under this one.
            made = self.load()
            if made is None:
                raise
            return made

    @property
    def _pieces(self) -> Path:
        return self.path.with_suffix(".pieces")

    def _make(self) -> Dataset:
        try:
            self._pieces.mkdir(parents=True, exist_ok=True)  # before any work: a folder that refuses it is said at once
        except OSError as error:
            raise UserError(
                f"cannot write {self._pieces.parent}: {error.strerror}; name another folder in the environment "
                f"variable {CACHE_VARIABLE}"
            ) from error
        episodes, label = self.recipe.episodes, f"{self.name} (size {self.size}, seed {self.seed})"
        print(f"generating {label}: {episodes} episodes, kept in {self.path}", file=sys.stderr)
        trajectories: list[Trajectory] = []
        # disable=None: no bar where stderr is no terminal.
        with tqdm(desc=self.name, total=episodes, unit=" episodes", disable=None) as bar:
            piece = self.generated.piece or episodes
            for start in range(0, episodes, piece):
                numbers = range(start, min(start + piece, episodes))
                trajectories += self._piece(numbers)
                bar.update(len(numbers))
        dataset = self.recipe.collect(trajectories)
        _save(dataset, self.path)
        # The pieces, and what a killed process may have left half written.
        shutil.rmtree(self._pieces, ignore_errors=True)
        for aside in self.path.parent.glob(f".{self.path.stem}.*"):
            aside.unlink(missing_ok=True)
        return dataset

    def _piece(self, numbers: range) -> tuple[Trajectory, ...]:
        """Some episodes: read if they are there, else made and kept."""
        path = self._pieces / f"{numbers.start:06d}-{numbers.stop - 1:06d}.npz"
        kept = _read(path)
        if kept is not None:
            return kept.trajectories
        made = self.recipe.collect(self.generated.make_episodes(self.recipe, numbers, self.seed))
        if len(numbers) < self.recipe.episodes:
            _save(made, path)
        return made.trajectories


def _read(path: Path) -> Dataset | None:
    if not path.is_file():
        return None
    try:
        return from_arrays(load_arrays(path), path)
    except UserError:
        print(f"{path} is damaged: making it again", file=sys.stderr)
        return None


def _save(dataset: Dataset, path: Path) -> None:
    try:
        save_dataset(dataset, path)
    except UserError as error:  # ends in "name another folder"
        raise UserError(
            f"{error} in the environment variable {CACHE_VARIABLE}; pieces that are finished are kept"
        ) from error
