"""Search for planner settings that help under perturbations (Bok et al. 2025, Table 2 gives the ranges)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from melro_gym.evaluation.protocol import default_config, evaluate
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig

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
    settings: dict[str, Any]
    mean: float
    returns: list[float]
    """Mean return on each environment of the set."""


def suggest_settings(trial: Any) -> dict[str, Any]:
    """Settings proposed by an Optuna trial, in ranges that contain Table 2's."""
    planned = trial.suggest_categorical("planned_steps", [1, 2, 3, 4, 6, 8])
    return {
        "planned_steps": planned,
        "policy_steps": trial.suggest_categorical("policy_steps", [0, 1, 2, 4, 6]),
        "optimise_steps": trial.suggest_categorical("optimise_steps", [1, 2, 5, 10, 15, 20]),
        "top_directions": trial.suggest_categorical("top_directions", [2, 4, 8, 16]),
        "rollouts": trial.suggest_categorical("rollouts", [1, 2, 4]),
        "perturbation_std": trial.suggest_float("perturbation_std", 0.03, 0.3, log=True),
        "step_size": trial.suggest_float("step_size", 0.003, 0.25, log=True),
        "entropy_weight": trial.suggest_float("entropy_weight", 1e-4, 0.3, log=True),
        "kl_weight": trial.suggest_float("kl_weight", 1e-4, 1.0, log=True),
        "deterministic": trial.suggest_categorical("deterministic", [False, True]),
    }


def tune(
    agent: Agent,
    envs: Sequence[tuple[str, dict[str, Any]]],
    *,
    trials: int,
    episodes: int,
    storage: str | os.PathLike[str],
    seed: int = 0,
    on_trial: Callable[[Trial], None] | None = None,
) -> PlanConfig:
    """Search with Optuna's TPE; the study is an SQLite file and a second call goes on with it.

    Args:
        agent: the agent that plans.
        envs: environments whose mean return is maximised.
        trials: settings to try in this call.
        episodes: per environment and trial.
        storage: the study's file.
        seed: of sampler and episodes.
        on_trial: called with each finished trial.

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
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, trials)),
    )
    if not study.trials:
        study.enqueue_trial(_as_parameters(default_config(agent)))

    def objective(trial: Any) -> float:
        settings = suggest_settings(trial)
        rows = evaluate(
            agent, envs, ["melro"], episodes=episodes, seed=seed, config=default_config(agent, **settings)
        )
        returns = [row.mean for row in rows]
        if on_trial is not None:
            on_trial(Trial(trial.number, settings, float(np.mean(returns)), returns))
        return float(np.mean(returns))

    study.optimize(objective, n_trials=trials)
    return default_config(agent, **study.best_params)


def _as_parameters(config: PlanConfig) -> dict[str, Any]:
    names = ("planned_steps", "policy_steps", "optimise_steps", "top_directions", "rollouts", "deterministic")
    numbers = ("perturbation_std", "step_size", "entropy_weight", "kl_weight")
    static = {name: getattr(config, name) for name in names}
    return {**static, **{name: max(float(getattr(config, name)), 1e-4) for name in numbers}}
