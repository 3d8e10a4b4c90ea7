"""What each of the planner's options does on perturbed walkers: returns of the variants on the same episodes.

Run `python -m benchmarks.options` (`--help` for its settings). Every variant differs from its reference, named in the
table, in what its own name says. Finished cells are kept in the JSON file, so the command can be stopped and run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import tyro

from benchmarks.cells import Record, run_cells
from melro_gym.adaptation import one_step_error
from melro_gym.checkpoint import flatten_arrays, load_agent
from melro_gym.control.options import Options
from melro_gym.evaluation.controllers import base_controller, melro_controller
from melro_gym.evaluation.figures import save_figure
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.evaluation.seating import default_config
from melro_gym.evaluation.statistics import Interval, bootstrap_mean
from melro_gym.models import Agent
from melro_gym.planning.paper import paper_settings
from melro_gym.wrappers import AutoEntropyWeight, MELROController

Env = tuple[str, dict[str, Any]]

ENVS: tuple[Env, ...] = (
    ("WalkerWalk-ThighLength-v0", {"value": 0.35}),
    ("WalkerWalk-TorsoLength-v0", {"value": 0.45}),
    ("WalkerWalk-JointDamping-v0", {"value": 4.0}),
    ("WalkerWalk-ContactFriction-v0", {"value": 0.2}),
)
"""Perturbed walkers that neither the published tables use nor the choice of the default settings."""


@dataclass(frozen=True)
class Variant:
    """One way to act."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of `PlanConfig`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the controller."""
    reference: str = "default"
    """Variant that it is compared with; its own name for none."""
    auto_entropy: float = 0.0
    """Smallest weight of `AutoEntropyWeight`; 0 leaves it out."""
    plans: bool = True
    """Whether there is a planner at all; without one the base policy's means are executed."""


class Cell(NamedTuple):
    """One variant in one environment."""

    variant: Variant
    env: Env


_SAMPLED = {"rollouts": 1}
VARIANTS = (
    Variant("base policy", plans=False),
    Variant("default"),
    Variant("kl_weight=0", {"kl_weight": 0.0}),
    Variant("shift_plan", options={"shift_plan": True}),
    Variant("adapt=False", options={"adapt": False}),
    Variant("rollouts=1", _SAMPLED),
    Variant("entropy_weight=0.005", {**_SAMPLED, "entropy_weight": 0.005}, reference="rollouts=1"),
    Variant("AutoEntropyWeight", _SAMPLED, reference="rollouts=1", auto_entropy=0.005),
    Variant("the paper's planner", {**paper_settings(), "paper_discount": True}, {"adapt": False}),
)
"""Scored by means, the entropy weight hardly changes the executed mean: it is compared where one noise is sampled."""

PESSIMISM = tuple(Variant(f"pessimism={kind}", {"pessimism": kind}) for kind in ("mean", "worst", "cvar"))
"""For agents with an ensemble."""


def play(agent: Agent, cell: Cell, seeds: Sequence[int]) -> list[float]:
    """Return of one episode per seed."""
    (env_id, kwargs), variant = cell.env, cell.variant
    make_env = lambda: gym.make(env_id, **kwargs)
    if variant.auto_entropy > 0.0:
        return [_auto_entropy_episode(agent, make_env, variant, seed) for seed in seeds]
    if variant.plans:
        config = default_config(agent, **variant.settings)
        controller = melro_controller(agent, config, seeds, Options(**variant.options))
    else:
        controller = base_controller(agent, sample=False, seed=0)
    return run_episodes(make_env, controller, seeds).tolist()


def _auto_entropy_episode(
    agent: Agent, make_env: Callable[[], gym.Env[Any, Any]], variant: Variant, seed: int
) -> float:
    controller = MELROController(make_env(), agent, **variant.settings, **variant.options)
    nominal = float(np.sqrt(np.mean(np.square(one_step_error(agent)))))
    total, ended = 0.0, False
    with AutoEntropyWeight(controller, nominal, variant.auto_entropy) as env:
        env.reset(seed=seed)
        while not ended:
            _, reward, terminated, truncated, _ = env.step(None)
            total, ended = total + reward, terminated or truncated
    return total


def paired(records: Mapping[str, Record], variant: Variant, envs: Sequence[Env]) -> list[np.ndarray]:
    """Returns of a variant minus its reference's, episode by episode, one array per environment."""

    def returns(name: str, env: Env) -> np.ndarray:
        return np.asarray(records[cell_name(name, env)]["returns"])

    return [returns(variant.name, env) - returns(variant.reference, env) for env in envs]


def differences(records: Mapping[str, Record], variants: Sequence[Variant], envs: Sequence[Env]) -> dict[str, Interval]:
    """Each variant minus its reference: mean over environments with a 95 % interval over episodes."""
    compared = [variant for variant in variants if variant.reference != variant.name]
    return {variant.name: bootstrap_mean(paired(records, variant, envs)) for variant in compared}


def cell_name(variant: str, env: Env) -> str:
    """Name of a cell in the file."""
    env_id, kwargs = env
    return " ".join([env_id, *(f"{name}={value}" for name, value in kwargs.items()), f"| {variant}"])


