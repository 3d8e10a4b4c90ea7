"""Robust MPO's family at values never met (Mankowitz et al. 2020, Table 3; Figures 1 to 3, 8 and 11 to 15).

Run `python -m benchmarks robust` (`--help` for its settings). Every method trains on every seed in the nominal
simulator; the last evaluations of a run are repeated at the values held out, at the paper's larger test set, and
beyond. Finished runs are kept in a JSON file per task, and the folders of the others go on where they were stopped, so
the command can be killed and run again. At the end, and with `--report` at once, `benchmarks.robust_report` draws the
figure and writes the tables, with every claim of the paper and what the rows say of it, into the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import tyro

from benchmarks.cells import Record, run_cells
from benchmarks.robust_report import mean_at, write_report
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.files import write_text
from melro_gym.models import Agent
from melro_gym.models.rows import base_policy
from melro_gym.suites import load_suite
from melro_gym.training import Callback, TrainConfig, make_config, train

PRESET = {"batch": 128, "policy_width": 128}
"""Sizes of the preset `cpu`, with which SVG's runs, that draw one action where MPO's draw eight, take a minute too."""
METHODS: dict[str, dict[str, Any]] = {
    "MPO": {"algorithm": "mpo"},
    "E-MPO": {"algorithm": "e-mpo"},
    "R-MPO": {"algorithm": "r-mpo"},
    "RE-MPO": {"algorithm": "re-mpo"},
    "SR-MPO": {"algorithm": "sr-mpo"},
    "SRE-MPO": {"algorithm": "sre-mpo"},
    "E-SVG": {"algorithm": "e-svg", **PRESET},
    "RE-SVG": {"algorithm": "re-svg", **PRESET},
    "SRE-SVG": {"algorithm": "sre-svg", **PRESET},
    "Limited-DR": {"algorithm": "e-mpo", "member_use": "limited"},
    "Full-DR": {"algorithm": "e-mpo", "member_use": "full"},
    "E-MPO, 3 x": {"algorithm": "e-mpo"},
}
"""Settings by the paper's names. The last three are E-MPO: on randomised simulators, and on three times the samples."""
LONGER = {"E-MPO, 3 x": 3}
"""How many times as long a method trains."""
SMALL = {"batch": 64, "policy_width": 64}
"""Sizes that make a run on one CPU core a minute's work, where a method has none of its own."""
FEW_ACTIONS = {"samples": 8, "action_samples": 1}
"""Of MPO."""
EVALUATIONS, LATE = 5, 3
"""Evaluations of a run, and how many of the last are averaged: single ones swing by hundreds."""


class Task(NamedTuple):
    """A row of the paper's Table 3 by the name of its suite; the first member is the nominal value."""

    steps: int
    beyond: tuple[float, ...] = ()
    """Further values to test at, outside of the paper's."""
    settings: Mapping[str, Any] = {}
    """Of training."""
    thirds: tuple[float, ...] = ()
    """What the set's third member is modified to (Figure 14). The paper's 3.5 is out of the environment's range."""


TASKS = {
    "cartpole-balance": Task(30_000, (2.6, 3.0), thirds=(1.5, 2.5, 3.0)),
    "cartpole-swingup": Task(100_000),
    "pendulum-swingup": Task(150_000, settings={"random_share": 0.3, "random_hold": 20}, thirds=(1.2, 1.3, 2.0)),
    "walker-walk": Task(200_000),
    "hand": Task(20_000),
}


class Sets(NamedTuple):
    """Values of a task's perturbation."""

    members: tuple[float, ...]
    holdout: tuple[float, ...]
    larger: tuple[float, ...]
    """The paper's larger test set; empty where it has none."""
    beyond: tuple[float, ...]

    @property
    def tests(self) -> tuple[float, ...]:
        """All values that policies are tested at."""
        return tuple(sorted({self.members[0], *self.holdout, *self.larger, *self.beyond}))


def table_3(name: str) -> tuple[str, Sets]:
    """A task's environment and its values."""
    train_cases, holdout = (load_suite(f"robust-mpo-{name}-{part}") for part in ("train", "holdout"))
    env = train_cases[0].env_id
    values = lambda cases: tuple(case.kwargs["value"] for case in cases if case.env_id == env)
    larger = values(load_suite("robust-mpo-larger-holdout")) if name in ("cartpole-balance", "pendulum-swingup") else ()
    return env, Sets(values(train_cases), values(holdout), larger, TASKS[name].beyond)


def variations(name: str) -> dict[str, dict[str, Any]]:
    """Settings by name: RE-MPO with another third member (Figure 14), both methods in other simulators (Figure 15)."""
    _, sets = table_3(name)
    rows = {
        f"RE-MPO, third {third:g}": {"algorithm": "re-mpo", "members": [*sets.members[:2], third]}
        for third in TASKS[name].thirds
    }
    for nominal in sets.members[1:] if rows else ():
        for method in ("E-MPO", "RE-MPO"):
            rows[f"{method}, nominal {nominal:g}"] = {**METHODS[method], "env_kwargs": {"value": nominal}}
    return rows


class Tested(Callback):
    """Scores the agents of the last evaluations at all test values, in a file beside the curve."""

    def __init__(self, cell: Cell):
        self._path, self._cell = cell.folder / "tests.json", cell
        run = cell.config.run
        self._from = run.total_env_steps - (LATE - 0.5) * run.eval_every

    def on_evaluation(self, numbers: Mapping[str, Any], agent: Agent) -> None:
        """Add a record, in place of one that an interrupted run left."""
        if numbers["env_steps"] < self._from:
            return
        found = json.loads(self._path.read_text()) if self._path.exists() else {}
        found[str(numbers["env_steps"])] = tested(agent, self._cell)
        write_text(self._path, json.dumps(found))


