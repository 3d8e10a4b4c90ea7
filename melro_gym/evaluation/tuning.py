"""Search for planner settings that help under perturbations (Bok et al. 2025, Table 2 gives the ranges)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from melro_gym.evaluation.protocol import default_config, evaluate
from melro_gym.models import Agent
from melro_gym.seeds import derived, read_seed
from melro_gym.values import read_count

WALKER_TUNING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("WalkerWalk-ThighLength-v0", {"value": 0.15}),
    ("WalkerWalk-ThighLength-v0", {"value": 0.4}),
    ("WalkerWalk-TorsoLength-v0", {"value": 0.5}),
    ("WalkerWalk-JointDamping-v0", {"value": 5.0}),
    ("WalkerWalk-ContactFriction-v0", {"value": 0.3}),
)
"""Perturbations that choose the shipped settings; none disables a joint, since the demonstration does."""

TUNING_SETS = {"walker": WALKER_TUNING}


class Trial(NamedTuple):
    """One setting and what it made of the tuning set."""

    number: int
    """Of the study; -1 outside one."""
    settings: dict[str, Any]
    """Those of the planner."""
    mean: float
    """Mean of `returns`."""
    returns: list[float]
    """Mean return on each environment of the set."""


_DEFAULTS: dict[str, Any] = {
    "planned_steps": 4,
    "policy_steps": 2,
    "directions": 16,
    "optimise_steps": 10,
    "rollouts": 0,
    "perturbation_std": 0.1,
    "step_size": 0.05,
    "entropy_weight": 1e-4,
    "kl_weight": 0.1,
}

CANDIDATES: tuple[dict[str, Any], ...] = (
    _DEFAULTS,
    {**_DEFAULTS, "kl_weight": 0.3},
    {**_DEFAULTS, "kl_weight": 1.0},
    {**_DEFAULTS, "rollouts": 1},
    {**_DEFAULTS, "rollouts": 1, "kl_weight": 1.0},
    {**_DEFAULTS, "directions": 8, "optimise_steps": 5},
)
"""First trials of every study: the defaults, and what they were chosen over."""


def suggest_settings(trial: Any) -> dict[str, Any]:
    """Settings proposed by an Optuna trial: the part of Table 2 that a laptop can plan with, plus the KL weight."""
    settings = {
        "planned_steps": trial.suggest_categorical("planned_steps", [2, 3, 4, 6]),
        "policy_steps": trial.suggest_categorical("policy_steps", [0, 2, 4]),
        "directions": trial.suggest_categorical("directions", [8, 16]),
        "optimise_steps": trial.suggest_categorical("optimise_steps", [5, 10, 15]),
        "rollouts": trial.suggest_categorical("rollouts", [0, 1, 2]),
        "perturbation_std": trial.suggest_float("perturbation_std", 0.03, 0.3, log=True),
        "step_size": trial.suggest_float("step_size", 0.01, 0.15, log=True),
        "entropy_weight": trial.suggest_float("entropy_weight", 1e-4, 0.1, log=True),
        "kl_weight": trial.suggest_float("kl_weight", 0.01, 3.0, log=True),
    }
    return {**settings, "top_directions": settings["directions"] // 2}


def open_study(storage: str | os.PathLike[str], sampler_seed: Any) -> Any:
    """The Optuna study in an SQLite file; made, with `CANDIDATES` queued, when there is none.

    Raises:
        ImportError: Optuna is not installed; the message names the extra.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError('Tuning needs Optuna: pip install "melro-gym[tune]".') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = Path(storage)
    path.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{path}",
        study_name="melro",
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=_optuna_seed(sampler_seed), n_startup_trials=8, constant_liar=True),
    )
    if not study.trials:
        for settings in CANDIDATES:
            study.enqueue_trial(settings)
    return study


def _optuna_seed(seed: Any) -> int:
    """The seed itself where Optuna takes it (32 bits)."""
    number = read_seed(seed)
    return number if number < 2**32 else derived(number, 1)[0]


def tune(
    agent: Agent,
    envs: Sequence[tuple[str, dict[str, Any]]],
    *,
    trials: Any,
    episodes: Any,
    storage: str | os.PathLike[str],
    seed: Any = 0,
    sampler_seed: Any = 0,
    on_trial: Callable[[Trial], None] | None = None,
) -> None:
    """Search with Optuna's TPE; a second call, or a second process, goes on with the same study.

    Args:
        agent: the agent that plans; means are executed.
        envs: environments whose mean return is maximised.
        trials: settings to try in this call.
        episodes: per environment and trial.
        storage: the study's SQLite file.
        seed: of the episodes.
        sampler_seed: of the search; give each process its own.
        on_trial: called with each finished trial.
    """
    study = open_study(storage, sampler_seed)

    def objective(trial: Any) -> float:
        settings = suggest_settings(trial)
        result = score_settings(agent, envs, settings, episodes=episodes, seed=seed)._replace(number=trial.number)
        if on_trial is not None:
            on_trial(result)
        return result.mean

    study.optimize(objective, n_trials=read_count("trials", trials))


def finalists(storage: str | os.PathLike[str], count: int) -> list[dict[str, Any]]:
    """Settings of the best `count` finished trials of a study."""
    study = open_study(storage, 0)
    done = sorted((item for item in study.trials if item.value is not None), key=lambda item: -item.value)
    return [{**item.params, "top_directions": item.params["directions"] // 2} for item in done[:count]]


def score_settings(
    agent: Agent,
    envs: Sequence[tuple[str, dict[str, Any]]],
    settings: dict[str, Any],
    *,
    episodes: Any,
    seed: Any,
) -> Trial:
    """Mean returns of the planner with these settings, executing means."""
    config = default_config(agent, **{"deterministic": True, **settings})
    rows = evaluate(agent, envs, ["melro"], episodes=episodes, seed=seed, config=config)
    returns = [row.mean for row in rows]
    return Trial(-1, settings, float(np.mean(returns)), returns)
