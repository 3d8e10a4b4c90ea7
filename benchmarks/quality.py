"""What milliseconds buy: mean return on perturbed walkers against the time of a plan, for many planner settings.

Run `python -m benchmarks.quality` (`--help` for its settings). The tasks are those of `benchmarks.options`, on which
neither the published tables nor the choice of the default settings rest. Finished cells are kept in the JSON file, so
the command can be stopped and run again. Times are CPU time of single plans, taken in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.random as jr
import numpy as np
import tyro

from benchmarks.cells import Record, run_cells
from benchmarks.options import ENVS, Cell, Env, Variant, cell_name, fingerprint, play
from benchmarks.planning import one_plan, timed
from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.figures import save_figure
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.seating import default_config
from melro_gym.evaluation.statistics import Interval, bootstrap_mean
from melro_gym.models import Agent

BASE = Variant("base policy", plans=False)
LADDER = (
    BASE,
    Variant("ars N=4 D=2", {"directions": 4, "top_directions": 2, "optimise_steps": 2}),
    Variant("ars N=8 D=5", {"directions": 8, "top_directions": 4, "optimise_steps": 5}),
    Variant("ars N=16 D=5", {"optimise_steps": 5}),
    Variant("ars N=16 D=10"),
    Variant("ars N=16 D=20", {"optimise_steps": 20}),
    Variant("ars N=32 D=10", {"directions": 32, "top_directions": 16}),
    Variant("ars L=2 m=2", {"planned_steps": 2}),
    Variant("ars L=4 m=0", {"policy_steps": 0}),
    Variant("ars L=6 m=4", {"planned_steps": 6, "policy_steps": 4}),
    Variant("gradient D=5", {"optimiser": "gradient", "optimise_steps": 5}),
    Variant("gradient D=10", {"optimiser": "gradient"}),
    Variant("gradient D=30", {"optimiser": "gradient", "optimise_steps": 30}),
    Variant("mppi N=16 D=5", {"optimiser": "mppi", "optimise_steps": 5}),
    Variant("mppi N=16 D=10", {"optimiser": "mppi"}),
    Variant("cem N=16 D=5", {"optimiser": "cem", "optimise_steps": 5}),
    Variant("cem N=16 D=10", {"optimiser": "cem"}),
)
"""L=4, m=2, N=16, K=8 and D=10 where the name does not say otherwise."""
COLOURS = {"base": "#7a8794", "ars": "#d1495b", "gradient": "#00798c", "mppi": "#edae49", "cem": "#66a182"}


@dataclass(frozen=True)
class Settings:
    """Return against milliseconds. With 20 episodes a default cell takes about a minute on one core."""

    agent: str = "walker-walk"
    """Name or file."""
    episodes: int = 20
    """Per cell, the same seeds in all."""
    seed: int = 30
    """Of the episodes."""
    tasks: int = 3
    """How many of the perturbed walkers; at most 4."""
    only: tuple[str, ...] = ()
    """Names of rungs to play; all by default."""
    rounds: int = 40
    """Timed plans per rung."""
    out: Path = Path("docs/results/quality")
    """Beginning of the names of the `.json` and the `.png` file."""

    def __post_init__(self) -> None:
        if self.episodes < 1 or self.rounds < 1 or not 1 <= self.tasks <= len(ENVS):
            raise ValueError(
                f"Need at least one episode and round, and 1 to {len(ENVS)} tasks; "
                f"got {self.episodes}, {self.rounds}, {self.tasks}."
            )
        unknown = sorted(set(self.only) - {variant.name for variant in LADDER})
        if unknown:
            raise ValueError(f"Unknown rungs {unknown}. Choices: {', '.join(variant.name for variant in LADDER)}.")


def milliseconds(agent: Agent, variants: Sequence[Variant], rounds: int) -> dict[str, list[float]]:
    """10th, 50th and 90th percentile of the CPU time of a plan with each variant's settings; 0 without a planner."""
    single, obs, key = eqx.filter_jit(one_plan), np.zeros(agent.obs_size, np.float32), jr.key(0)
    calls: dict[str, Callable[[int], object]] = {}
    for variant in variants:
        config = default_config(agent, **variant.settings)
        calls[variant.name] = lambda index, config=config: single(agent, obs, key, config)
    times = timed({name: call for name, call in calls.items() if name != BASE.name}, rounds)
    found = {name: np.percentile(item.cpu, [10, 50, 90]).round(3).tolist() for name, item in times.items()}
    return {variant.name: found.get(variant.name, [0.0, 0.0, 0.0]) for variant in variants}


