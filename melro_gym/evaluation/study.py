"""Evaluations that take hours: tasks in a folder of results, which go on where they stopped, on any machines."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from melro_gym.checkpoint import load_agent, package_versions
from melro_gym.evaluation.backends import find_backend
from melro_gym.evaluation.episodes import comparable_settings
from melro_gym.evaluation.players import Load, Player
from melro_gym.evaluation.results import Results, add_run, complete_tasks, read_results, write_task
from melro_gym.evaluation.tasks import Task, check_tasks, make_tasks, run_task
from melro_gym.seeds import read_seed
from melro_gym.suites import Case, load_suite
from melro_gym.values import read_count

PROTOCOLS: dict[str, tuple[int, int]] = {"": (1, 50), "paper": (10, 10), "quick": (1, 2)}
"""Seeds and episodes per seed; `paper` has those of Bok et al. 2025."""


class Done(NamedTuple):
    """A task that has been played."""

    task: Task
    mean: float
    """Of its returns."""
    seconds: float
    """Wall time."""
    finished: int
    """Tasks of the study that are complete, those of former runs included."""
    total: int
    """Tasks of the study."""
    seconds_left: float
    """What the others take at the present pace."""


@dataclass(frozen=True)
class Study:
    """What is to be evaluated."""

    tasks: tuple[Task, ...]
    description: dict[str, Any]
    """The entry of `study.json`."""
    load: Load
    """Makes policies of words."""

    def pending(self, folder: str | os.PathLike[str]) -> list[Task]:
        """Tasks of which the folder does not hold every episode."""
        complete = complete_tasks(folder)
        return [task for task in self.tasks if task.hash not in complete]

    def results(self, folder: str | os.PathLike[str]) -> Results:
        """Records of these tasks alone."""
        hashes = {task.hash for task in self.tasks}
        return read_results(folder).select(lambda record: record.task in hashes)


def make_study(
    players: Sequence[Player],
    cases: Iterable[tuple[str, Case]],
    *,
    seeds: Sequence[Any],
    episodes: Any,
    protocol: str = "",
    load: Load = load_agent,
) -> Study:
    """Every case by every player with every seed, `episodes` of each.

    Args:
        players: of `read_players`.
        cases: pairs of a suite's name, or an empty one, and a case.
        seeds: of the evaluation.
        episodes: per task.
        protocol: name for what is asked for.
        load: makes policies of words; a function of a module.

    Raises:
        ValueError: nothing to play, no seed, or no number of episodes.
    """
    cases, seeds, episodes = list(cases), [read_seed(seed) for seed in seeds], read_count("episodes", episodes)
    tasks = make_tasks(cases, players, seeds, episodes)
    if not tasks:
        raise ValueError("There is nothing to evaluate: name environments, methods or policies, and seeds.")
    description = {
        "protocol": protocol,
        "suites": sorted({suite for suite, _ in cases if suite}),
        "seeds": seeds,
        "episodes": episodes,
        "cases": [_case_json(suite, case) for suite, case in cases],
        "players": [_player_json(player) for player in players],
        "tasks": [task.hash for task in tasks],
    }
    return Study(tuple(tasks), description, load)


def suite_cases(names: Iterable[str]) -> list[tuple[str, Case]]:
    """Cases of several suites with the suites' names.

    Raises:
        ValueError: no such suite.
    """
    return [(name, case) for name in names for case in load_suite(name)]


def run_study(
    study: Study,
    folder: str | os.PathLike[str],
    *,
    backend: str = "joblib",
    jobs: int = 0,
    settings: Mapping[str, Any] | None = None,
    on_done: Callable[[Done], None] | None = None,
) -> Results:
    """Play the tasks that a folder does not hold yet; returns the records of all of them.

    Stop it whenever you like: a task's file is complete or not there. Several processes may work for one folder; what
    two of them play at once is written twice, with the same numbers.

    Args:
        study: what is asked for.
        folder: of the results; made when missing.
        backend: `joblib`, `serial`, `ray` or `slurm`.
        jobs: how many tasks run at once (on Slurm, how many jobs share them); 0 leaves it to the backend.
        settings: of the backend.
        on_done: told of each task.

    Raises:
        ValueError: agents that do not fit, unknown settings, or a folder with records of other versions, settings or
            agents under the same names.
        ImportError: the backend's library is not installed.
    """
    run = find_backend(backend)
    refuse_mixtures(folder, study.tasks)
    pending = study.pending(folder)
    check_tasks(pending, study.load)
    target = Path(folder).resolve()
    add_run(target, study.description)
    work = functools.partial(_play, folder=target, load=study.load)
    finished, started = len(study.tasks) - len(pending), time.monotonic()
    by_hash = {task.hash: task for task in pending}
    items = list(pending)
    if items:
        for count, (name, mean, seconds) in enumerate(
            run(work, items, jobs=jobs, folder=target, settings=dict(settings or {})), 1
        ):
            left = (time.monotonic() - started) / count * (len(items) - count)
            if on_done is not None:
                on_done(Done(by_hash[name], mean, seconds, finished + count, len(study.tasks), left))
    return study.results(target)


def refuse_mixtures(folder: str | os.PathLike[str], tasks: Iterable[Task]) -> None:
    """Refuse to add records to a folder whose own could not be averaged with them.

    Raises:
        ValueError: records of other versions; or one player's name for other settings, or another file.
    """
    if not Path(folder).is_dir():
        return
    records = read_results(folder).records
    now = package_versions()
    for package, version in now.items():
        others = {record.versions.get(package) for record in records} - {version}
        if others:
            raise ValueError(
                f"{folder} holds records of {package} {others.pop()}; this is {version}. Name another folder."
            )
    own: dict[str, str] = {}
    for record in records:
        own[record.player] = json.dumps([comparable_settings(record.settings), record.episodes], sort_keys=True)
        own[f"{record.agent}, training seed {record.training_seed}"] = record.agent_sha256
    for task in tasks:
        player, file = task.player, task.description["agent_sha256"]
        settings = json.dumps([comparable_settings(player.settings), task.episodes], sort_keys=True)
        seed = player.training.get("training_seed")
        if own.get(player.name, settings) != settings:
            raise ValueError(
                f"{folder} holds records of {player.name!r} with other settings or another number of episodes. "
                "Name another folder, or give the agent another name (NAME=FILE)."
            )
        if own.get(f"{player.agent}, training seed {seed}", file) != file:
            raise ValueError(
                f"{folder} holds records of another file named {player.agent!r}. Name another folder, or give the "
                "agent another name (NAME=FILE)."
            )


def _play(task: Task, *, folder: Path, load: Load) -> tuple[str, float, float]:
    """Play a task and write its file, in whatever process."""
    started = time.perf_counter()
    records = run_task(task, load)
    write_task(folder, records)
    mean = float(np.mean([record.episode_return for record in records]))
    return task.hash, mean, time.perf_counter() - started


def _case_json(suite: str, case: Case) -> dict[str, Any]:
    kwargs = dict(case.kwargs)
    return {
        "suite": suite,
        "label": case.label,
        "env_id": case.env_id,
        "env_kwargs": kwargs,
        "challenge": case.challenge,
    }


def _player_json(player: Player) -> dict[str, Any]:
    return {
        "agent": player.agent,
        "agent_sha256": player.sha256 or player.source,
        "method": player.method,
        "variant": player.variant,
        "settings": player.settings,
    }
