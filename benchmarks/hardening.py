"""What makes a hardened agent better: imagined faults, knowing them, or only more training?

Run `python -m benchmarks hardening` (`--help` for its settings). From one healthy agent, with the same networks and as
many further environment steps each: hardened (told of the faults it imagines; played with the estimate, and with the
truth in its place), the same faults without being told (domain randomisation), and no faults at all. Runs and finished
evaluations are kept, so the command can be stopped and run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.cells import Record, is_finished, run_cells
from melro_gym.checkpoint import load_agent
from melro_gym.evaluation import evaluate
from melro_gym.evaluation.statistics import bootstrap_mean
from melro_gym.models import Agent
from melro_gym.models.context import told
from melro_gym.suites import Case, load_suite, nominal_case
from melro_gym.training import harden_config, train

METHODS: dict[str, dict[str, Any] | None] = {
    "healthy agent": None,
    "as long, no faults": {"imagine": "", "keep_healthy": False},
    "faults, not told": {"told": False, "keep_healthy": False},
    "hardened": {},
}
"""Settings of training that differ from `melro-gym harden`; None: no further training."""


class Robot(NamedTuple):
    """A healthy agent, and on what the ones made of it are compared."""

    agent: str
    suite: str
    settings: Mapping[str, Any] = {}
    """Of all trainings."""


ROBOTS = {
    "walker": Robot("walker-walk", "melro-walker-joints"),
    "cheetah": Robot("cheetah-run", "melro-cheetah-joints", {"entropy_weight": 0.01}),
    "quadruped": Robot("quadruped-walk", "melro-quadruped-joints", {"total_env_steps": 120_000}),
}


class Cell(NamedTuple):
    """One agent, trained or to be trained."""

    robot: Robot
    method: str
    seed: int
    folder: Path
    episodes: int

    @property
    def agent(self) -> Agent:
        """The agent, trained first where it is not yet."""
        more = METHODS[self.method]
        if more is None:
            return load_agent(self.robot.agent)
        last = self.folder / "last.safetensors"
        if is_finished(last):
            return load_agent(last)
        config = harden_config(self.robot.agent, **self.robot.settings, **more, seed=self.seed)
        return train(config, self.folder, resume=True)


def run_cell(cell: Cell) -> Record:
    """Returns by how the agent is played, and there by case: `policy`, or with the `estimate` and with the `truth`."""
    agent, joints = cell.agent, load_suite(cell.robot.suite)
    cases = [nominal_case(joints[0]), *joints]
    if cell.method != "hardened":
        return {"policy": _returns(agent, "base-mean", cases, cell.episodes)}
    dead = np.eye(len(joints), dtype=np.float32)  # joints stand in the order of the actuators
    truths = [np.zeros_like(dead[0]), *dead]
    truth: dict[str, list[float]] = {}
    for case, context in zip(cases, truths, strict=True):
        truth |= _returns(
            agent.with_parts(policy=told(agent.policy, jnp.asarray(context))), "base-mean", [case], cell.episodes
        )
    return {"estimate": _returns(agent, "base-adapted", cases, cell.episodes), "truth": truth}


def _returns(agent: Agent, method: str, cases: Sequence[Case], episodes: int) -> dict[str, list[float]]:
    rows = evaluate(
        agent, [(case.env_id, dict(case.kwargs)) for case in cases], [method], episodes=episodes, references=False
    )
    return {case.label: [round(value, 1) for value in row.returns] for case, row in zip(cases, rows, strict=True)}


def print_table(records: Mapping[str, Record]) -> None:
    """Means of the healthy robot and of the joints, with the interval of the latter, and the joint with the least."""
    print("| trained, seed | played | healthy | mean of the joints | least |\n|---|---|---|---|---|")
    for name, record in records.items():
        for played, returns in record.items():
            if played == "seconds":
                continue
            healthy, *joints = (np.array(values) for values in returns.values())
            mean, low, high = bootstrap_mean(joints)
            least = min(zip([value.mean() for value in joints], list(returns)[1:], strict=True))
            print(
                f"| {name.replace(' | ', ', ')} | {played} | {healthy.mean():.0f} | {mean:.0f} [{low:.0f}, {high:.0f}] "
                f"| {least[0]:.0f}, {least[1]} |"
            )


@dataclass(frozen=True)
class Settings:
    """Compare what hardening is made of, at equal budgets."""

    robot: str = "walker"
    """`walker`, `cheetah` or `quadruped`."""
    only: tuple[str, ...] = tuple(METHODS)
    """Methods, of `METHODS`."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds; the healthy agent is one and the same."""
    episodes: int = 50
    """Per joint."""
    runs: Path = Path("runs/hardening")
    """Folders of the runs, ROBOT/METHOD-SEED."""
    out: Path = Path("docs/results")
    """Where `hardening-ROBOT.json` is written."""


def main(settings: Settings) -> None:
    """Run what is missing, then print the table."""
    for name, known in ((settings.robot, ROBOTS), *((name, METHODS) for name in settings.only)):
        if name not in known:
            raise SystemExit(f"Unknown {name!r}. Choices: {', '.join(known)}.")
    robot, cells = ROBOTS[settings.robot], {}
    for name in settings.only:
        for seed in settings.seeds if METHODS[name] is not None else settings.seeds[:1]:
            folder = settings.runs / settings.robot / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
            cells[f"{name} | {seed}"] = Cell(robot, name, seed, folder, settings.episodes)
    records = run_cells(
        settings.out / f"hardening-{settings.robot}.json",
        cells,
        run_cell,
        description={"agent": robot.agent, "settings": dict(robot.settings), "episodes": settings.episodes},
        on_cell=lambda name, record: print(f"{name}: {record['seconds'] / 60:.1f} min", flush=True),
    )
    print_table(records)


def run(arguments: list[str]) -> None:
    """`python -m benchmarks hardening`."""
    main(tyro.cli(Settings, prog="python -m benchmarks hardening", args=arguments))
