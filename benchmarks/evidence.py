"""The study behind the results page: every agent, its base policy and planners, on the papers' perturbed robots.

Run `python -m benchmarks evidence` (`--help` for its settings). One planner setting for everything. The tasks are those
of `melro_gym.evaluation.study`, the most telling ones first: the command can be killed and run again, and shows what is
left. `--train` makes the training runs that do not come with the package, in folders `NAME-SEED` of `--runs`; those
that are not there are left out of the evaluation, by name. At the end the records go to one small file per part.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import tyro

from benchmarks import evidence_page, evidence_tuned
from benchmarks.cells import is_finished
from melro_gym.checkpoint import load_agent, shipped_agents
from melro_gym.envs.tables import domain_number
from melro_gym.evaluation.players import Player, read_players
from melro_gym.evaluation.results import pack_results
from melro_gym.evaluation.study import PROTOCOLS, Done, Study, make_study, run_study
from melro_gym.evaluation.tasks import Task
from melro_gym.files import write_bytes
from melro_gym.suites import Case, load_suite, nominal_case
from melro_gym.training import TrainConfig, harden_config, make_config, train

BASE, TOLD, PLAN, PAPER = "base-mean", "base-adapted", "melro", "melro-paper"


class Trained(NamedTuple):
    """Training runs of one recipe that differ in their seed."""

    start: str
    """The agent that is hardened, or `cpu` for a training from scratch with that preset."""
    seeds: tuple[int, ...]
    """Without those that come with the package."""
    minutes: int
    """Of one run, on one core."""
    settings: dict[str, Any] = {}

    def config(self, seed: int) -> TrainConfig:
        """All settings of a run."""
        make = make_config if self.start == "cpu" else harden_config
        return make(self.start, seed=seed, **self.settings)


_SMALL = {"reward_input": "state", "policy_width": 64, "entropy_rise": 0.0}
_OFTEN = {"eval_every": 5000, "eval_episodes": 5}
_CHEETAH = {**_SMALL, "env": "CheetahRun-v0", "learning_rate": 3e-4, "final_learning_rate": 1.0}
_RANDOMISED = {**_SMALL, "env": "WalkerWalk-DisabledJoint-v0", "num_envs": 4, "total_env_steps": 80_000}
_PLAIN = {**_SMALL, "env": "WalkerWalk-v0", "total_env_steps": 80_000, "exploration_noise": 0.1, "entropy_weight": 0}

RUNS: dict[str, Trained] = {
    "walker-walk-hardened": Trained("walker-walk", (1, 2), 25, {"eval_every": 20_000, "keep_healthy": False}),
    "cheetah-run-hardened": Trained("cheetah-run", (1, 2), 25, {"eval_every": 20_000, "entropy_weight": 0.01}),
    "quadruped-walk-hardened": Trained(
        "quadruped-walk", (1, 2), 7, {"total_env_steps": 120_000, "keep_healthy": False}
    ),
    "walker-walk-healthy-kept": Trained("walker-walk", (0, 1, 2), 22, {"eval_every": 20_000}),
    "walker-walk": Trained("cpu", (1, 2), 31, {**_SMALL, "env": "WalkerWalk-v0", **_OFTEN}),
    "walker-walk-no-entropy": Trained("cpu", (1, 2), 24, _PLAIN),
    "walker-walk-randomised": Trained("cpu", (1, 2), 27, _RANDOMISED),
    "cheetah-run": Trained("cpu", (1, 2), 69, {**_CHEETAH, "total_env_steps": 100_000}),
}
"""By the name that a recipe's agents share."""


class Part(NamedTuple):
    """Cases, and who plays them by which methods."""

    cases: tuple[Case, ...]
    players: tuple[tuple[str, tuple[str, ...]], ...]
    """Agents with their methods."""
    seconds: tuple[float, float]
    """Of ten episodes on one core: the base policy, and with a planner."""


def _joints(robot: str) -> tuple[Case, ...]:
    """The healthy robot, then every disabled joint."""
    joints = load_suite(f"melro-{robot}-joints")
    return (replace(nominal_case(joints[0]), label="healthy"), *joints)


_TELLING = {
    "thigh_length": (0.15, 0.3, 0.4),
    "torso_length": (0.2, 0.4, 0.5),
    "joint_damping": (2.5, 5.0, 10.0),
    "contact_friction": (0.1, 0.3, 1.5),
}
"""Of each of the walker's grids three values where some policy walks and some does not; they are played first."""


def _numbers(telling: bool) -> tuple[Case, ...]:
    """Values of the walker's four numbers other than the nominal ones."""
    cases = []
    for name, first in _TELLING.items():
        row = domain_number("walker", name)
        values = [value for value in row.grid if value != row.nominal and (value in first) == telling]
        cases += [Case(f"WalkerWalk-{row.suffix}-v0", {"value": value}, f"{name}={value:g}") for value in values]
    return tuple(cases)


