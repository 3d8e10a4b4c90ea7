"""Run the examples of other code bases, each with the environment it needs, and say which versions really ran.

One virtual environment holds the libraries that go together; RLlib, whose extra pins an older Gymnasium, gets its own.

Run: python examples/run_all.py [--only sb3 rllib ...] [--folder .venvs]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SHARED = ("-e", f"{ROOT}[sb3,sbx,torchrl,tianshou,minari]")
RLLIB = ("-e", str(ROOT), "torch", "ray[tune]", "dm-tree", "lz4", "ormsgpack", "scipy")
"""What `ray[rllib]` asks for, without its pin of Gymnasium."""


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
    "lerobot": Example("10_lerobot_envhub.py", (), ()),
    "minari": Example("11_minari.py", (), ("minari", "h5py")),
    "wrap": Example("12_wrap_a_policy.py", ("400", "1000", "1"), ("stable-baselines3", "torch")),
}
NEEDS = {"shared": SHARED, "rllib": RLLIB}


def environment(folder: Path, name: str) -> Path:
    """The Python of a virtual environment, which is made where it is missing."""
    python = folder / name / "bin" / "python"
    ready = folder / name / ".installed"
    if not ready.exists():
        print(f"Making {folder / name} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-c", str(ROOT / "constraints.txt"), *NEEDS[name]], check=True)
        ready.touch()
    return python


def versions(python: Path, packages: tuple[str, ...]) -> str:
    """Names and versions, as installed there."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    names = ("gymnasium", "mujoco", "jax", *packages)
    found = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True).stdout
    return ", ".join(map(" ".join, zip(names, found.split(), strict=True)))


def main(arguments: list[str]) -> int:
    """Run all; the result is the number of examples that failed."""
    parser = argparse.ArgumentParser(description="Run the examples of other code bases.")
    parser.add_argument("--only", nargs="+", choices=sorted(EXAMPLES), default=list(EXAMPLES))
    parser.add_argument("--folder", type=Path, default=ROOT / ".venvs", help="of the virtual environments")
    chosen = parser.parse_args(arguments)
    failed = 0
    for name in chosen.only:
        example = EXAMPLES[name]
        python = environment(chosen.folder.resolve(), example.environment)
        command = [str(python), str(ROOT / "examples" / example.file), *example.arguments]
        settings = {**os.environ, "PYTHONWARNINGS": "ignore", "MUJOCO_GL": "disable"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
        failed += done.returncode != 0
        print(
            f"\n{'ran' if done.returncode == 0 else 'FAILED'}: {example.file}  ({versions(python, example.packages)})"
        )
        print(done.stdout if done.returncode == 0 else done.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
