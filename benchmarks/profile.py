"""Where a plan's time goes, by kind of compiled operation.

Run `taskset -c 1 python -m benchmarks.profile`. On a CPU the names are XLA's: `ynn_fusion` and `dot` are matrix
products, fusions carry the names of what they do last. The median duration of an operation counts, times how often it
runs in a plan, so that other load on the machine changes little; what measuring adds to each is in it.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import tyro
from jax.profiler import ProfileData, ProfileOptions

from benchmarks.planning import SIZES, one_plan
from benchmarks.products import wait
from melro_gym.models import Agent, AgentConfig
from melro_gym.planning import PlanConfig

_CALLS = ("while", "call", "end: ", "Thunk", "Threadpool")
"""Operations that contain others, and marks that are none."""


class Kind(NamedTuple):
    """Operations of one kind in a plan."""

    name: str
    microseconds: float
    runs: float


@dataclass(frozen=True)
class Settings:
    """Where a plan's time goes."""

    plans: int = 40
    """How many are traced."""
    kinds: int = 20
    """How many kinds of operation are printed."""


def operations(call: Callable[[], object], count: int) -> list[Kind]:
    """Time of a call by kind of operation, the largest first."""
    options = ProfileOptions()
    options.python_tracer_level = 0
    durations: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            for _ in range(count):
                wait(call())
        for file in Path(folder).rglob("*.xplane.pb"):
            lines = [line for plane in ProfileData.from_file(str(file)).planes for line in plane.lines]
            for event in (event for line in lines if "XLA" in line.name for event in line.events):
                if not event.name.startswith(_CALLS):
                    durations[event.name].append(1e-3 * event.duration_ns)
    kinds: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for name, times in durations.items():
        kind, runs = re.sub(r"[.\d]+$", "", name), len(times) / count
        kinds[kind] = (kinds[kind][0] + float(np.median(times)) * runs, kinds[kind][1] + runs)
    return sorted((Kind(name, *sums) for name, sums in kinds.items()), key=lambda kind: -kind.microseconds)


def main(settings: Settings) -> None:
    """Print the kinds that take longest, and their shares."""
    agent, config = Agent(AgentConfig(24, 6), key=jr.key(0)), PlanConfig(**SIZES)
    single, obs, key = eqx.filter_jit(one_plan), np.zeros(24, np.float32), jr.key(0)
    call = lambda: single(agent, obs, key, config)
    wait(call())
    kinds = operations(call, settings.plans)
    total = sum(kind.microseconds for kind in kinds)
    for name, time, runs in kinds[: settings.kinds]:
        print(f"{name:<40} {time:8.1f} us {100 * time / total:5.1f} %  {runs:6.1f} times a plan")


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.profile"))
