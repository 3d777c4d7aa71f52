"""What a Minari data set says of itself: which parts are images, which numbers are choices, how much there should be.

Read from its metadata.json, or from the file itself, as Minari wrote it before 0.5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mts3.data.core.one_hot import one_hot
from mts3.data.core.stored import Rows
from mts3.data.readers.result import note_of
from mts3.errors import UserError

DESCRIPTION = "metadata.json"
SPACES = ("observation_space", "action_space")
COUNTS = ("total_episodes", "total_steps")
# Members of a tuple: Minari calls them by their number in Arrow files, and _index_0, _index_1, .. in HDF5.
INDEX = re.compile(r"(^|/)_index_(\d+)(?=/|$)")
# With more, a row would be mostly zeros: such a number stays one, which is said.
MOST_CHOICES = 1024
DEEPEST = 16
Choices = tuple[tuple[int, int], ...]
"""(how many, the first of them) of each number in a row."""


@dataclass(frozen=True)
class Parts:
    """What is special in the parts of a space, by their names.

    Attributes:
        images: Stored encoded.
        choices: Discrete and MultiDiscrete parts.
        many: Those with too many choices for a channel each.
    """

    images: frozenset[str] = frozenset()
    choices: Mapping[str, Choices] = field(default_factory=dict)
    many: tuple[str, ...] = ()

    def blocks(self, name: str, values: Rows, where: str) -> dict[str, Rows]:
        """Arrays with a channel for each number, or for each choice, 1 for the one that was chosen.

        Args:
            name: Of the part.
            values: (T, ..).
            where: For errors.

        Raises:
            UserError: for values that the space does not have.
        """
        choices = self.choices.get(name)
        if choices is None:
            return {name: values}
        rows = np.asarray(values).reshape(len(values), -1)
        if rows.shape[1] != len(choices) and len(rows):
            raise UserError(
                f"{where}: '{name}' has {rows.shape[1]} numbers a row, {DESCRIPTION} says {len(choices)}; get the set "
                "again"
            )
        names = [name] if len(choices) == 1 else [f"{name}_{i}" for i in range(len(choices))]
        try:
            return {
                own: one_hot(rows[:, i], n, start)
                for i, (own, (n, start)) in enumerate(zip(names, choices, strict=True))
            }
        except UserError as error:
            raise UserError(f"{where}: '{name}': {error}; {DESCRIPTION} says otherwise, get the set again") from error


@dataclass(frozen=True)
class Description:
    """What is written about a set: its `name` or None, its spaces, and how many episodes and steps it should have."""

    name: str | None = None
    obs: Parts = Parts()
    actions: Parts = Parts()
    counts: tuple[object, object] = (None, None)

    def spaces_notes(self) -> tuple[str, ...]:
        """A line about parts that are choices, and one about those with too many."""
        return (
            *note_of("a channel for each choice", (*self.obs.choices, *self.actions.choices)),
            *note_of(f"more than {MOST_CHOICES} choices, taken as one number", (*self.obs.many, *self.actions.many)),
        )


def described(path: Path, attributes: Mapping[str, Any] | None = None) -> Description:
    """The description of a set.

    Args:
        path: The folder with its episodes, in which there may be a metadata.json, or a file for which there is none.
        attributes: Those of its HDF5 file, where there is one; metadata.json counts more.

    Raises:
        UserError: for a description that is none.
    """
    beside = path / DESCRIPTION
    where = beside if beside.is_file() else path
    said = {name: (attributes or {}).get(name) for name in (*SPACES, *COUNTS)}
    try:
        if beside.is_file():
            written = json.loads(beside.read_text(encoding="utf-8"))
            said |= {name: value for name, value in written.items() if value is not None}
        spaces = [json.loads(space) if isinstance(space := said[name], str | bytes) else space for name in SPACES]
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{where} is no description of a Minari data set ({error}); download it again") from error
    name = said.get("dataset_id")
    return Description(
        name=None if name is None else str(name),
        obs=_parts(spaces[0], "obs", where),
        actions=_parts(spaces[1], "action", where),
        counts=(said["total_episodes"], said["total_steps"]),
    )


def plain_name(stored: str, root: str, whole: str) -> str:
    """What a part is called: by its path, members of a tuple by their number after the name of the whole.

    Args:
        stored: Its path in the file.
        root: What the whole is called in the file; a part of that path is the whole.
        whole: What it is called here, as in "obs".
    """
    path = INDEX.sub(r"\1\2", stored)
    if path == root:
        return whole
    return f"{whole}_{path}" if path[:1].isdigit() else path


def _parts(space: Any, whole: str, path: Path) -> Parts:
    leaves = list(_leaves(space, ""))
    names = [plain_name(name, "", whole) for name, _ in leaves]
    images: list[str] = []
    choices: dict[str, Choices] = {}
    many: dict[str, Choices] = {}
    for name, (_, leaf) in zip(names, leaves, strict=True):
        shape = leaf.get("shape")
        if leaf.get("dtype") == "uint8" and isinstance(shape, list) and len(shape) == 3:
            images.append(name)
        found = _choices(leaf, path)
        if found:
            (many if max(found)[0] > MOST_CHOICES else choices)[name] = found
    return Parts(frozenset(images), choices, tuple(many))


def _leaves(space: Any, name: str, depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The spaces without parts, by their paths."""
    if not isinstance(space, Mapping) or depth > DEEPEST:
        return
    inner = space.get("subspaces")
    if not isinstance(inner, Mapping | list):
        yield name, space
        return
    named = inner.items() if isinstance(inner, Mapping) else enumerate(inner)
    for key, part in named:
        yield from _leaves(part, f"{name}/{key}".strip("/"), depth + 1)


def _choices(leaf: Mapping[str, Any], path: Path) -> Choices:
    """(n, start) of each number in a row of a Discrete or MultiDiscrete space; () for others."""
    try:
        if leaf.get("type") == "Discrete":
            numbers = np.array([leaf["n"]]), np.array([leaf.get("start", 0)])
        elif leaf.get("type") == "MultiDiscrete":
            nvec = np.array(leaf["nvec"]).reshape(-1)
            numbers = nvec, np.array(leaf.get("start", np.zeros(nvec.shape, int))).reshape(-1)
        else:
            return ()
        pairs = tuple((int(n), int(start)) for n, start in zip(*numbers, strict=True))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path} describes a {leaf.get('type')} space without its choices; download it again") from (
            error
        )
    if not all(n > 0 for n, _ in pairs):
        raise UserError(f"{path} describes a {leaf.get('type')} space of no choices; download it again")
    return pairs
