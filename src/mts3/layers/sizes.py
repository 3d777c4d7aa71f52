"""Sizes that a constructor was given."""

from __future__ import annotations


def check_sizes(**sizes: int) -> None:
    """Refuse a size that nothing can be built with.

    Args:
        **sizes: By the name the user knows them under.
    Raises:
        ValueError: if one is less than 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"expected {name} >= 1, got {size}")
