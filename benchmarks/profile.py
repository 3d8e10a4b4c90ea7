"""Where the time of a plan, or of a policy/critic update, goes, by kind of compiled operation.

Run `taskset -c 1 python -m benchmarks.profile`, or with `update`. On a CPU the names are XLA's: `ynn_fusion` and `dot`
are matrix products, fusions carry the names of what they do last. The median duration of an operation counts, times how
often it runs in a call, so that other load on the machine changes little; what measuring adds to each is in it.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import tyro
from jax.profiler import ProfileData, ProfileOptions

from benchmarks.planning import SIZES, one_plan
from benchmarks.products import wait
from melro_gym.models import Agent, AgentConfig
from melro_gym.planning import PlanConfig
from melro_gym.training import make_config
from melro_gym.training.agents import blank_agent, env_facts
from melro_gym.training.algorithms.melro import Melro
from melro_gym.training.algorithms.melro.updates import Shares, behaviour_round

_MOVES = "copy|transpose|bitcast|gather|scatter|slice|dynamic-slice|concatenate|pad|broadcast|wrapped|fusion"
_CLASSES = (
    ("matrix products", r".*(ynn|dot|matmul).*"),
    ("reductions", r".*reduce.*"),
    ("copies and moves", rf"({_MOVES})([_-]({_MOVES}))*"),
)
"""Of operations, by their names; the first that fits counts. What computes anything else is elementwise."""
_CALLS = ("while", "call", "end: ", "Thunk", "Threadpool")
"""Operations that contain others, and marks that are none."""


class Kind(NamedTuple):
    """Operations of one kind in a plan."""

    name: str
    microseconds: float
    runs: float


@dataclass(frozen=True)
class Settings:
    """Where the time goes."""

    what: tyro.conf.Positional[Literal["plan", "update"]] = "plan"
    """One plan, or a policy/critic update of training with the `cpu` preset on the walker."""
    calls: int = 40
    """How many plans, or updates, are traced."""
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


def classes(kinds: Sequence[Kind]) -> dict[str, float]:
    """Microseconds of products, reductions, moves and elementwise operations, the largest first."""
    sums: dict[str, float] = defaultdict(float)
    for kind in kinds:
        fitting = (name for name, pattern in _CLASSES if re.fullmatch(pattern, kind.name))
        sums[next(fitting, "elementwise")] += kind.microseconds
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def plan_call() -> Callable[[], object]:
    """A plan with networks of the shipped walker's sizes."""
    agent, config = Agent(AgentConfig(24, 6), key=jr.key(0)), PlanConfig(**SIZES)
    single, obs, key = eqx.filter_jit(one_plan), np.zeros(24, np.float32), jr.key(0)
    return lambda: single(agent, obs, key, config)


def update_call() -> Callable[[], object]:
    """One policy/critic update of the `cpu` preset on the walker, from random starts."""
    config = make_config("cpu")
    algorithm, facts = Melro(config), env_facts(config)
    starts = jr.normal(jr.key(0), (1, config.algorithm.imagined_batch, facts.obs_size))
    inputs = (algorithm.task, starts, jr.key(1), Shares(jnp.ones(()), jnp.ones(())))
    learner: Any = algorithm.init(blank_agent(config, facts))

    def call() -> object:
        nonlocal learner
        learner, metrics = behaviour_round(inputs, learner)  # which takes the old one's memory
        return metrics

    return call


def main(settings: Settings) -> None:
    """Print the kinds that take longest, their shares, and those of classes of kinds."""
    call = plan_call() if settings.what == "plan" else update_call()
    wait(call())
    kinds = operations(call, settings.calls)
    total = sum(kind.microseconds for kind in kinds)
    for name, time, runs in kinds[: settings.kinds]:
        print(f"{name:<40} {time:8.1f} us {100 * time / total:5.1f} %  {runs:6.1f} times each")
    print(f"\n| of {total / 1e3:.2f} ms each | share |\n|---|---|")
    for name, time in classes(kinds).items():
        print(f"| {name} | {100 * time / total:.0f} % |")


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.profile"))
