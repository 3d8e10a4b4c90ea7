"""What milliseconds buy: mean return on perturbed walkers against the time of a plan, for many planner settings.

Run `python -m benchmarks.quality` (`--help` for its settings). The tasks are those of `benchmarks.options`, on which
neither the published tables nor the choice of the default settings rest. Finished cells are kept in the JSON file, so
the command can be stopped and run again. Times are CPU time of single plans, taken in turn, from observations that the
base policy meets on these robots. `--ladder cheaper` compares ways to the default's quality in less time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import gymnasium as gym
import jax.random as jr
import numpy as np
import tyro

from benchmarks.cells import Record, run_cells
from benchmarks.options import ENVS, Cell, Env, Variant, cell_name, fingerprint, play
from benchmarks.planning import one_plan, timed
from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.controllers import base_controller
from melro_gym.evaluation.figures import save_figure
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.rollouts import run_episodes
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
DEFAULT = "ars N=16 D=10"
CHEAPER = (
    BASE,
    Variant("ars D=0", {"optimise_steps": 0}),
    Variant(DEFAULT),
    Variant("ars patience=1", {"patience": 1}),
    Variant("ars patience=2 least_gain=0.03", {"patience": 2, "least_gain": 0.03}),
    Variant("ars N=16 D=5", {"optimise_steps": 5}),
    Variant("ars N=16 D=5 step_size=0.1", {"optimise_steps": 5, "step_size": 0.1}),
    Variant("ars N=8 D=10 step_size=0.03", {"directions": 8, "top_directions": 4, "step_size": 0.03}),
    Variant("cem N=16 D=5", {"optimiser": "cem", "optimise_steps": 5}),
    Variant("gradient D=5", {"optimiser": "gradient", "optimise_steps": 5}),
    Variant("gradient D=10", {"optimiser": "gradient"}),
    Variant(
        "gradient D=30 patience=1 least_gain=0.03",
        {"optimiser": "gradient", "optimise_steps": 30, "patience": 1, "least_gain": 0.03},
    ),
)
"""Today's setting beside a search that ends where it gains nothing, fewer directions, fewer and larger steps, and other
searches of half its time. D=0 is the policy on the robot as it is estimated to be, unlike the base policy."""
LADDERS = {"settings": LADDER, "cheaper": CHEAPER}
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
    ladder: Literal["settings", "cheaper"] = "settings"
    """Which rungs there are."""
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
        names = [variant.name for variant in LADDERS[self.ladder]]
        unknown = sorted(set(self.only) - set(names))
        if unknown:
            raise ValueError(f"Unknown rungs {unknown}. Choices: {', '.join(names)}.")


def visited(agent: Agent, envs: Sequence[Env], count: int, seed: int) -> np.ndarray:
    """Observations `(count, S)` from the base policy's episodes, one of each environment, in random order."""
    seen: list[np.ndarray] = []
    act = base_controller(agent, sample=False, seed=0)

    def watched(obs: np.ndarray) -> np.ndarray:
        seen.append(obs[0].astype(np.float32))
        return act(obs)

    for env_id, kwargs in envs:
        run_episodes(functools.partial(gym.make, env_id, **kwargs), watched, [seed])
    return np.stack(seen)[np.random.default_rng(seed).choice(len(seen), count)]


def milliseconds(agent: Agent, variants: Sequence[Variant], observations: np.ndarray) -> dict[str, list[float]]:
    """10th, 50th and 90th percentile of the CPU time of a plan with each variant's settings; 0 without a planner."""
    single, key = eqx.filter_jit(one_plan), jr.key(0)
    calls: dict[str, Callable[[int], object]] = {}
    for variant in variants:
        config = default_config(agent, **variant.settings)
        calls[variant.name] = lambda index, config=config: single(agent, observations[index], key, config)
    rounds = len(observations) - 2  # two more calls compile
    times = timed({name: call for name, call in calls.items() if name != BASE.name}, rounds)
    found = {name: np.percentile(item.cpu, [10, 50, 90]).round(3).tolist() for name, item in times.items()}
    return {variant.name: found.get(variant.name, [0.0, 0.0, 0.0]) for variant in variants}


def means(records: Mapping[str, Record], variants: Sequence[Variant], envs: Sequence[Env]) -> dict[str, Interval]:
    """Mean return over the tasks with a 95 % interval over episodes."""
    return {
        variant.name: bootstrap_mean([np.asarray(records[cell_name(variant.name, env)]["returns"]) for env in envs])
        for variant in variants
    }


def against(records: Mapping[str, Record], name: str, envs: Sequence[Env]) -> Interval:
    """What a rung returns more than the default, episode by episode: mean over the tasks with a 95 % interval."""

    def returns(name: str, env: Env) -> np.ndarray:
        return np.asarray(records[cell_name(name, env)]["returns"])

    return bootstrap_mean([returns(name, env) - returns(DEFAULT, env) for env in envs])


def table(records: Mapping[str, Record], times: Mapping[str, Sequence[float]], envs: Sequence[Env]) -> list[str]:
    """Markdown: time, share of the default's, return, and the difference to the default's, a row per rung."""
    lines = [
        "| setting | ms p50 | p90 | of the default | return | more than the default |",
        "|---|---|---|---|---|---|",
    ]
    for name, (_, middle, high) in times.items():
        mean = np.mean([np.mean(records[cell_name(name, env)]["returns"]) for env in envs])
        row = f"| {name} | {middle:.2f} | {high:.2f} | {middle / times[DEFAULT][1]:.2f} | {mean:.0f} |"
        more = against(records, name, envs)
        difference = "" if name == DEFAULT else f"{more.mean:+.0f} [{more.low:+.0f}, {more.high:+.0f}]"
        lines.append(f"{row} {difference} |")
    return lines


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
    rungs = LADDERS[settings.ladder]
    variants = [rung for rung in rungs if not settings.only or rung.name in (*settings.only, DEFAULT)]
    envs = ENVS[: settings.tasks]
    seeds = episode_seeds(settings.seed, settings.episodes)
    times_name = f"milliseconds of {', '.join(variant.name for variant in variants)}"
    cells: dict[str, Cell | None] = {cell_name(rung.name, env): Cell(rung, env) for env in envs for rung in variants}
    cells[times_name] = None

    def run_cell(cell: Cell | None) -> Record:
        if cell is None:
            observations = visited(agent, envs, settings.rounds + 2, settings.seed)
            return {"cpu_ms_p10_p50_p90": milliseconds(agent, variants, observations)}
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
    print("\n".join(table(records, times, envs)))
    draw(settings.out.with_suffix(".png"), found, times)


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.quality"))
