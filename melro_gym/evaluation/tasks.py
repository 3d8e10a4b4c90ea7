"""The tasks of a study: one environment, one player, one seed. A task's records depend on nothing but the task."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from melro_gym.checkpoint import package_versions
from melro_gym.control.options import read_settings
from melro_gym.control.summary import AVERAGED, EpisodeSummary
from melro_gym.evaluation.episodes import EpisodeRecord, task_hash
from melro_gym.evaluation.players import Load, Player
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.provenance import file_sha256, nominal_value
from melro_gym.evaluation.rollouts import Controller, run_episodes
from melro_gym.evaluation.seating import check_seats, take_seat
from melro_gym.models import Agent
from melro_gym.suites import Case
from melro_gym.values import plain_json

_REPORTED = {*AVERAGED, "mean", "base_mean", "base_std", "entropy_weight", "deterministic", "deadline_hit", "failure"}
"""Entries of a decision's report that do not come from an estimator."""
_AT_THE_END = ("position_error",)
"""Numbers of an episode's last `info` that its record keeps."""


@dataclass(frozen=True)
class Task:
    """Episodes of one player in one environment, all side by side."""

    case: Case
    suite: str
    """Named set that the case is of, or empty."""
    player: Player
    seed: int
    episodes: int

    @property
    def description(self) -> dict[str, Any]:
        """What its episodes depend on, but for versions."""
        return {
            "env_id": self.case.env_id,
            "env_kwargs": dict(self.case.kwargs),
            "challenge": self.case.challenge,
            "agent_sha256": self.player.sha256 or self.player.source,
            "method": self.player.method,
            "settings": self.player.settings,
            "seed": self.seed,
            "episodes": self.episodes,
        }

    @functools.cached_property
    def hash(self) -> str:
        """Of the description; the name of its file."""
        return task_hash(self.description)


def make_tasks(
    cases: Iterable[tuple[str, Case]], players: Sequence[Player], seeds: Iterable[int], episodes: int
) -> list[Task]:
    """Every case by every player with every seed; a case that is in several suites is there once.

    Players in the outer order, so that neighbours share what is compiled.
    """
    pairs, seeds = list(cases), list(seeds)
    tasks = [Task(case, suite, player, seed, episodes) for player in players for suite, case in pairs for seed in seeds]
    return list({task.hash: task for task in reversed(tasks)}.values())[::-1]


def check_tasks(tasks: Iterable[Task], load: Load) -> None:
    """Refuse environments that do not exist, and agents that do not fit theirs; nothing is compiled.

    Raises:
        ValueError: an agent and an environment do not belong together, or arguments that it does not take.
        gymnasium.error.Error: no such environment.
    """
    groups: dict[str, tuple[Case, set[tuple[str, str]]]] = {}
    for task in tasks:
        key = f"{task.case.env_id} {sorted(task.case.kwargs.items())} {task.case.challenge}"
        groups.setdefault(key, (task.case, set()))[1].add((task.player.source, task.player.sha256))
    for case, sources in groups.values():
        check_seats(case, [_loaded(source, sha256, load) for source, sha256 in sorted(sources)])


def run_task(task: Task, load: Load) -> list[EpisodeRecord]:
    """Play a task; a record per episode, in order.

    Raises:
        ValueError: the player's file is no longer the one that the task was made for, or a return that is not finite.
    """
    player, seeds = task.player, episode_seeds(task.seed, task.episodes)
    policy = _loaded(player.source, player.sha256, load)
    meter = Meter(len(seeds))
    config, options = read_settings(policy, player.settings) if isinstance(policy, Agent) else (None, None)
    told = {"config": config, "options": options, "on_report": meter.report}
    make, controller = take_seat(policy, task.case, player.method, seeds, **told)
    returns = run_episodes(make, meter.timed(controller), seeds, on_end=meter.end)
    if not np.all(np.isfinite(returns)):
        raise ValueError(f"{player.name} on {task.case.env_id}: a return is not finite.")
    versions = package_versions() | {"platform": jax.default_backend()}
    return [
        EpisodeRecord(
            task=task.hash,
            **task.description,
            **_perturbed(task.case.env_id, meter.infos[episode]),
            suite=task.suite,
            label=task.case.label,
            agent=player.agent,
            variant=player.variant,
            **player.training,
            episode=episode,
            reset_seed=seeds[episode],
            episode_return=float(returns[episode]),
            length=int(meter.lengths[episode]),
            success=_success(meter.infos[episode]),
            seconds_per_decision=meter.seconds_per_decision,
            diagnostics=meter.diagnostics[episode],
            versions=versions,
        )
        for episode in range(task.episodes)
    ]


