"""Algorithms by name."""

from __future__ import annotations

import importlib
from typing import Any, TypeVar

_Class = TypeVar("_Class", bound=type)

ALGORITHMS: dict[str, Any] = {}
"""The algorithms that there are: subclasses of `AbstractAlgorithm`."""
CONFIGS: dict[str, type] = {}
"""The dataclasses of their settings."""


def register_algorithm(cls: _Class) -> _Class:
    """Make a subclass of `AbstractAlgorithm` known by its `name`; to be put above the class.

    Raises:
        ValueError: another algorithm has that name.
    """
    algorithm: Any = cls
    if ALGORITHMS.get(algorithm.name, cls).__qualname__ != cls.__qualname__:
        raise ValueError(f"There is another algorithm named {algorithm.name!r}.")
    ALGORITHMS[algorithm.name], CONFIGS[algorithm.name] = cls, algorithm.Config
    return cls


def import_algorithm(name: str) -> str:
    """The registered name in `name`; of `package.module:name` the module, which registers it, is imported first."""
    module, _, name = name.rpartition(":")
    if module:
        importlib.import_module(module)
    return name
