"""Things that are chosen by name: each file adds its own, and no list elsewhere has to know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

from mts3.errors import unknown_name

Thing = TypeVar("Thing")
Given = TypeVar("Given")


class Registry(dict[str, Thing], Generic[Thing]):
    """Name -> thing.

    Args:
        kind: What a name stands for, as in "transition": for the error about an unknown one.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[Given], Given]:
        """A decorator: what follows goes by `name`.

        Raises:
            ValueError: if something else has that name already.
        """

        def add(thing: Given) -> Given:
            if name in self and self[name] is not thing:
                raise ValueError(f"there is a {self.kind} '{name}' already: {self[name]}; choose another name")
            self[name] = thing  # pyright: ignore[reportArgumentType] - the decorated thing keeps its own type
            return thing

        return add

    def __missing__(self, name: str) -> Thing:
        raise unknown_name(self.kind, name, self)


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every file of a folder, so that each registers what it holds.

    Args:
        package, path: `__name__` and `__path__` of the folder.
    """
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")