def fingerprint(agent: Agent) -> str:
    """Short digest of an agent's weights."""
    digest = hashlib.sha256()
    for name, leaf in sorted(flatten_arrays(agent).items()):
        digest.update(name.encode() + np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()[:12]


def print_table(records: Mapping[str, Record], variants: Sequence[Variant], envs: Sequence[Env]) -> None:
    """Mean returns per environment, and the difference to each variant's reference over all of them."""
    gains = differences(records, variants, envs)
    print(" ".join([f"{'':22}", *(f"{_short(env):>24}" for env in envs), f"{'difference [95 %]':>28}"]))
    for variant in variants:
        means = [np.mean(records[cell_name(variant.name, env)]["returns"]) for env in envs]
        gain = gains.get(variant.name)
        text = f"{gain.mean:+.1f} [{gain.low:+.1f}, {gain.high:+.1f}]" if gain else ""
        against = f"  against {variant.reference}" if gain and variant.reference != "default" else ""
        print(" ".join([f"{variant.name:22}", *(f"{mean:24.1f}" for mean in means), f"{text:>28}{against}"]))


def draw_differences(
    path: Path, records: Mapping[str, Record], variants: Sequence[Variant], envs: Sequence[Env]
) -> None:
    """A line per variant: the difference to its reference with its interval, and a dot per environment."""
    from matplotlib.figure import Figure

    gains = differences(records, variants, envs)
    compared = [variant for variant in variants if variant.name in gains]
    figure = Figure(figsize=(7.0, 1.4 + 0.4 * len(compared)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0.0, color="#aab4bd", linewidth=1.0)
    for place, variant in enumerate(compared):
        gain = gains[variant.name]
        spread = [[gain.mean - gain.low], [gain.high - gain.mean]]
        axes.errorbar(gain.mean, place, xerr=spread, fmt="o", color="#d1495b", capsize=3, zorder=3)
        means = [values.mean() for values in paired(records, variant, envs)]
        axes.scatter(means, [place] * len(means), s=14, color="black", alpha=0.4, linewidths=0)
    axes.set_yticks(
        range(len(compared)), [f"{variant.name}\nagainst {variant.reference}" for variant in compared], fontsize="small"
    )
    axes.invert_yaxis()
    axes.set_xlabel("difference in return, mean of the tasks with 95 % interval (grey: each task)")
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def _short(env: Env) -> str:
    env_id, kwargs = env
    return " ".join([env_id.split("-", 1)[-1].removesuffix("-v0"), *map(str, kwargs.values())])


@dataclass(frozen=True)
class Settings:
    """Compare the planner's options on perturbed walkers. A cell of 50 episodes takes about 2.5 minutes on one core."""

    agent: str = "walker-walk"
    """Name or file; one with an ensemble is also played with every kind of pessimism."""
    episodes: int = 50
    """Per cell, the same seeds in all."""
    seed: int = 20
    """Of the episodes."""
    tasks: int = 3
    """How many of the perturbed walkers; at most 4."""
    only: tuple[str, ...] = ()
    """Names of variants to play; all by default. `default` and their references are added."""
    json: Path = Path("docs/results/options.json")
    """Where finished cells are kept."""
    figure: Path | None = Path("docs/results/options.png")
    """Figure of the differences."""

    def __post_init__(self) -> None:
        if self.episodes < 1 or not 1 <= self.tasks <= len(ENVS):
            raise ValueError(
                f"Need at least one episode and 1 to {len(ENVS)} tasks; got {self.episodes}, {self.tasks}."
            )


def chosen(names: Sequence[str], variants: Sequence[Variant]) -> list[Variant]:
    """The named variants, all where none is named, with those that they are compared with.

    Raises:
        ValueError: an unknown name.
    """
    known = {variant.name: variant for variant in variants}
    for name in names:
        if name not in known:
            raise ValueError(f"Unknown variant {name!r}. Choices: {', '.join(known)}.")
    wanted = set(names or known)
    wanted |= {known[name].reference for name in wanted}
    return [variant for variant in variants if variant.name in wanted | {"default"}]


def main(settings: Settings) -> None:
    """Play what is missing, then print the table and draw the figure."""
    agent = load_agent(settings.agent)
    variants = chosen(settings.only, (*VARIANTS, *(PESSIMISM if agent.world_model.count > 1 else ())))
    envs = ENVS[: settings.tasks]
    cells = {cell_name(variant.name, env): Cell(variant, env) for env in envs for variant in variants}
    seeds = episode_seeds(settings.seed, settings.episodes)
    records = run_cells(
        settings.json,
        cells,
        lambda cell: {"returns": [round(value, 3) for value in play(agent, cell, seeds)]},
        description={
            "agent": Path(settings.agent).name,
            "weights": fingerprint(agent),
            "episodes": settings.episodes,
            "seed": settings.seed,
        },
        on_cell=lambda name, record: print(f"{name}: {np.mean(record['returns']):.1f} ({record['seconds']:.0f} s)"),
    )
    print_table(records, variants, envs)
    if settings.figure is not None:
        draw_differences(settings.figure, records, variants, envs)


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.options"))
