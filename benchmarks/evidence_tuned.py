"""Planner settings tuned for each perturbation by itself, as the paper does, beside one setting for everything.

`python -m benchmarks evidence --tune`: a small search for each disabled joint of the walker over the planner's numbers,
on other episodes than those that are reported. The best setting then plays the reported episodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.players import read_players
from melro_gym.evaluation.study import make_study, run_study
from melro_gym.evaluation.tuning import Trial, finished_trials, tune
from melro_gym.suites import Case, load_suite

if TYPE_CHECKING:
    from benchmarks.evidence import Settings

PART = "walker-joints-tuned"
AGENT, SPACE = "walker-walk", "numbers"
TRIALS, EPISODES = 3, 4
"""For each joint."""
SEED = 100
"""Of the episodes of the search; the reported ones have the seeds from 0."""


def database(settings: Settings) -> Path:
    """Of all searches."""
    settings.records.mkdir(parents=True, exist_ok=True)
    return settings.records / "tuned.db"


def cases() -> list[Case]:
    """What is tuned for, one by one."""
    return load_suite("melro-walker-joints")


def search(settings: Settings) -> None:
    """Make the trials that are missing."""
    agent = load_agent(AGENT)
    for case in cases():
        missing = TRIALS - len(finished_trials(database(settings), study=case.label, space=SPACE))
        if missing > 0:
            tune(
                agent,
                [(case.env_id, dict(case.kwargs))],
                trials=missing,
                episodes=EPISODES,
                storage=database(settings),
                seed=SEED,
                study=case.label,
                space=SPACE,
                on_trial=lambda trial, label=case.label: print(
                    f"{label}, trial {trial.number}: {trial.mean:.4g}, {trial.settings}", flush=True
                ),
            )


def best_trials(settings: Settings) -> Iterator[tuple[Case, Trial]]:
    """The best trial of each joint whose search has ended."""
    for case in cases():
        trials = finished_trials(database(settings), study=case.label, space=SPACE)
        if len(trials) >= TRIALS:
            yield case, max(trials, key=lambda trial: trial.mean)


def method(trial: Trial) -> str:
    """The planner with a trial's settings, three digits of each, as a word of `read_players`."""
    numbers = ",".join(f"{name}={value:.3g}" for name, value in sorted(trial.settings.items()))
    return f"melro:{numbers}@{AGENT}"


def play(settings: Settings) -> None:
    """The reported episodes of each joint by its own best setting."""
    for case, trial in best_trials(settings):
        players = read_players([], [method(trial)])
        study = make_study(players, [(PART, case)], seeds=range(settings.seeds), episodes=settings.episodes)
        run_study(
            study,
            settings.records / PART,
            backend="serial",
            on_done=lambda done: print(f"{done.task.case.label}, {done.task.player.name}: {done.mean:.4g}", flush=True),
        )


def run(settings: Settings) -> None:
    """Search, then play."""
    search(settings)
    play(settings)
