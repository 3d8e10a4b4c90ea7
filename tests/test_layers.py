"""Packages import from those below them and from no other, as `docs/architecture.md` draws it: there is no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import melro_gym

ROOT = Path(melro_gym.__file__).parent
LAYERS = (
    {"values", "lazy", "files", "compilation", "devices"},
    {"settings", "seeds"},
    {"envs"},
    {"suites"},
    {"models"},
    {"checkpoint"},
    {"planning", "adaptation"},
    {"control"},
    {"wrappers", "realtime", "audit"},
    {"evaluation"},
    {"report"},
    {"training"},
    {"interop"},
    {"cli", "__main__"},
)
"""From the bottom to the top; those of one layer may use each other."""
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}


def imports(body: list[ast.stmt]) -> Iterator[str]:
    """Modules that are imported when the file is: not for type checkers alone, and not inside functions."""
    for line in body:
        if isinstance(line, ast.ImportFrom) and line.module == "melro_gym":
            yield from (f"melro_gym.{alias.name}" for alias in line.names)
        elif isinstance(line, ast.ImportFrom) and line.module:
            yield line.module
        elif isinstance(line, ast.Import):
            yield from (alias.name for alias in line.names)
        elif isinstance(line, ast.Try | ast.With | ast.ClassDef):
            yield from imports(line.body)


FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem != "__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_downwards(path):
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    assert own in HEIGHT, f"{own} has no layer"
    for module in imports(ast.parse(path.read_text(encoding="utf-8")).body):
        parts = module.split(".")
        if parts[0] == "melro_gym" and parts[1:] and parts[1] != "__version__":
            assert HEIGHT[parts[1]] <= HEIGHT[own], f"{own} is below {parts[1]}, which {path.name} imports"
