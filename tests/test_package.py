"""The package as a whole: what importing it loads, what it exports, and files that must agree with each other."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import melro_gym

ROOT = Path(__file__).parent.parent


def run_python(code: str) -> str:
    """What a fresh interpreter prints for `code`."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_registers_ids_and_loads_nothing_heavy():
    code = "import melro_gym, gymnasium, sys; print('WalkerWalk-v0' in gymnasium.registry, *sys.modules)"
    registered, *modules = run_python(code).split()
    assert registered == "True"
    heavy = {"jax", "jaxlib", "equinox", "optax", "dm_control", "mujoco", "shimmy", "matplotlib", "scipy"}
    assert not heavy.intersection(modules)


@pytest.mark.parametrize("name", melro_gym.__all__)
def test_every_exported_name_resolves(name: str):
    assert name in dir(melro_gym)
    assert getattr(melro_gym, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        melro_gym.no_such_name  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", ["envs", "wrappers"])
def test_top_level_links_lead_into_the_package(name: str):
    if not (ROOT / name).exists():
        pytest.skip("not a checkout")
    assert (ROOT / name).is_symlink()
    assert (ROOT / name).resolve() == (ROOT / "melro_gym" / name).resolve()


@pytest.mark.parametrize(
    ("file", "pattern"), [("CHANGELOG.md", r"^## \[([^]]+)\]"), ("CITATION.cff", r"^version: (\S+)$")]
)
def test_newest_version_in_the_project_files_is_the_packages(file: str, pattern: str):
    versions = re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == melro_gym.__version__


def test_locked_versions_lie_in_the_ranges_of_setup_cfg():
    from packaging.requirements import Requirement

    lock = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    locked = {row.name.lower(): str(row.specifier).removeprefix("==") for row in lock}
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    # `dev` and what it takes in; the extras of other code bases are not locked
    parts = [setup["options"]["install_requires"], *(extras[n] for n in ("dev", "docs", "tensorboard", "tune", "test"))]
    rows = [row for part in parts for row in part.splitlines()]
    wanted = [row for row in rows if row and not row.startswith(("#", "melro-gym["))]
    assert len(wanted) > 20
    for row in map(Requirement, wanted):
        assert row.specifier.contains(locked[row.name.lower()]), row


@pytest.mark.parametrize("file", ["setup.cfg", "pyproject.toml", "constraints.txt", "Makefile"])
def test_project_files_name_no_place_on_one_machine(file: str):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/])/(home|root|tmp|work|Users|opt)\b|file://|index-url[ =]+http", text)
