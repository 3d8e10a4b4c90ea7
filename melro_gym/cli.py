"""Command line: `melro-gym demo | envs | agents | train | evaluate | tune`. Commands import what they need."""

from __future__ import annotations

import ctypes.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import tyro

from melro_gym.commands.parsing import Pairs


@dataclass(frozen=True)
class Demo:
    """Play the shipped walker with a healthy and a disabled knee, with and without MELRO."""

    episodes: int = 8
    """Episodes per line of the table."""
    seed: int = 0
    """Seed of the episodes."""
    out: Path = Path("demo")
    """Folder for the figure and the video."""
    json: Path | None = None
    """File for the numbers."""
    video: bool = True
    """Record a side-by-side video where headless rendering works."""

    def run(self) -> None:
        from melro_gym.commands.demo import run

        run(self)


@dataclass(frozen=True)
class Envs:
    """List the environment ids with parameter, range, unit and source."""

    filter: str = ""
    """Words that must all occur, such as "walker friction", or a pattern for the id, such as "Quadruped*-Disabled*"."""
    json: Path | None = None
    """File for the list."""

    def run(self) -> None:
        from melro_gym.commands.listing import list_envs

        list_envs(self)


@dataclass(frozen=True)
class Agents:
    """List the shipped agents with their cards."""

    json: Path | None = None
    """File for the list."""

    def run(self) -> None:
        from melro_gym.commands.listing import list_agents

        list_agents(self)


@dataclass(frozen=True)
class Train:
    """Train world model, base policy and critic (Algorithm 1). Ctrl-C saves; --resume goes on."""

    out: Path
    """Folder of the run."""
    env: str = "WalkerWalk-v0"
    """Gymnasium id."""
    preset: str = "cpu"
    """Named settings; see melro_gym/training/presets.py."""
    seed: int = 0
    """Seeds networks, environment and sampling."""
    num_envs: int = 1
    """Environments that collect side by side."""
    resume: bool = False
    """Go on with the run in the folder."""
    amend: bool = False
    """With --resume: go on with other settings than the run had, such as another entropy_weight."""
    max_minutes: float | None = None
    """Save and stop after this much training time, over all interruptions."""
    device: str | None = None
    """Where to compute: cpu, gpu, gpu:1 ...; by default where JAX does."""
    tensorboard: bool = False
    """Write curves for TensorBoard to the folder."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environment, as JSON."""
    set: Pairs = ()
    """Other settings of TrainConfig, as name=value."""

    def run(self) -> None:
        from melro_gym.commands.train import run

        run(self)


@dataclass(frozen=True)
class Evaluate:
    """Returns of base policy and MELRO on any environments, all episodes of a cell side by side."""

    env: tuple[str, ...] = ("WalkerWalk-v0",)
    """Gymnasium ids; disabled-joints stands for the six ids of the walker's joints."""
    agent: str = "walker-walk"
    """Name of a shipped agent, or a file."""
    method: tuple[str, ...] = ("base-mean", "base-sample", "melro")
    """Among base-mean, base-sample, melro, melro-fixed (without the estimate of the actuators)."""
    episodes: int = 50
    """Episodes per cell."""
    seed: int = 0
    """Seed of the episodes."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environments, as JSON."""
    set: Pairs = ()
    """Planner settings, as name=value."""
    json: Path | None = None
    """File for the numbers."""
    figure: Path | None = None
    """File for a figure."""

    def run(self) -> None:
        from melro_gym.commands.evaluate import run

        run(self)


@dataclass(frozen=True)
class Tune:
    """Search planner settings on perturbations that the demonstration does not use."""

    out: Path
    """SQLite file of the study; an existing one is continued."""
    agent: str = "walker-walk"
    """Name of a shipped agent, or a file."""
    envs: str = "walker"
    """Name of the set of perturbations."""
    trials: int = 40
    """Settings to try."""
    episodes: int = 10
    """Episodes per environment and trial."""
    finalists: int = 4
    """Best settings to play again on fresh episodes."""
    final_episodes: int = 30
    """Fresh episodes per environment."""
    seed: int = 0
    """Seed of the episodes."""
    sampler_seed: int = 0
    """Seed of the search; give each process that works on the same file its own."""

    def run(self) -> None:
        from melro_gym.commands.tune import run

        run(self)


Command = Demo | Envs | Agents | Train | Evaluate | Tune


def _choose_renderer() -> None:
    """Headless Linux: EGL where its library is there, otherwise no rendering. MuJoCo reads this when it is imported."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl" if ctypes.util.find_library("EGL") else "disable")


def main(argv: list[str] | None = None) -> int:
    """Entry point of `melro-gym`; returns the exit status. A user's mistake is one line on standard error."""
    command: Command = tyro.cli(Command, args=argv, prog="melro-gym", description="MELRO for Gymnasium.")
    _choose_renderer()
    try:
        command.run()
    except (ValueError, FloatingPointError, ImportError, OSError, gym.error.Error) as error:
        print(f"melro-gym: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("melro-gym: stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
