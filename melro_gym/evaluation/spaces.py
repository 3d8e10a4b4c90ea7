"""What a search of planner settings chooses from (Bok et al. 2025, Table 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from melro_gym.planning.paper import TABLE_2, paper_settings

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


_NUMBERS = {name: _DEFAULTS[name] for name in ("perturbation_std", "step_size", "entropy_weight", "kl_weight")}


def completed(params: dict[str, Any]) -> dict[str, Any]:
    """Settings of a trial's parameters: with what follows from the others."""
    return {"top_directions": params["directions"] // 2, **params} if "directions" in params else params


def suggest_settings(trial: Any) -> dict[str, Any]:
    """Settings proposed by an Optuna trial: the part of Table 2 that a laptop can plan with, plus the KL weight."""
    settings = {
        "planned_steps": trial.suggest_categorical("planned_steps", [2, 3, 4, 6]),
        "policy_steps": trial.suggest_categorical("policy_steps", [0, 2, 4]),
        "directions": trial.suggest_categorical("directions", [8, 16]),
        "optimise_steps": trial.suggest_categorical("optimise_steps", [5, 10, 15]),
        "rollouts": trial.suggest_categorical("rollouts", [0, 1, 2]),
        **suggest_numbers(trial),
    }
    return completed(settings)


def suggest_numbers(trial: Any) -> dict[str, Any]:
    """Those of `suggest_settings` that are no counts, so that no trial compiles anything."""
    return {
        "perturbation_std": trial.suggest_float("perturbation_std", 0.03, 0.3, log=True),
        "step_size": trial.suggest_float("step_size", 0.01, 0.15, log=True),
        "entropy_weight": trial.suggest_float("entropy_weight", 1e-4, 0.1, log=True),
        "kl_weight": trial.suggest_float("kl_weight", 0.01, 3.0, log=True),
    }


def suggest_table_2(trial: Any) -> dict[str, Any]:
    """Settings proposed by an Optuna trial: the values of Table 2, all of them."""
    rows = [(name, values) for name, values in TABLE_2.values() if len(values) > 1]
    return {name: trial.suggest_categorical(name, list(values)) for name, values in rows}


class Space(NamedTuple):
    """What is searched over."""

    suggest: Callable[[Any], dict[str, Any]]
    """Settings of an Optuna trial."""
    method: str
    """That plays them."""
    fixed: dict[str, Any]
    """Settings that all trials have."""
    first: tuple[dict[str, Any], ...]
    """Trials to begin with."""


SPACES = {
    "own": Space(suggest_settings, "melro", {"deterministic": True}, CANDIDATES),
    "numbers": Space(
        suggest_numbers,
        "melro",
        {"deterministic": True},
        (_NUMBERS, {**_NUMBERS, "kl_weight": 1.0}, {**_NUMBERS, "entropy_weight": 0.03}),
    ),
    "paper": Space(suggest_table_2, "melro-fixed", {**paper_settings(), "paper_discount": True}, ()),
}
"""`own`: what a laptop can plan with, around the defaults. `numbers`: its numbers alone, the counts being the defaults,
so that nothing is compiled anew. `paper`: Table 2, with the paper's planner."""