def means(records: Mapping[str, Record], variants: Sequence[Variant], envs: Sequence[Env]) -> dict[str, Interval]:
    """Mean return over the tasks with a 95 % interval over episodes."""
    return {
        variant.name: bootstrap_mean([np.asarray(records[cell_name(variant.name, env)]["returns"]) for env in envs])
        for variant in variants
    }


def draw(path: Path, found: Mapping[str, Interval], times: Mapping[str, Sequence[float]]) -> None:
    """Mean return over CPU milliseconds, a point per rung; the base policy is a line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    for name, interval in found.items():
        if name == BASE.name:
            axes.axhspan(interval.low, interval.high, color=COLOURS["base"], alpha=0.15, linewidth=0)
            axes.axhline(interval.mean, color=COLOURS["base"], label=name)
            continue
        low, middle, high = times[name]
        spread = [[interval.mean - interval.low], [interval.high - interval.mean]]
        colour = COLOURS[name.split()[0]]
        width = [[middle - low], [high - middle]]
        axes.errorbar(middle, interval.mean, spread, width, fmt="o", color=colour, capsize=2, markersize=5)
        label = name.split(maxsplit=1)[1]
        axes.annotate(label, (middle, interval.mean), (4, 4), textcoords="offset points", fontsize=7, color=colour)
    for kind in dict.fromkeys(name.split()[0] for name in found if name != BASE.name):
        axes.plot([], [], "o", color=COLOURS[kind], label=kind)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlabel("CPU time of a plan (ms), 10th to 90th percentile")
    axes.set_ylabel("mean return over the tasks, 95 % interval")
    axes.legend(frameon=False, loc="lower right", fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def main(settings: Settings) -> None:
    """Play and time what is missing, then print the table and draw the figure."""
    agent = load_agent(settings.agent)
    variants = [variant for variant in LADDER if not settings.only or variant.name in settings.only]
    envs = ENVS[: settings.tasks]
    seeds = episode_seeds(settings.seed, settings.episodes)
    times_name = f"milliseconds of {', '.join(variant.name for variant in variants)}"
    cells: dict[str, Cell | None] = {times_name: None}
    cells |= {cell_name(variant.name, env): Cell(variant, env) for env in envs for variant in variants}

    def run_cell(cell: Cell | None) -> Record:
        if cell is None:
            return {"cpu_ms_p10_p50_p90": milliseconds(agent, variants, settings.rounds)}
        return {"returns": [round(value, 3) for value in play(agent, cell, seeds)]}

    def tell(name: str, record: Record) -> None:
        result = f": {np.mean(record['returns']):.1f}" if "returns" in record else ""
        print(f"{name}{result} ({record['seconds']:.0f} s)", flush=True)

    description: dict[str, Any] = {
        "agent": Path(settings.agent).name,
        "weights": fingerprint(agent),
        "episodes": settings.episodes,
        "seed": settings.seed,
    }
    records = run_cells(settings.out.with_suffix(".json"), cells, run_cell, description=description, on_cell=tell)
    found, times = means(records, variants, envs), records[times_name]["cpu_ms_p10_p50_p90"]
    for name, interval in found.items():
        print(f"{name:<16} {times[name][1]:8.2f} ms   {interval.mean:6.1f} [{interval.low:.1f}, {interval.high:.1f}]")
    draw(settings.out.with_suffix(".png"), found, times)


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.quality"))
