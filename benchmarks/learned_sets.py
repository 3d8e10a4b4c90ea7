"""DDR-MPO: uncertainty sets learned from recorded data, over how much there is (Mankowitz et al. 2020, Figure 5).

Run `python -m benchmarks learned_sets` (`--help` for its settings). For each seed the E-MPO agent of
`python -m benchmarks robust` records data in each of the set's simulators, half of it in bursts of random actions; a
model of each simulator is learned from them, and R-MPO trains with these models in the simulators' place. Everything
else is as in the rows of R-MPO, beside which the table stands. Finished runs are kept in a JSON file, so the command
can be killed and run again; at the end, and with `--report` at once, the table goes into the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import tyro

from benchmarks import robust
from benchmarks.cells import Record, run_cells
from benchmarks.robust_report import by_method, mean_at, returns_table, with_section
from melro_gym.checkpoint import load_agent, save_agent
from melro_gym.files import write_text
from melro_gym.interop import fit_members, record_transitions
from melro_gym.seeds import derived
from melro_gym.training import TrainConfig, train

TASK = "cartpole-balance"
MODELS: dict[str, Any] = {"updates": 3_000, "model_width": 128}
"""Settings of the models."""
BESIDE = ("MPO", "R-MPO")
"""Rows of `python -m benchmarks robust` that the table repeats."""
SECTION = "learned sets"
"""Name of the page's section."""


@dataclass(frozen=True)
class Settings:
    """Train R-MPO with uncertainty sets learned from data sets of several sizes."""

    rows: tuple[int, ...] = (100, 1_000, 10_000)
    """Decisions recorded in each simulator."""
    seeds: int = 3
    """Runs per size."""
    steps: int | None = None
    """Environment steps per run; the task's number by default."""
    report: bool = False
    """Run nothing: write what the rows in the files say."""
    runs: Path = Path("runs/robust")
    """Folders of the runs, as of `python -m benchmarks robust`."""
    out: Path = Path("docs/results")
    """Where `learned-sets-cartpole-balance.json` is written, and the rows of the others are."""
    page: Path = Path("docs/robust.md")
    """Page whose section is written anew."""


class Cell(NamedTuple):
    """One run."""

    rows: int
    seed: int
    folder: Path
    """Of models and run."""
    settings: Settings


def cells_of(settings: Settings) -> dict[str, Cell]:
    """The runs, by `DDR-MPO, ROWS rows | SEED`."""
    folder = settings.runs / TASK
    return {
        f"DDR-MPO, {rows} rows | {seed}": Cell(rows, seed, folder / f"ddr-mpo-{rows}-{seed}", settings)
        for seed in range(settings.seeds)
        for rows in settings.rows
    }


def learned_set(cell: Cell) -> Path:
    """File of the models, made where it is missing from data that the seed's E-MPO agent records."""
    path = cell.folder / "set.safetensors"
    if not path.exists():
        env, sets = robust.table_3(TASK)
        source = cell.settings.runs / TASK / f"e-mpo-{cell.seed}"
        train(
            robust.config_of(TASK, "E-MPO", cell.seed, robust.Settings(steps=cell.settings.steps)), source, resume=True
        )
        agent = load_agent(source / "last.safetensors")
        data = [
            record_transitions(gym.make(env, value=value), cell.rows, agent, seed=seed)
            for value, seed in zip(sets.members, derived(cell.seed, len(sets.members), 5), strict=True)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        save_agent(path, fit_members(data, seed=cell.seed, **MODELS))
    return path


def config_of(cell: Cell, models: Path) -> TrainConfig:
    """Settings of the run: R-MPO's, with the models in place of the simulators."""
    like = robust.config_of(TASK, "R-MPO", cell.seed, robust.Settings(steps=cell.settings.steps))
    own = {"algorithm": "ddr-mpo", "members": [], "member_models": str(models)}
    return TrainConfig(**{**like.to_json(), **own})


def run_cell(cell: Cell) -> Record:
    """A run as those of `benchmarks.robust`, and how far its models are off on data held out, in the data's units."""
    path = learned_set(cell)
    env, sets = robust.table_3(TASK)
    record = robust.run_cell(robust.Cell(config_of(cell, path), env, sets.tests, cell.folder / "run", 1))
    errors = [np.mean(each["one_step_error"]) for each in load_agent(path).metadata["members"]]
    return record | {"one_step_error": [round(float(error), 4) for error in errors]}


def table(content: Mapping[str, Any], beside: Mapping[str, Any]) -> list[str]:
    """Markdown lines: rows of MPO and R-MPO, then one for each size."""
    cells = {
        **{name: row for name, row in beside["cells"].items() if name.split(" |")[0] in BESIDE},
        **content["cells"],
    }
    groups = by_method(cells)
    lines = returns_table(beside["description"], groups)
    sizes = [name for name in groups if name not in BESIDE]
    errors = {name: [np.mean(row["one_step_error"]) for row in groups[name]] for name in sizes}
    shown = "; ".join(f"{name}: {np.mean(errors[name]):.3f}" for name in sizes)
    return [
        *lines,
        "",
        f"One-step errors of the models on the last tenth of their data, in standard deviations: {shown}.",
    ]


def write_report(settings: Settings) -> None:
    """Print the table, and put it into the page."""
    content, beside = (
        json.loads((settings.out / f"{name}-{TASK}.json").read_text()) for name in ("learned-sets", "robust")
    )
    text = "\n".join([*table(content, beside), ""])
    print(text)
    if settings.page.exists():
        write_text(settings.page, with_section(settings.page.read_text(encoding="utf-8"), text, SECTION))


def main(settings: Settings) -> None:
    """Run what is missing, then write the report."""
    if not settings.report:
        env, sets = robust.table_3(TASK)
        description = {"env": env, "steps": settings.steps or robust.TASKS[TASK].steps, "models": MODELS}
        describe = lambda name, record: print(
            f"{name}: held out {mean_at(record, sets.holdout):.0f} ({record['minutes']:.1f} min)", flush=True
        )
        path = settings.out / f"learned-sets-{TASK}.json"
        run_cells(path, cells_of(settings), run_cell, description=description, on_cell=describe)
    write_report(settings)


def run(arguments: list[str]) -> None:
    """`python -m benchmarks learned_sets` with these arguments."""
    main(tyro.cli(Settings, prog="python -m benchmarks learned_sets", args=arguments))
