"""Run the examples of other code bases, each with the environment it needs, and say which versions really ran.

One virtual environment holds the libraries that go together. RLlib, whose extra pins an older Gymnasium, gets its own,
and so does LeRobot, which needs Python 3.12 or 3.13 (found on PATH, or given by --python).

Run: python examples/run_all.py [--only sb3 rllib ...] [--folder .venvs] [--python python3.12]
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))


class Needs(NamedTuple):
    """What a virtual environment is made of."""

    packages: tuple[str, ...]
    """Arguments of pip, besides this package."""
    versions: tuple[str, ...] = ()
    """Of Python; empty for the one that runs this file."""


NEEDS = {
    "shared": Needs((*CONSTRAINTS, "-e", f"{ROOT}[sb3,sbx,torchrl,tianshou,minari]")),
    # what `ray[rllib]` asks for, without its pin of Gymnasium
    "rllib": Needs(
        (*CONSTRAINTS, "-e", str(ROOT), "torch", "ray[tune]", "dm-tree", "lz4", "ormsgpack", "scipy"),
    ),
    # it takes no NumPy as new as the constraints'
    "lerobot": Needs(("-e", f"{ROOT}[lerobot]"), ("3.12", "3.13")),
}


class Example(NamedTuple):
    """A file, the environment that it runs in, and the packages whose versions are told."""

    file: str
    arguments: tuple[str, ...]
    packages: tuple[str, ...]
    environment: str = "shared"


EXAMPLES = {
    "sb3": Example("04_stable_baselines3.py", ("400",), ("stable-baselines3", "torch")),
    "sbx": Example("05_sbx.py", ("400",), ("sbx-rl", "stable-baselines3", "flax")),
    "torchrl": Example("06_torchrl.py", (), ("torchrl", "tensordict", "torch")),
    "tianshou": Example("07_tianshou.py", (), ("tianshou", "torch")),
    "rllib": Example("08_rllib.py", ("1",), ("ray", "torch"), "rllib"),
    "cleanrl": Example("09_cleanrl_loop.py", (), ()),
    "lerobot": Example("10_lerobot_envhub.py", (), ("lerobot", "torch", "numpy"), "lerobot"),
    "minari": Example("11_minari.py", (), ("minari", "h5py")),
    "wrap": Example("12_wrap_a_policy.py", ("400", "1000", "1"), ("stable-baselines3", "torch")),
}


def interpreter(wanted: tuple[str, ...], given: str) -> str | None:
    """A Python of one of these versions: the one given, this one, or one on PATH; None where there is none."""
    if not wanted:
        return sys.executable
    for name in (given, sys.executable, *(f"python{version}" for version in wanted)):
        if (found := shutil.which(name)) is not None:
            code = "import platform; print(platform.python_version())"
            told = subprocess.run([found, "-c", code], capture_output=True, text=True, check=False).stdout
            if told.rpartition(".")[0] in wanted:
                return found
    return None


def environment(folder: Path, name: str, given: str) -> Path | None:
    """The Python of a virtual environment, which is made where it is missing; None where its Python is."""
    python, ready = folder / name / "bin" / "python", folder / name / ".installed"
    if not ready.exists():
        needs = NEEDS[name]
        found = interpreter(needs.versions, given)
        if found is None:
            return None
        print(f"Making {folder / name} ...", flush=True)
        subprocess.run([found, "-m", "venv", str(folder / name)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *needs.packages], check=True)
        ready.touch()
    return python


def versions(python: Path, packages: tuple[str, ...]) -> str:
    """Names and versions, as installed there."""
    code = (
        "import platform, sys; from importlib.metadata import version;"
        "print(platform.python_version(), *map(version, sys.argv[1:]))"
    )
    names = ("gymnasium", "mujoco", "jax", *packages)
    found = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True).stdout
    return ", ".join(map(" ".join, zip(("Python", *names), found.split(), strict=True)))


def run(example: Example, python: Path) -> bool:
    """Run one, and print how it went; whether it ran to its end."""
    command = [str(python), str(ROOT / "examples" / example.file), *example.arguments]
    settings = {**os.environ, "PYTHONWARNINGS": "ignore", "MUJOCO_GL": "disable"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
    ran = done.returncode == 0
    print(f"\n{'ran' if ran else 'FAILED'}: {example.file}  ({versions(python, example.packages)})")
    print(done.stdout if ran else done.stderr, flush=True)
    return ran


def main(arguments: list[str]) -> int:
    """Run all; the result is the number of examples that failed."""
    parser = argparse.ArgumentParser(description="Run the examples of other code bases.")
    parser.add_argument("--only", nargs="+", choices=sorted(EXAMPLES), default=list(EXAMPLES))
    parser.add_argument("--folder", type=Path, default=ROOT / ".venvs", help="of the virtual environments")
    parser.add_argument("--python", default=sys.executable, help="for what needs another version than this one")
    chosen = parser.parse_args(arguments)
    failed = 0
    for name in chosen.only:
        example = EXAMPLES[name]
        python = environment(chosen.folder.resolve(), example.environment, chosen.python)
        if python is None:
            wanted = " or ".join(NEEDS[example.environment].versions)
            print(
                f"\nskipped: {example.file} needs Python {wanted}, and this is {platform.python_version()} with none "
                "of them on PATH: give one by --python.",
                flush=True,
            )
        else:
            failed += not run(example, python)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
