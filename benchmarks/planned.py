"""Planner on top of policies that were trained without a world model, at values never met.

Run `python -m benchmarks planned` (`--help` for its settings). The runs of E-MPO and RE-MPO are those of
`python -m benchmarks robust`, beside which SAC trains as long; what is missing is trained. Each run's best agent gets a
world model from the run's own replay buffer, as `melro-gym fit` gives it, and one with an uncertainty set also a model
of each of its simulators. All players of a run play the same episodes. Finished cells are kept in a JSON file, so the
command can be killed and run again; at the end, and with `--report` at once, the table goes into the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import tyro

from benchmarks import robust
from benchmarks.cells import Record, run_cells
from benchmarks.robust_report import by_method, markdown_row, with_section
from melro_gym.checkpoint import load_agent, save_agent
from melro_gym.evaluation.controllers import make_controller
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.evaluation.seating import default_config
from melro_gym.files import write_text
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.training import TrainConfig, fit_world_model, make_config, train

TASK = "cartpole-balance"
METHODS = ("E-MPO", "RE-MPO", "SAC")
PLAYERS = {
    "policy": "its policy",
    "careful": "careful planner",
    "planner": "free planner",
    "worst": "free planner, worst of the set",
}
"""Who plays, and how the table says it."""
FREE = {item.name: item.default for item in fields(PlanConfig) if item.name in ("kl_weight", "guard_margin")}
"""Defaults of the planner's settings that a fitted agent brings others of."""
PLANNING: dict[str, dict[str, Any]] = {"planner": FREE, "worst": {**FREE, "pessimism": "worst"}}
"""Settings by player, in place of what the agent brings."""
MODELS = {"model_width": 128, "reward_width": 128}
"""Sizes of the world models."""
SECTION = "planned"
"""Name of the page's section."""


class Cell(NamedTuple):
    """One player of one run."""

    config: TrainConfig
    folder: Path
    player: str
    settings: Settings


@dataclass(frozen=True)
class Settings:
    """Plan on top of robust and other policies, and compare with the policies themselves."""

    only: tuple[str, ...] = METHODS
    """Of `E-MPO`, `RE-MPO` and `SAC`."""
    players: tuple[str, ...] = tuple(PLAYERS)
    """Of `policy`, `careful` (plans with the settings that the agent brings), `planner` (with the package's defaults)
    and `worst` (with these, for the worst of the simulators of the run's set)."""
    seeds: int = 3
    """Runs per method."""
    steps: int | None = None
    """Environment steps per run; the task's number by default."""
    episodes: int = 10
    """Per value, of every player the same."""
    updates: int = 5_000
    """Of each world model."""
    report: bool = False
    """Run nothing: write what the rows in the file say."""
    runs: Path = Path("runs/robust")
    """Folders of the runs, as of `python -m benchmarks robust`."""
    out: Path = Path("docs/results")
    """Where `planned-cartpole-balance.json` is written."""
    page: Path = Path("docs/robust.md")
    """Page whose section is written anew."""


def values() -> tuple[float, ...]:
    """Where policies and planners play: the nominal value, those held out, and the farthest one."""
    _, sets = robust.table_3(TASK)
    return (sets.members[0], *sets.holdout, sets.beyond[-1])


def config_of(method: str, seed: int, settings: Settings) -> TrainConfig:
    """Settings of a run."""
    if method != "SAC":
        return robust.config_of(TASK, method, seed, robust.Settings(steps=settings.steps))
    like = robust.config_of(TASK, "E-MPO", seed, robust.Settings(steps=settings.steps)).run
    return make_config(
        "cpu",
        algorithm="sac",
        **robust.SMALL,
        env=like.env,
        env_kwargs=like.env_kwargs,
        total_env_steps=like.total_env_steps,
        eval_every=like.eval_every,
        eval_episodes=like.eval_episodes,
        seed=seed,
    )


def cells_of(settings: Settings) -> dict[str, Cell]:
    """All players, by `METHOD PLAYER | SEED`."""
    cells = {}
    for seed in range(settings.seeds):
        for method in settings.only:
            config = config_of(method, seed, settings)
            folder = settings.runs / TASK / f"{method.lower()}-{seed}"
            for player in settings.players:
                if player != "worst" or config.collection.members:
                    cells[f"{method} {player} | {seed}"] = Cell(config, folder, player, settings)
    return cells


