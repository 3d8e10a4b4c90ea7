"""MEMR beside MBPO and SAC: return by environment steps, by updates of the policy and by model rollouts.

Run `python -m benchmarks memr` (`--help` for its settings), as in Figure 2 of Zhang et al. 2020. Finished runs are kept
in the JSON file and their folders, so the command can be stopped and run again.
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
from melro_gym.evaluation.figures import OTHER_COLOURS, save_figure
from melro_gym.training import TrainConfig, make_config, train

METHODS: dict[str, dict[str, Any]] = {
    "SAC": {"algorithm": "sac"},
    "MEMR": {"algorithm": "memr"},
    "MBPO": {"algorithm": "mbpo"},
    "MEMR, uniform": {"algorithm": "memr", "prioritisation": 0.0},
    "MEMR, no weights": {"algorithm": "memr", "importance": "none"},
    "MEMR, one buffer": {"algorithm": "memr", "segmented": False},
}
"""The three of Figure 2, and MEMR with one setting changed each."""
AXES = {"steps": "environment steps", "updates": "updates of the policy", "rollouts": "model rollouts"}
"""Rows of Figure 2."""


class Task(NamedTuple):
    """What is trained on, for how long, and which return counts as learned."""

    env: str
    steps: int
    learned: float


TASKS = {
    "cartpole-swingup": Task("CartpoleSwingup-v0", 10_000, 600.0),
    "cartpole-balance": Task("CartpoleBalance-v0", 4_000, 900.0),
    "pendulum-swingup": Task("PendulumSwingup-v0", 10_000, 600.0),
}


class Cell(NamedTuple):
    """One run."""

    config: TrainConfig
    folder: Path


def run_cell(cell: Cell) -> Record:
    """Train, or go on training; the curve by steps, updates and rollouts."""
    train(cell.config, cell.folder, resume=True)
    lines = [json.loads(line) for line in (cell.folder / "curve.jsonl").read_text().splitlines()]
    repeat = cell.config.run.env_kwargs["action_repeat"]
    each = cell.config.algorithm.updates_per_decision
    record = {
        "steps": [line["env_steps"] for line in lines],
        "updates": [line["env_steps"] // repeat * each for line in lines],
        "rollouts": [int(line.get("rollouts/generated", 0)) for line in lines],
        "returns": [round(line["eval/mean"], 1) for line in lines],
        "minutes": round(lines[-1]["minutes"], 2),
    }
    shown = [name for name in ("rollouts/signal", "rollouts/effective", "model/one_step_error") if name in lines[-1]]
    return record | {name: round(float(np.mean([line[name] for line in lines])), 3) for name in shown}


def until(record: Record, axis: str, learned: float) -> float:
    """How much of an axis passed before the first evaluation of at least this return; infinite where there is none."""
    reached = [at for at, value in zip(record[axis], record["returns"], strict=True) if value >= learned]
    return float(reached[0]) if reached else float("inf")


def print_table(groups: Mapping[str, Sequence[Record]], learned: float) -> None:
    """Last and mean return of each seed, and what each needed to learn."""
    print(f"{'':18}{'last return':>26}{'mean of curve':>22}" + "".join(f"{name:>26}" for name in AXES) + "   minutes")
    for name, group in groups.items():
        last = " ".join(f"{record['returns'][-1]:.0f}" for record in group)
        area = " ".join(f"{np.mean(record['returns']):.0f}" for record in group)
        needed = [" ".join(f"{until(record, axis, learned):.3g}" for record in group) for axis in AXES]
        minutes = np.mean([record["minutes"] for record in group])
        print(f"{name:18}{last:>26}{area:>22}" + "".join(f"{text:>26}" for text in needed) + f"{minutes:10.1f}")
    print(f"The last columns: until the first evaluation of at least {learned:.0f}; inf: not within the run.")


def draw_curves(path: Path, groups: Mapping[str, Sequence[Record]], title: str) -> None:
    """A panel per axis; thick: mean of the seeds, thin: each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 3.4), layout="constrained")
    panels = figure.subplots(1, len(AXES), sharey=True)
    for (name, group), colour in zip(groups.items(), OTHER_COLOURS, strict=False):
        curves = np.array([record["returns"] for record in group])
        for axes, (axis, label) in zip(panels, AXES.items(), strict=True):
            places = group[0][axis]
            if not any(places):  # no rollouts
                continue
            axes.plot(places, curves.T, color=colour, linewidth=0.6, alpha=0.6)
            axes.plot(places, curves.mean(axis=0), color=colour, linewidth=2.0, label=name)
            axes.set_xlabel(label, fontsize="small")
            axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("return")
    panels[0].legend(frameon=False, fontsize="small")
    figure.suptitle(title, fontsize="medium")
    save_figure(figure, path)


@dataclass(frozen=True)
class Settings:
    """Train MEMR, MBPO and SAC with equal networks, and compare what each needs."""

    task: str = "cartpole-swingup"
    """`cartpole-swingup`, `cartpole-balance` or `pendulum-swingup`."""
    only: tuple[str, ...] = ("SAC", "MEMR", "MBPO", "MEMR, uniform")
    """Methods, of `METHODS`."""
    seeds: int = 3
    """Runs per method."""
    steps: int | None = None
    """Environment steps per run; the task's number by default."""
    episodes: int = 3
    """Per evaluation."""
    runs: Path = Path("runs/memr")
    """Folders of the runs."""
    out: Path = Path("docs/results")
    """Where `memr-TASK.json` and `.png` are written."""


def main(settings: Settings) -> None:
    """Run what is missing, then print the table and draw the figure."""
    for name, known in ((settings.task, TASKS), *((name, METHODS) for name in settings.only)):
        if name not in known:
            raise SystemExit(f"Unknown {name!r}. Choices: {', '.join(known)}.")
    task = TASKS[settings.task]
    steps = settings.steps or task.steps
    common = {
        "env": task.env,
        "env_kwargs": {"action_repeat": 4},
        "total_env_steps": steps,
        "initial_decisions": 500,
        "eval_every": steps // 10,
        "eval_episodes": settings.episodes,
    }
    cells = {}
    for seed in range(settings.seeds):
        for name in settings.only:
            config = make_config("cpu", **common, **METHODS[name], seed=seed)
            folder = settings.runs / settings.task / f"{name.lower().replace(', ', '-').replace(' ', '-')}-{seed}"
            cells[f"{name} | {seed}"] = Cell(config, folder)
    records = run_cells(
        settings.out / f"memr-{settings.task}.json",
        cells,
        run_cell,
        description={"task": common, "preset": "cpu"},
        on_cell=lambda name, record: print(
            f"{name}: {record['returns'][-1]:.0f} ({record['minutes']:.1f} min)", flush=True
        ),
    )
    groups = {name: [records[f"{name} | {seed}"] for seed in range(settings.seeds)] for name in settings.only}
    print_table(groups, task.learned)
    draw_curves(settings.out / f"memr-{settings.task}.png", groups, f"{task.env}: return while training")


def run(arguments: list[str]) -> None:
    """`python -m benchmarks memr`."""
    main(tyro.cli(Settings, prog="python -m benchmarks memr", args=arguments))
