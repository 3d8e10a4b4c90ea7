"""The planner's settings under the names of the paper's Table 2 (Bok et al. 2025), and the paper's own planner."""

from __future__ import annotations

from typing import Any

from melro_gym.values import did_you_mean

TABLE_2: dict[str, tuple[str, tuple[Any, ...]]] = {
    "entropy_weight": ("entropy_weight", (0.0, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)),
    "n_base_policy_steps": ("policy_steps", (0, 1, 2, 4, 6, 8)),
    "ars_n_perturbations": ("directions", (8, 12, 16, 24)),
    "ars_std": ("perturbation_std", (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)),
    "ars_top_k": ("top_directions", (2, 4, 8)),
    "discount": ("discount", (0.8, 0.9, 0.95, 0.999)),
    "n_optimize_steps": ("optimise_steps", (1, 2, 5, 10, 15, 20, 35, 45)),
    "n_parallel_rollouts": ("rollouts", (1,)),
    "n_planning_steps": ("planned_steps", (1, 2, 4, 6, 8, 12, 20)),
    "optimizer": ("optimiser", ("Adam",)),
    "step_size": ("step_size", (0.001, 0.003, 0.01, 0.03, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25)),
}
"""Each row's name in `PlanConfig`, and the values that the paper searched over."""

_OPTIMISERS = {"Adam": "ars"}  # Adam takes the direction that ARS finds


def paper_settings(**table_2: Any) -> dict[str, Any]:
    """Settings of `PlanConfig` for the paper's planner, with numbers given under Table 2's names.

    What this package adds is off: the divergence from the base policy, the guard, executing means, scoring by means.
    `paper_discount` and, on the controller, `adapt=False` complete it.

    Raises:
        ValueError: a name that is not in Table 2, or another optimiser than Adam.

    Examples:
        >>> settings = paper_settings(n_planning_steps=6, ars_top_k=4)
        >>> settings["planned_steps"], settings["top_directions"], settings["guard"]
        (6, 4, False)
    """
    settings: dict[str, Any] = {"rollouts": 1, "kl_weight": 0.0, "guard": False, "deterministic": False}
    for name, value in table_2.items():
        if name not in TABLE_2:
            hint = did_you_mean(name, TABLE_2, count=1) or f" It has: {', '.join(TABLE_2)}."
            raise ValueError(f"Table 2 has no {name!r}.{hint}")
        if name == "optimizer" and value not in _OPTIMISERS:
            raise ValueError(f"Table 2's `optimizer` is 'Adam'; got {value!r}. `PlanConfig(optimiser=...)` has others.")
        settings[TABLE_2[name][0]] = _OPTIMISERS[value] if name == "optimizer" else value
    return settings