def fitted(cell: Cell) -> Agent:
    """The run's best agent, with the world model that the player needs; trained and fitted where that is missing."""
    path = cell.folder / ("planning-worst.safetensors" if cell.player == "worst" else "planning.safetensors")
    if not path.exists():
        train(cell.config, cell.folder, resume=True)
        options: dict[str, Any] = {"updates": cell.settings.updates, "members": cell.player == "worst", **MODELS}
        save_agent(path, fit_world_model(cell.folder, **options))
    return load_agent(path)


def run_cell(cell: Cell) -> Record:
    """Returns of all episodes at each value, all side by side."""
    agent, seeds = fitted(cell), episode_seeds(0, cell.settings.episodes)
    run, places = cell.config.run, values()
    config = default_config(agent, **PLANNING.get(cell.player, {}))
    method = "base-mean" if cell.player == "policy" else "melro"
    controller = make_controller(method, agent, config, seeds * len(places))
    envs = (gym.make(run.env, **{**run.env_kwargs, "value": value}) for value in places for _ in seeds)
    returns = run_episodes(lambda: next(envs), controller, seeds * len(places)).reshape(len(places), -1)
    rows = {f"{value:g}": row.round(1).tolist() for value, row in zip(places, returns, strict=True)}
    record: Record = {"returns": rows}
    if method == "melro":
        record |= {"planner": {name: round(config.numbers()[name], 6) for name in FREE}}
    return record | {"one_step_error": round(float(np.mean(agent.metadata["one_step_error"])), 5)}


def table(content: Mapping[str, Any]) -> list[str]:
    """Markdown lines: a row per method, player and seed, and the planner's difference from the policy, paired."""
    places = [f"{value:g}" for value in content["description"]["values"]]
    groups = by_method(content["cells"])
    lines = [
        markdown_row(["", "seeds", *places, "held out", "planner minus policy, held out"]),
        markdown_row(["---"] * (len(places) + 4)),
    ]
    for name, group in groups.items():
        method, _, player = name.rpartition(" ")
        held_out = [mean_of(record, places[1:-1]) for record in group]
        bases = groups.get(f"{method} policy", [])
        differ = [own - mean_of(base, places[1:-1]) for own, base in zip(held_out, bases, strict=False)]
        columns = [f"{np.mean([mean_of(record, [place]) for record in group]):.0f}" for place in places]
        each = ", ".join(f"{value:.0f}" for value in held_out)
        paired = "" if player == "policy" else ", ".join(f"{value:+.1f}" for value in differ)
        lines.append(markdown_row([f"{method}, {PLAYERS[player]}", str(len(group)), *columns, each, paired]))
    return lines


def mean_of(record: Record, places: list[str]) -> float:
    """Mean return over values and episodes."""
    return float(np.mean([record["returns"][place] for place in places]))


def write_report(path: Path, page: Path) -> None:
    """Print the table, and put it into the page."""
    text = "\n".join([*table(json.loads(path.read_text())), ""])
    print(text)
    if page.exists():
        write_text(page, with_section(page.read_text(encoding="utf-8"), text, SECTION))


def main(settings: Settings) -> None:
    """Run what is missing, then write the report."""
    for names, choices in ((settings.only, METHODS), (settings.players, PLAYERS)):
        for name in names:
            if name not in choices:
                raise SystemExit(f"Unknown {name!r}. Choices: {', '.join(choices)}.")
    path = settings.out / f"planned-{TASK}.json"
    if not settings.report:
        run = config_of("E-MPO", 0, settings).run
        description = {"env": run.env, "values": values(), "steps": run.total_env_steps}
        description |= {"episodes": settings.episodes, "updates": settings.updates, "models": MODELS}
        describe = lambda name, record: print(f"{name}: {mean_of(record, list(record['returns'])):.1f}", flush=True)
        run_cells(path, cells_of(settings), run_cell, description=description, on_cell=describe)
    write_report(path, settings.page)


def run(arguments: list[str]) -> None:
    """`python -m benchmarks planned` with these arguments."""
    main(tyro.cli(Settings, prog="python -m benchmarks planned", args=arguments))
