"""What each ingredient of training does: runs with one setting changed, over several seeds.

Run `python -m benchmarks.ablation` (`--help` for its settings). Every run is scored on the nominal task while it trains
and on perturbed ones afterwards, always executing the better of means and samples. Finished runs are kept in the JSON
file and their folders, so the command can be stopped and run again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro

from benchmarks.cells import Record, run_cells
from melro_gym.evaluation.figures import save_figure
from melro_gym.evaluation.protocol import evaluate
from melro_gym.training import TrainConfig, make_config, train

Env = tuple[str, dict[str, Any]]

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "models take (mu, sigma)": {"model_input": "distribution"},
    "inference network": {"inference": "rnn"},
    "no gate": {"model_gate": False},
    "no entropy": {"entropy_weight": 0.0},
    "entropy weight / 5": {"entropy_weight": 0.01},
    "gradient-norm term": {"conservativity": 0.05},
    "paper's time index": {"paper_index": True},
    "no target critic": {"target_rate": 1.0},
    "lambda = 0": {"td_lambda": 0.0},
    "critic warm-up": {"critic_warmup": 1000},
    "no clipping": dict.fromkeys(("model_max_grad_norm", "policy_max_grad_norm", "critic_max_grad_norm"), 1e9),
    "averaged networks": {"average_rate": 0.05},
    "fast, falling steps": {"learning_rate": 1e-3, "final_learning_rate": 0.1},
    "slow, constant steps": {"learning_rate": 3e-4, "final_learning_rate": 1.0},
    "fitted emission": {"emission": "fitted"},
    "entropy weight rises": {"entropy_rise": 0.5},
    "reward of action, next state": {"reward_input": "next_state_action"},
    "three models": {"ensemble_size": 3},
    "worst of three models": {"ensemble_size": 3, "backup": "worst"},
    "mean of three models": {"ensemble_size": 3, "backup": "mean"},
    "diverse starts": {"start_prioritisation": 0.6},
    "entropy weight learned": {"entropy_weight": "auto", "entropy_rise": 0.0},
}
"""One setting changed each, from the settings of the task."""


class Task(NamedTuple):
    """Where the ablation is made."""

    settings: dict[str, Any]
    """Of training, besides the preset's."""
    perturbed: tuple[Env, ...]
    """Environments in which the trained agents are scored."""
    variants: tuple[str, ...]
    seeds: int


_SIMPLEST: dict[str, Any] = {"entropy_rise": 0.0, "reward_input": "state", "policy_width": 64}
"""Where the preset has what the variants add."""
_WALKER_JOINTS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_CHEETAH_JOINTS = ("back_hip", "back_knee", "back_ankle", "front_hip", "front_knee", "front_ankle")


def _disabled(robot: str, joints: Sequence[str]) -> tuple[Env, ...]:
    return tuple((f"{robot}-DisabledJoint-v0", {"joint": joint, "randomize": False}) for joint in joints)


def _pole_lengths(**more: Any) -> tuple[Env, ...]:
    return tuple(("CartpoleSwingup-PoleLength-v0", {"value": value, **more}) for value in (0.5, 1.5, 2.0))


_WEIGHT = ("default", "entropy weight learned")
TASKS: dict[str, Task] = {
    "cartpole-swingup": Task(
        {
            "env": "CartpoleSwingup-v0",
            "env_kwargs": {"action_repeat": 4},
            **_SIMPLEST,
            "total_env_steps": 20_000,
            "model_width": 64,
            "reward_width": 64,
            "critic_width": 64,
            "model_updates": 20,
            "behaviour_updates": 50,
            "learning_rate": 3e-4,
            "final_learning_rate": 1.0,
            "average_rate": 1.0,
            "eval_every": 4_000,
            "eval_episodes": 5,
        },
        _pole_lengths(action_repeat=4),
        tuple(name for name in VARIANTS if name != "slow, constant steps"),
        3,
    ),
    "walker-walk": Task(
        {
            "env": "WalkerWalk-v0",
            **_SIMPLEST,
            "total_env_steps": 25_000,
            "final_learning_rate": 1.0,  # the beginning of a long run
            "eval_every": 5_000,
        },
        _disabled("WalkerWalk", _WALKER_JOINTS),
        (
            "default",
            "models take (mu, sigma)",
            "inference network",
            "no entropy",
            "entropy weight / 5",
            "gradient-norm term",
            "slow, constant steps",
            "fitted emission",
            "entropy weight rises",
            "reward of action, next state",
        ),
        1,
    ),
    "walker-walk-whole": Task({"env": "WalkerWalk-v0"}, _disabled("WalkerWalk", _WALKER_JOINTS), _WEIGHT, 5),
    "cheetah-run-whole": Task({"env": "CheetahRun-v0"}, _disabled("CheetahRun", _CHEETAH_JOINTS), _WEIGHT, 3),
    "cartpole-swingup-whole": Task(
        {"env": "CartpoleSwingup-v0", "total_env_steps": 40_000, "eval_every": 4_000}, _pole_lengths(), _WEIGHT, 3
    ),
}
"""The `-whole` ones are whole runs of the preset."""


class Cell(NamedTuple):
    """One run."""

    config: TrainConfig
    perturbed: tuple[Env, ...]
    folder: Path
    episodes: int


