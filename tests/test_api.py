"""Every public name has a place in the documentation, and says what it is."""

from __future__ import annotations

import ast
import inspect
import re
import types
from pathlib import Path

import pytest

import melro_gym
from melro_gym.cli.app import VERBS

DOCS = Path(__file__).parent.parent / "docs"
MODULES = [name for name in melro_gym.__all__ if isinstance(getattr(melro_gym, name), types.ModuleType)]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md")))
DIRECTIVES = re.findall(r"^\.\. auto(\w+):: (\S+)\n((?:   .*\n)*)", TEXT, flags=re.MULTILINE)


def exports(module: types.ModuleType) -> list[str]:
    """`__all__`, or what an `__init__.py` imports."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    tree = ast.parse(inspect.getsource(module))
    return [alias.name for line in tree.body if isinstance(line, ast.ImportFrom) for alias in line.names]


PUBLIC = [(f"melro_gym.{name}", export) for name in MODULES for export in exports(getattr(melro_gym, name))]


def documented(module: str, name: str) -> bool:
    """Whether a page shows `module.name`, as a member of its module or by itself."""
    for kind, target, options in DIRECTIVES:
        excluded = ", ".join(re.findall(r":exclude-members: (.*)", options)).split(", ")
        if kind == "module" and target == module and ":members:" in options and name not in excluded:
            return True
        if kind != "module" and target == f"{module}.{name}":
            return True
    return False


def data_shown(module: str, name: str) -> bool:
    """Whether a page shows a constant; Sphinx finds its text only in the module that makes it."""
    own = re.compile(rf"{re.escape(module)}(\.\w+)*\.{name}")
    return any(kind == "data" and own.fullmatch(target) for kind, target, _ in DIRECTIVES)


def constant_text(name: str) -> str:
    """The string under the assignment of a constant, in whichever module of the package makes it."""
    for path in sorted(Path(melro_gym.__file__).parent.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for line, following in zip(body, body[1:], strict=False):
            targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
            if any(isinstance(item, ast.Name) and item.id == name for item in targets):
                if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                    return str(following.value.value)
    return ""


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_a_public_name_is_documented(module, name):
    value = getattr(getattr(melro_gym, module.removeprefix("melro_gym.")), name)
    is_code = inspect.isclass(value) or inspect.isroutine(value)
    assert (documented if is_code else data_shown)(module, name), f"{module}.{name} is on no page of docs/"
    text = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__ if is_code else constant_text(name)
    assert text and not text.startswith(f"{name}("), f"{module}.{name} has no text of its own"


@pytest.mark.parametrize("name", melro_gym.__all__)
def test_the_first_page_of_the_interface_names_every_export(name):
    assert f"`{name}`" in (DOCS / "api" / "index.md").read_text(encoding="utf-8")


def test_the_page_of_the_command_line_has_every_verb():
    page = (DOCS / "api" / "command_line.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\.\. autoclass:: (\S+)$", page, flags=re.MULTILINE)
    assert shown == [f"{verb.__module__}.{verb.__name__}" for verb in VERBS]