def _arm(*changes: str) -> tuple[Case, ...]:
    """With the weight of the arm's rotation that the agent was trained with."""
    cases = [case for case in load_suite("melro-franka") if any(change in case.env_id for change in changes)]
    return tuple(replace(case, kwargs={**case.kwargs, "rotation_weight": 0.05}) for case in cases)


_HARDENED = ("walker-walk-hardened", (TOLD, PLAN))
_WALKERS = (
    ("walker-walk", (BASE, PLAN, PAPER)),
    _HARDENED,
    ("walker-walk-no-entropy", (BASE, PAPER)),
    ("walker-walk-randomised", (BASE,)),
    ("walker-walk-healthy-kept", (TOLD,)),
)
_MORE_WALKERS = (("walker-walk-healthy-kept", (PLAN,)), ("walker-walk-randomised", (PLAN,)))
_ARM = (("franka-reach", (BASE, PLAN)),)

PARTS: dict[str, Part] = {
    "walker-joints": Part(_joints("walker"), _WALKERS, (2, 25)),
    "cheetah-joints": Part(
        _joints("cheetah"), (("cheetah-run", (BASE, PLAN)), ("cheetah-run-hardened", (TOLD, PLAN))), (2, 25)
    ),
    "maze": Part(tuple(load_suite("melro-maze")), (("point-maze", (BASE, PLAN, PAPER)),), (1, 10)),
    "arm": Part(_arm("Reach-v0", "SimToRealGap"), _ARM, (2, 15)),
    "walker-numbers": Part(_numbers(telling=True), (("walker-walk", (BASE, PLAN)), _HARDENED), (2, 25)),
    "quadruped-joints": Part(
        _joints("quadruped"),
        (("quadruped-walk", (BASE, PLAN)), ("quadruped-walk-hardened", (TOLD, PLAN))),
        (4, 35),
    ),
    "cheetah-joints-paper": Part(_joints("cheetah"), (("cheetah-run", (PAPER,)),), (2, 25)),
    "walker-joints-more": Part(_joints("walker"), _MORE_WALKERS, (2, 25)),
    "arm-numbers": Part(_arm("Payload", "Joint", "Gains", "Delay", "Noise", "Bias"), _ARM, (2, 15)),
    "walker-numbers-more": Part(_numbers(telling=False), (("walker-walk", (BASE, PLAN)), _HARDENED), (2, 25)),
    "walker-numbers-others": Part(
        (*_numbers(telling=True), *_numbers(telling=False)),
        (("walker-walk", (PAPER,)), ("walker-walk-no-entropy", (BASE, PAPER)), ("walker-walk-randomised", (BASE,))),
        (2, 25),
    ),
}
"""The most telling ones first."""


@dataclass(frozen=True)
class Settings:
    """Play the study behind the results page, or what is missing of it."""

    runs: Path = Path("runs/seeds")
    """Folder of the training runs, each NAME-SEED with its last.safetensors; those that are not there are left out."""
    records: Path = Path("runs/evidence")
    """Where the records of finished tasks are kept, a folder per part."""
    out: Path = Path("docs/results/evidence")
    """Where the packed records go, a file per part. Those that are there count as played."""
    page: Path = evidence_page.PAGE
    """Page whose section of results is written anew."""
    only: tuple[str, ...] = field(default_factory=lambda: tuple(PARTS))
    """Parts to play."""
    quick: bool = False
    """Two episodes with agents of the package alone."""
    seeds: int = 1
    """Of the evaluation, from 0."""
    episodes: int = 10
    """Of each seed."""
    planners: bool = True
    """Whether planners play too; base policies alone take a few seconds for each environment."""
    jobs: int = 1
    """Tasks at once, each in a process of its own."""
    count: bool = False
    """Say how many tasks there are and what they cost, and play nothing."""
    pack: bool = False
    """Play nothing: pack what has been played."""
    tune: bool = False
    """Search settings for each of the walker's joints, and play the best ones (`benchmarks.evidence_tuned`)."""
    train: bool = False
    """Make the training runs, one after the other; runs that were stopped go on."""


def run_folder(settings: Settings, name: str, seed: int) -> Path:
    """Of a training run."""
    return settings.runs / f"{name}-{seed}"


def agent_words(settings: Settings, name: str) -> tuple[list[str], list[str]]:
    """The agents of a name, as words of `read_players`, and the folders of those that are not there."""
    folders = [] if settings.quick or name not in RUNS else [run_folder(settings, name, s) for s in RUNS[name].seeds]
    there = {folder: is_finished(folder / "last.safetensors") for folder in folders}
    words = [f"{name}={folder / 'last.safetensors'}" for folder, found in there.items() if found]
    own = [name] if name in shipped_agents() or name not in RUNS else []
    return own + words, [str(folder) for folder, found in there.items() if not found]