def run_cell(cell: Cell) -> Record:
    """Train, or go on training, and score the last agent on the perturbed tasks."""
    agent = train(cell.config, cell.folder, resume=True)
    lines = [json.loads(line) for line in (cell.folder / "curve.jsonl").read_text().splitlines()]
    rows = evaluate(agent, cell.perturbed, ["base-mean", "base-sample"], episodes=cell.episodes)
    modes = np.array([row.mean for row in rows]).reshape(-1, 2)
    return {
        "steps": [line["env_steps"] for line in lines],
        "returns": [max(line["eval/mean"], line["eval/sample"]) for line in lines],
        "one_step_error": lines[-1]["model/one_step_error"],
        "minutes": round(lines[-1]["minutes"], 2),
        "perturbed": [round(float(value), 1) for value in modes.max(axis=1)],
    }


def by_variant(records: Mapping[str, Record], variants: Sequence[str], seeds: int) -> dict[str, list[Record]]:
    """Records of each variant's seeds."""
    return {name: [records[f"{name} | {seed}"] for seed in range(seeds)] for name in variants}


def print_table(groups: Mapping[str, Sequence[Record]]) -> None:
    """Mean over seeds, with the range between the worst and the best seed."""
    print(f"{'':30}{'last return':>24}{'mean of curve':>16}{'perturbed':>24}{'model error':>13}{'minutes':>9}")
    for name, group in groups.items():
        last = [record["returns"][-1] for record in group]
        perturbed = [float(np.mean(record["perturbed"])) for record in group]
        area = float(np.mean([np.mean(record["returns"]) for record in group]))
        error, minutes = (float(np.mean([record[key] for record in group])) for key in ("one_step_error", "minutes"))
        print(f"{name:30}{_spread(last):>24}{area:16.0f}{_spread(perturbed):>24}{error:13.3f}{minutes:9.1f}")


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.0f} [{min(values):.0f}, {max(values):.0f}]"


def draw_curves(path: Path, groups: Mapping[str, Sequence[Record]], title: str) -> None:
    """A panel per variant, its seeds over the default's."""
    from matplotlib.figure import Figure

    columns = min(4, len(groups))
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.0 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (name, group) in zip(panels.flat, groups.items(), strict=False):
        for records, colour in ((groups["default"], "#aab4bd"), (group, "#d1495b")):
            steps, curves = records[0]["steps"], np.array([record["returns"] for record in records])
            axes.plot(steps, curves.T, color=colour, linewidth=0.6, alpha=0.7)
            axes.plot(steps, curves.mean(axis=0), color=colour, linewidth=2.0)
        axes.set_title(name, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(panels.flat)[len(groups) :]:
        axes.set_visible(False)
    figure.suptitle(f"{title}: return while training; grey: default; thin: single seeds", fontsize="medium")
    figure.supxlabel("environment steps", fontsize="small")
    save_figure(figure, path)


@dataclass(frozen=True)
class Settings:
    """Train with one setting changed at a time, and compare."""

    task: str = "cartpole-swingup"
    """`cartpole-swingup` or `walker-walk`; with `-whole`, as `cheetah-run-whole`, all of a run by the preset."""
    only: tuple[str, ...] = ()
    """Variants to run besides `default`; the task's by default."""
    seeds: int | None = None
    """Runs per variant; the task's number by default."""
    steps: int | None = None
    """Environment steps per run; the task's number by default."""
    episodes: int = 10
    """Per perturbed task and action mode."""
    runs: Path = Path("runs/ablation")
    """Folders of the runs."""
    out: Path = Path("docs/results")
    """Where `ablation-TASK.json` and `.png` are written."""


def main(settings: Settings) -> None:
    """Run what is missing, then print the table and draw the figure."""
    if settings.task not in TASKS:
        raise SystemExit(f"Unknown task {settings.task!r}. Choices: {', '.join(TASKS)}.")
    task = TASKS[settings.task]
    unknown = [name for name in settings.only if name not in VARIANTS]
    if unknown:
        raise SystemExit(f"Unknown variants: {', '.join(unknown)}. Choices: {', '.join(VARIANTS)}.")
    variants = tuple(dict.fromkeys(("default", *(settings.only or task.variants))))
    seeds = settings.seeds or task.seeds
    common = {**task.settings, **({"total_env_steps": settings.steps} if settings.steps else {})}
    base = make_config("cpu", **common)
    cells = {}
    for seed in range(seeds):
        for name in variants:
            config = dataclasses.replace(base, seed=seed, **VARIANTS[name])
            folder = settings.runs / settings.task / f"{list(VARIANTS).index(name):02d}-{seed}"
            cells[f"{name} | {seed}"] = Cell(config, task.perturbed, folder, settings.episodes)
    records = run_cells(
        settings.out / f"ablation-{settings.task}.json",
        cells,
        run_cell,
        description={"settings": base.to_json(), "episodes": settings.episodes},
        complete=lambda found: found | {"settings": TrainConfig().to_json() | found["settings"]},
        on_cell=lambda name, record: print(f"{name}: {record['returns'][-1]:.0f} ({record['seconds']:.0f} s)"),
    )
    groups = by_variant(records, variants, seeds)
    print_table(groups)
    draw_curves(settings.out / f"ablation-{settings.task}.png", groups, settings.task)


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.ablation"))
