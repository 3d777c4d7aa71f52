"""Data sets known by name: shipped with the package, published elsewhere, generated."""