def part_study(settings: Settings, name: str) -> tuple[Study | None, list[str]]:
    """The study of a part, if any of its agents are there, and the folders of those that are not."""
    part, players, missing = PARTS[name], [], []
    for agent, methods in part.players:
        words, lacking = agent_words(settings, agent)
        players += read_players(words, methods, load=load_agent)
        missing += lacking
    players = sorted(players, key=plans) if settings.planners else [one for one in players if not plans(one)]
    if not players:
        return None, missing
    seeds, episodes = (1, PROTOCOLS["quick"][1]) if settings.quick else (settings.seeds, settings.episodes)
    cases = [(name, case) for case in part.cases]
    return make_study(players, cases, seeds=range(seeds), episodes=episodes, load=load_agent), missing


def plans(player: Player) -> bool:
    """Whether a player plans."""
    return player.method in ("melro", "melro-fixed")


def expected_seconds(task: Task, seconds: tuple[float, float]) -> float:
    """Of a task, on one core."""
    return seconds[plans(task.player)] * (0.2 + 0.08 * task.episodes)


class Clock:
    """Progress over all parts, with the time left at the pace so far."""

    def __init__(self, expected: dict[str, float]):
        self._expected, self._left = expected, sum(expected.values())
        self._played, self._started = 0.0, time.monotonic()

    def show(self, done: Done) -> None:
        """A line for a finished task."""
        cost = self._expected[done.task.hash]
        self._left, self._played = self._left - cost, self._played + cost
        left = self._left * (time.monotonic() - self._started) / self._played / 60.0
        who = f"{done.task.player.name} (training seed {done.task.player.training.get('training_seed')})"
        where = f"{done.task.suite}, {done.task.case.label or done.task.case.env_id}"
        print(f"{where}, {who}: {done.mean:.4g} ({done.seconds:.0f} s; {left:.0f} min left)", flush=True)


def train_all(settings: Settings) -> None:
    """Make the training runs that are not there; each goes on where it was stopped."""
    for name, trained in RUNS.items():
        for seed in trained.seeds:
            folder = run_folder(settings, name, seed)
            print(f"{folder}: about {trained.minutes} minutes on one core", flush=True)
            train(trained.config(seed), folder, resume=folder.exists())


def play(settings: Settings) -> None:
    """Play what is missing, the first parts first."""
    studies: dict[str, Study] = {}
    folder = settings.records / "quick" if settings.quick else settings.records
    missing: list[str] = []
    for name in settings.only:
        if not settings.quick:
            unpack(settings, name)
        study, lacking = part_study(settings, name)
        missing += lacking
        studies |= {name: study} if study else {}
    for absent in dict.fromkeys(missing):
        print(f"Without {absent}, which --train makes", flush=True)
    expected = {
        task.hash: expected_seconds(task, PARTS[name].seconds)
        for name, study in studies.items()
        for task in study.pending(folder / name)
    }
    total = sum(len(study.tasks) for study in studies.values())
    minutes = sum(expected.values()) / 60.0
    print(f"{total} tasks, {len(expected)} of them missing: about {minutes:.0f} minutes on one core", flush=True)
    clock = Clock(expected)
    for name, study in () if settings.count else studies.items():
        run_study(study, folder / name, backend="joblib", jobs=settings.jobs, on_done=clock.show)


def unpack(settings: Settings, name: str) -> None:
    """Let the committed records of a part count as played, where none are kept yet."""
    packed, folder = settings.out / f"{name}.jsonl.gz", settings.records / name
    if packed.exists() and not folder.exists():
        write_bytes(folder / packed.name, packed.read_bytes())


def pack(settings: Settings) -> None:
    """Write the records of each part to one file of `out`."""
    for folder in sorted(path for path in settings.records.iterdir() if (path / "study.json").exists()):
        pack_results(folder, settings.out / f"{folder.name}.jsonl.gz")
        print(settings.out / f"{folder.name}.jsonl.gz")


def main(settings: Settings) -> None:
    """Train, play or pack."""
    unknown = [name for name in settings.only if name not in PARTS]
    if unknown:
        raise SystemExit(f"Unknown parts {', '.join(unknown)}. Choices: {', '.join(PARTS)}.")
    if settings.train:
        train_all(settings)
        return
    if settings.tune:
        evidence_tuned.run(settings)
    elif not settings.pack:
        play(settings)
    if not settings.count and not settings.quick:
        pack(settings)
        evidence_page.write_page(settings.out, settings.page)


def run(arguments: list[str]) -> None:
    """`python -m benchmarks evidence` with these arguments."""
    main(tyro.cli(Settings, prog="python -m benchmarks evidence", args=arguments))
