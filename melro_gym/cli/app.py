"""The verbs of `melro-gym` behind one entry point. A new verb is one file, and its name in `VERBS`."""

from __future__ import annotations

import ctypes.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, Union

import gymnasium as gym
import tyro

from melro_gym.cli.agents import Agents
from melro_gym.cli.audit import Audit
from melro_gym.cli.demo import Demo
from melro_gym.cli.envs import Envs
from melro_gym.cli.evaluate import Evaluate
from melro_gym.cli.fit import Fit
from melro_gym.cli.harden import Harden
from melro_gym.cli.record import Record
from melro_gym.cli.report import Report
from melro_gym.cli.running import Running
from melro_gym.cli.settings import Settings
from melro_gym.cli.train import Train
from melro_gym.cli.tune import Tune
from melro_gym.cli.wrap import Wrap
from melro_gym.compilation import SWITCH, use_compilation_cache
from melro_gym.devices import use_cpu_devices

VERBS = (Demo, Envs, Agents, Settings, Train, Harden, Wrap, Record, Fit, Evaluate, Report, Audit, Tune)
"""Dataclasses of arguments with a method `run`; the class's name in lower case is the verb, its docstring the help."""


class Verb(Protocol):
    """What `main` needs of a verb."""

    def run(self) -> None:
        """Do it; a user's mistake is a `ValueError` of one line."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of `melro-gym`.

    Args:
        argv: the words after `melro-gym`; None takes those of the process.

    Returns:
        The exit status: 0, 1 for a user's mistake (one line on standard error), 130 after Ctrl-C.
    """
    # Built at run time from the table, which no static type can say.
    verb: Verb = tyro.cli(Union[VERBS], args=argv, prog="melro-gym", description="MELRO for Gymnasium.")  # pyright: ignore  # noqa: UP007
    trains = isinstance(verb, Running)
    _choose_renderer()
    try:
        if trains:
            with suppress(RuntimeError):  # called from Python, where JAX has begun already
                use_cpu_devices()
        with _programs_kept():
            verb.run()
        sys.stdout.flush()
    except (ValueError, FloatingPointError, ImportError, OSError, gym.error.Error) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 0
        print(f"melro-gym: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("melro-gym: stopped.", file=sys.stderr)
        return 130
    return 0


@contextmanager
def _programs_kept() -> Iterator[None]:
    """Compiled programs are kept in the user's cache folder, which is said when the first ones are."""
    folder = use_compilation_cache()
    empty = folder is not None and folder.is_dir() and not any(folder.iterdir())
    yield
    if empty and folder is not None and any(folder.iterdir()):
        text = f"compiled programs are kept in {folder}, so that the next start is quick ({SWITCH}=off: never)"
        print(f"melro-gym: {text}.", file=sys.stderr)


def _nobody_reads() -> bool:
    """Whether the pipe behind the output is closed, as by `melro-gym envs | head`; then nothing more is written."""
    try:
        print(flush=True)  # writes a byte, without which nobody would be missed
    except BrokenPipeError:
        # what is still in the buffer would fail once more when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _choose_renderer() -> None:
    """Headless Linux: EGL where its library is there, otherwise no rendering. MuJoCo reads this when it is imported."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl" if ctypes.util.find_library("EGL") else "disable")
