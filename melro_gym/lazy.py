"""Packages whose names are loaded on first use (PEP 562), from the one list that type checkers read as well."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, from the imports in the stub beside its `__init__.py`.

    Args:
        package: the package's `__name__`.
        file: its `__file__`; the stub `__init__.pyi` in the same folder holds lines `from module import name as name`.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [line for line in stub.body if isinstance(line, ast.ImportFrom)]
    sources = {alias.name: line.module for line in imports for alias in line.names}

    def load(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if sources[name] == package:  # one of its own modules
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(str(sources[name])), name)

    return load, lambda: sorted({*vars(importlib.import_module(package)), *sources}), sorted(sources)