def tested(agent: Agent, cell: Cell) -> list[float]:
    """Mean return of the policy's means at each test value; all episodes side by side, with the same seeds."""
    seeds = episode_seeds(0, cell.episodes)
    envs = (gym.make(cell.env, value=value) for value in cell.tests for _ in seeds)
    controller = lambda obs: np.asarray(base_policy(agent, obs)[0])
    returns = run_episodes(lambda: next(envs), controller, seeds * len(cell.tests))
    return [round(float(mean), 1) for mean in returns.reshape(len(cell.tests), -1).mean(axis=1)]


class Cell(NamedTuple):
    """One run."""

    config: TrainConfig
    env: str
    tests: tuple[float, ...]
    """Values."""
    folder: Path
    episodes: int


def run_cell(cell: Cell) -> Record:
    """Train, or go on training: the curve on the nominal task, and the late evaluations at each test value."""
    train(cell.config, cell.folder, resume=True, callbacks=[Tested(cell)])
    lines = [json.loads(line) for line in (cell.folder / "curve.jsonl").read_text().splitlines()]
    late = np.array(list(json.loads((cell.folder / "tests.json").read_text()).values()))
    names = [name for name in ("set/worst_share", "set/gap") if name in lines[-1]]
    return {
        "steps": [line["env_steps"] for line in lines],
        "nominal": [round(line["eval/mean"], 1) for line in lines],
        "tests": {f"{value:g}": column.tolist() for value, column in zip(cell.tests, late.T, strict=True)},
        "critic": [round(line["critic/value"], 1) for line in lines],
        "entropy": [round(line["policy/entropy"], 2) for line in lines],
        **{name: round(float(np.mean([line[name] for line in lines])), 3) for name in names},
        "minutes": round(lines[-1]["minutes"], 2),
    }


@dataclass(frozen=True)
class Settings:
    """Train by the names of the paper, and compare at the values held out."""

    tasks: tuple[str, ...] = ("cartpole-balance",)
    """Of `cartpole-balance`, `cartpole-swingup`, `pendulum-swingup`, `walker-walk`, `hand`."""
    only: tuple[str, ...] = tuple(METHODS)
    """Methods, also `RE-MPO, third 2.5` or `E-MPO, nominal 1.9` (`variations`), which do not run otherwise."""
    seeds: int = 3
    """Runs per method; all methods have their first run before any has its second."""
    steps: int | None = None
    """Environment steps per run; the task's number by default."""
    episodes: int = 1
    """Per evaluation and value."""
    report: bool = False
    """Run nothing: draw and write what the rows in the files say."""
    runs: Path = Path("runs/robust")
    """Folders of the runs."""
    out: Path = Path("docs/results")
    """Where `robust-TASK.json` and `.png` are written."""
    page: Path = Path("docs/robust.md")
    """Page whose section of results is written anew."""


def cells_of(name: str, settings: Settings) -> dict[str, Cell]:
    """The runs of a task, by method and seed."""
    env, sets = table_3(name)
    cells = {}
    for seed in range(settings.seeds):
        for method in settings.only:
            folder = settings.runs / name / f"{method.lower().replace(', ', '-').replace(' ', '')}-{seed}"
            config = config_of(name, method, seed, settings)
            cells[f"{method} | {seed}"] = Cell(config, env, sets.tests, folder, settings.episodes)
    return cells


def config_of(name: str, method: str, seed: int, settings: Settings) -> TrainConfig:
    """Settings of one run."""
    own, task, (env, sets) = (METHODS | variations(name))[method], TASKS[name], table_3(name)
    steps = (settings.steps or task.steps) * LONGER.get(method, 1)
    few = {} if own["algorithm"].endswith("svg") else FEW_ACTIONS
    needs_no_set = own["algorithm"] in ("mpo", "e-mpo", "e-svg") and "member_use" not in own
    where = {"env": env, "env_kwargs": {"value": sets.members[0]}, "members": [] if needs_no_set else [*sets.members]}
    return make_config(
        "cpu",
        **{**SMALL, **few, **task.settings, **where, **own},
        total_env_steps=steps,
        eval_every=steps // EVALUATIONS,
        eval_episodes=settings.episodes,
        seed=seed,
    )


def _check(names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise SystemExit(f"Unknown {name!r}. Choices: {'; '.join(known)}.")


def main(settings: Settings) -> None:
    """Run what is missing, then write the report."""
    _check(settings.tasks, TASKS)
    for name in settings.tasks:
        _check(settings.only, METHODS | variations(name))
    for name in () if settings.report else settings.tasks:
        env, sets = table_3(name)
        steps = settings.steps or TASKS[name].steps
        sizes = {**SMALL, **FEW_ACTIONS, **TASKS[name].settings}
        run_cells(
            settings.out / f"robust-{name}.json",
            cells_of(name, settings),
            run_cell,
            description={
                "env": env,
                **sets._asdict(),
                "steps": steps,
                "settings": sizes,
                "late": LATE,
                "episodes": settings.episodes,
            },
            on_cell=lambda cell, record, sets=sets: print(
                f"{cell}: nominal {mean_at(record, sets.members[:1]):.0f}, held out "
                f"{mean_at(record, sets.holdout):.0f} ({record['minutes']:.1f} min)",
                flush=True,
            ),
        )
    write_report(settings.out, tuple(TASKS), settings.page)


def run(arguments: list[str]) -> None:
    """`python -m benchmarks robust` with these arguments."""
    main(tyro.cli(Settings, prog="python -m benchmarks robust", args=arguments))
