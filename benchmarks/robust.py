"""Robust MPO's family on its own hold-out sets (Mankowitz et al. 2020, Table 3): who keeps what at values never met.

Run `python -m benchmarks.robust` (`--help` for its settings). Every evaluation of a run, of the nominal task, is
repeated at the values held out, so that a table needs no lucky last policy. Finished runs are kept in the JSON file and
their folders, so the command can be stopped and run again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro

from benchmarks.cells import Record, run_cells
from melro_gym.evaluation.protocol import evaluate
from melro_gym.evaluation.statistics import bootstrap_mean
from melro_gym.files import write_text
from melro_gym.models import Agent
from melro_gym.training import Callback, TrainConfig, make_config, train

Env = tuple[str, dict[str, Any]]
METHODS: dict[str, dict[str, Any]] = {
    "MPO": {"algorithm": "mpo"},
    "E-MPO": {"algorithm": "e-mpo"},
    "R-MPO": {"algorithm": "r-mpo"},
    "RE-MPO": {"algorithm": "re-mpo"},
    "SR-MPO": {"algorithm": "sr-mpo"},
    "SRE-MPO": {"algorithm": "sre-mpo"},
    "E-SVG": {"algorithm": "e-svg"},
    "RE-SVG": {"algorithm": "re-svg"},
    "SRE-SVG": {"algorithm": "sre-svg"},
    "Limited-DR": {"algorithm": "e-mpo", "member_use": "limited"},
    "Full-DR": {"algorithm": "e-mpo", "member_use": "full"},
}
"""Settings by the paper's names; the last two are E-MPO on randomised simulators."""


class Task(NamedTuple):
    """A row of the paper's Table 3."""

    env: str
    members: tuple[float, ...]
    holdout: tuple[float, ...]
    steps: int


TASKS = {
    "cartpole-balance": Task("CartpoleBalance-PoleLength-v0", (0.5, 1.9, 2.1), (2.0, 2.2, 2.3), 40_000),
    "cartpole-swingup": Task("CartpoleSwingup-PoleLength-v0", (1.0, 1.4, 1.7), (1.2, 1.5, 1.8), 100_000),
    "walker-walk": Task("WalkerWalk-ThighLength-v0", (0.225, 0.2375, 0.25), (0.35, 0.375, 0.4), 200_000),
}
"""The first member is the nominal value."""


class HeldOut(Callback):
    """Scores each evaluated agent at the values held out, in a file beside the curve."""

    def __init__(self, folder: Path, envs: Sequence[Env], episodes: int):
        self._path, self._envs, self._episodes = folder / "holdout.json", envs, episodes

    def on_evaluation(self, numbers: Mapping[str, Any], agent: Agent) -> None:
        """Add a record, in place of one that an interrupted run left."""
        found = json.loads(self._path.read_text()) if self._path.exists() else {}
        rows = evaluate(agent, self._envs, ["base-mean"], episodes=self._episodes)
        found[str(numbers["env_steps"])] = [round(float(row.mean), 2) for row in rows]
        write_text(self._path, json.dumps(found))


class Cell(NamedTuple):
    """One run."""

    config: TrainConfig
    holdout: tuple[Env, ...]
    folder: Path
    episodes: int


def run_cell(cell: Cell) -> Record:
    """Train, or go on training; the curve on the nominal task, and at the values held out."""
    train(cell.config, cell.folder, resume=True, callbacks=[HeldOut(cell.folder, cell.holdout, cell.episodes)])
    lines = [json.loads(line) for line in (cell.folder / "curve.jsonl").read_text().splitlines()]
    held_out = json.loads((cell.folder / "holdout.json").read_text())
    names = [name for name in ("set/worst_share", "set/gap") if name in lines[-1]]
    return {
        "steps": [line["env_steps"] for line in lines],
        "nominal": [round(line["eval/mean"], 2) for line in lines],
        "holdout": [held_out[str(line["env_steps"])] for line in lines],
        "critic": [round(line["critic/value"], 2) for line in lines],
        "entropy": [round(line["policy/entropy"], 2) for line in lines],
        **{name: round(float(np.mean([line[name] for line in lines])), 3) for name in names},
        "minutes": round(lines[-1]["minutes"], 2),
    }


def late(record: Record, what: str) -> float:
    """Mean of the last four evaluations, since single ones swing."""
    return float(np.mean(record[what][-4:]))


def print_table(groups: Mapping[str, Sequence[Record]]) -> None:
    """Means of the last four evaluations over seeds, with bootstrap intervals."""
    print(f"{'':12}{'nominal':>20}{'held out':>20}{'lost':>8}{'held out, all evaluations':>28}")
    for name, group in groups.items():
        pair = [[np.array([late(record, what)]) for record in group] for what in ("nominal", "holdout")]
        nominal, holdout = (bootstrap_mean([np.concatenate(values)]) for values in pair)
        area = np.mean([np.mean(record["holdout"]) for record in group])
        print(
            f"{name:12}{_interval(nominal):>20}{_interval(holdout):>20}{nominal.mean - holdout.mean:8.0f}{area:28.0f}"
        )


def _interval(interval: Any) -> str:
    return f"{interval.mean:.0f} [{interval.low:.0f}, {interval.high:.0f}]"


@dataclass(frozen=True)
class Settings:
    """Train by the names of the paper, and compare at the values held out."""

    task: str = "cartpole-balance"
    """A row of Table 3: `cartpole-balance`, `cartpole-swingup` or `walker-walk`."""
    only: tuple[str, ...] = ("MPO", "E-MPO", "R-MPO", "RE-MPO")
    """Methods, of `METHODS`."""
    seeds: int = 3
    """Runs per method."""
    steps: int | None = None
    """Environment steps per run; the task's number by default."""
    episodes: int = 3
    """Per evaluation and value."""
    runs: Path = Path("runs/robust")
    """Folders of the runs."""
    out: Path = Path("docs/results")
    """Where `robust-TASK.json` is written."""


def main(settings: Settings) -> None:
    """Run what is missing, then print the table."""
    for name, known in ((settings.task, TASKS), *((name, METHODS) for name in settings.only)):
        if name not in known:
            raise SystemExit(f"Unknown {name!r}. Choices: {', '.join(known)}.")
    task = TASKS[settings.task]
    steps = settings.steps or task.steps
    common = {
        "env": task.env,
        "env_kwargs": {"value": task.members[0]},
        "total_env_steps": steps,
        "eval_every": steps // 8,
        "eval_episodes": settings.episodes,
    }
    holdout = tuple((task.env, {"value": value}) for value in task.holdout)
    cells = {}
    for seed in range(settings.seeds):
        for name in settings.only:
            own = METHODS[name]
            plain = own["algorithm"] in ("mpo", "e-mpo", "e-svg") and "member_use" not in own
            members = [] if plain else list(task.members)
            config = make_config("cpu", **common, **own, members=members, seed=seed)
            folder = settings.runs / settings.task / f"{name.lower()}-{seed}"
            cells[f"{name} | {seed}"] = Cell(config, holdout, folder, settings.episodes)
    records = run_cells(
        settings.out / f"robust-{settings.task}.json",
        cells,
        run_cell,
        description={"task": task._asdict() | {"steps": steps}, "preset": "cpu", "episodes": settings.episodes},
        on_cell=lambda name, record: print(
            f"{name}: {late(record, 'nominal'):.0f}, held out {late(record, 'holdout'):.0f} "
            f"({record['minutes']:.1f} min)",
            flush=True,
        ),
    )
    print_table({name: [records[f"{name} | {seed}"] for seed in range(settings.seeds)] for name in settings.only})


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.robust"))
