"""The generated pages of the environments agree with the tables, and their pictures are there."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from melro_gym.envs.tables import PERTURBATIONS, TASKS

DOCS = Path(__file__).parent.parent / "docs"
FAMILIES = list(dict.fromkeys(task.domain for task in TASKS))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that writes the pages."""
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("generate_environments")
    finally:
        sys.path.remove(str(DOCS))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_page_is_what_the_tables_say(generator: ModuleType, family: str):
    written = (DOCS / "environments" / f"{generator.slug(family)}.md").read_text()
    assert written == generator.page(family), "run `python docs/generate_environments.py`"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_perturbation_of_a_page_has_a_small_picture(generator: ModuleType, family: str):
    page = (DOCS / "environments" / f"{generator.slug(family)}.md").read_text()
    pictures = re.findall(r"!\[.*?\]\(\./(.*?)\)", page)
    assert len(pictures) >= sum(row.domain == family for row in PERTURBATIONS)
    for name in pictures:
        assert 2_000 < (DOCS / "environments" / name).stat().st_size < 60_000
