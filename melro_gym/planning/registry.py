"""Searches and risks by name."""

from __future__ import annotations

from typing import Any

from melro_gym.planning.risk import AbstractRisk, CVaR, FirstModel, Mean, Worst
from melro_gym.planning.search import (
    AbstractSearch,
    AugmentedRandomSearch,
    CrossEntropy,
    GradientAscent,
    PathIntegral,
)

SEARCHES: dict[str, type[AbstractSearch]] = {
    "ars": AugmentedRandomSearch,
    "gradient": GradientAscent,
    "mppi": PathIntegral,
    "cem": CrossEntropy,
}
RISKS: dict[str, type[AbstractRisk]] = {"none": FirstModel, "mean": Mean, "worst": Worst, "cvar": CVaR}


def register_search(name: str, search: type[AbstractSearch]) -> None:
    """Make a search known: `PlanConfig(optimiser=name)`, its parameters being settings beside the others.

    Args:
        name: new, or registered for this class before.
        search: its parameters, if any, are fields with defaults.

    Raises:
        ValueError: the name is another search's, or a parameter has the name of another setting.
        TypeError: a parameter has no default.
    """
    _register(SEARCHES, "optimiser", name, search)


def register_risk(name: str, risk: type[AbstractRisk]) -> None:
    """Make a risk known: `PlanConfig(pessimism=name)`, its parameters being settings beside the others.

    Args:
        name: new, or registered for this class before.
        risk: its parameters, if any, are fields with defaults.

    Raises:
        ValueError: the name is another risk's, or a parameter has the name of another setting.
        TypeError: a parameter has no default.
    """
    _register(RISKS, "pessimism", name, risk)


def _register(registry: dict[str, Any], chosen_by: str, name: str, kind: type) -> None:
    from melro_gym.planning.config import PlanConfig  # which reads the registries

    PlanConfig(**{chosen_by: kind()})  # refuses parameters that it cannot take as settings
    if registry.setdefault(name, kind) is not kind:
        taken = registry[name].__name__
        raise ValueError(f"`{chosen_by}={name!r}` is {taken}; register {kind.__name__} by another name.")