class Meter:
    """Counts, times and averages what the episodes of a batch report."""

    def __init__(self, rows: int):
        self.lengths = np.zeros(rows, int)
        self.infos: list[Mapping[str, Any]] = [{}] * rows
        self.diagnostics: list[dict[str, float | None]] = [{} for _ in range(rows)]
        self._running = np.ones(rows, bool)
        self._summary: EpisodeSummary | None = None
        self._facts: dict[str, np.ndarray] = {}
        self._ticks: list[tuple[float, int]] = []

    @property
    def seconds_per_decision(self) -> float:
        """Without the first decision, which may compile; 0 where there is no other."""
        spent = [now - before for (before, _), (now, _) in zip(self._ticks, self._ticks[1:], strict=False)]
        count = sum(rows for _, rows in self._ticks[1:-1])
        return sum(spent[1:]) / count if count else 0.0

    def timed(self, controller: Controller) -> Controller:
        """The controller, watched."""

        def decide(obs: np.ndarray) -> np.ndarray:
            self._ticks.append((time.perf_counter(), int(self._running.sum())))
            self.lengths[self._running] += 1
            return controller(obs)

        return decide

    def report(self, report: Mapping[str, np.ndarray]) -> None:
        """Take in the report of a decision."""
        if self._summary is None:
            self._summary = EpisodeSummary(len(self.lengths))
            report = {**report, "plan_ms": np.full(len(self.lengths), np.nan)}  # it may have compiled
        self._summary.add(report, self._running.copy())
        self._facts = {name: report[name] for name in report if name not in _REPORTED}

    def end(self, row: int, info: dict[str, Any]) -> None:
        """An episode has ended."""
        self._running[row] = False
        self.infos[row] = info
        self.diagnostics[row] = {name: _plain(info[name]) for name in _AT_THE_END if name in info}
        if not self._running.any():
            self._ticks.append((time.perf_counter(), 0))
        if self._summary is not None:
            means = {name: values[row] for name, values in self._summary.means().items()}
            self.diagnostics[row] |= {name: _plain(value) for name, value in means.items()} | _facts(self._facts, row)


def _facts(facts: Mapping[str, Any], row: int, prefix: str = "") -> dict[str, float | None]:
    """What the estimator says at an episode's end, under names such as `effectiveness.2`."""
    found: dict[str, float | None] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found |= _facts(value, row, f"{prefix}{name}.")
        elif np.asarray(value).dtype.kind in "fiub":
            numbers = np.asarray(value)[row]
            pairs = [(f"{prefix}{name}", numbers)] if numbers.ndim == 0 else _numbered(f"{prefix}{name}", numbers)
            found |= {label: _plain(number) for label, number in pairs}
    return found


def _numbered(name: str, numbers: np.ndarray) -> list[tuple[str, Any]]:
    return [(f"{name}.{index}", number) for index, number in enumerate(numbers.ravel())]


def _plain(value: Any) -> float | None:
    return float(f"{float(value):.6g}") if np.isfinite(value) else None


@functools.lru_cache(maxsize=4)
def _loaded(source: str, sha256: str, load: Load) -> Any:
    if file_sha256(source) != sha256:
        raise ValueError(f"The file of {source} has changed since the study began. Evaluate it under another name.")
    return load(source)


def _perturbed(env_id: str, info: Mapping[str, Any]) -> dict[str, Any]:
    """What was perturbed in an episode, from its last `info`."""
    found = info.get("perturbation") or {}
    if "name" not in found:
        return {"parameter": "nominal" if not found else "combined", "value": None, "nominal": None}
    value = plain_json(found.get("value", found.get("joint")), "perturbation")
    return {"parameter": found["name"], "value": value, "nominal": nominal_value(env_id)}


def _success(info: Mapping[str, Any]) -> bool | None:
    for name in ("is_success", "success"):
        if name in info:
            return bool(info[name])
    return None
