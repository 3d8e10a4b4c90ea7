"""Settings of the planner."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from melro_gym.planning.fields import count, flag, number, read_parameters
from melro_gym.planning.registry import RISKS, SEARCHES
from melro_gym.planning.risk import AbstractRisk
from melro_gym.planning.search import AbstractSearch
from melro_gym.settings import Group, check_names, group, settings_of
from melro_gym.values import plain_scalar, show


class PlanConfig(eqx.Module):
    """How to plan (Bok et al. 2025, Eq. 15, Algorithm 2 and Table 2).

    Counts and names are static: changing one compiles anew. Numbers are arrays: changing one does not. Settings of the
    search and of the risk are given, read and replaced beside the others; those that the chosen ones lack are
    checked, and have no effect.

    Args:
        search: in place of `optimiser`, as an object.
        risk: in place of `pessimism`, as an object.
        **settings: by name; what is not given has its default.

    Raises:
        UnknownSettingError: a name that nothing here has (a `TypeError` and a `ValueError`).
        ValueError: a value that is not allowed.

    Examples:
        >>> config = PlanConfig(optimiser="mppi", directions=32, temperature=0.2)
        >>> config.search.directions, config.directions, config.optimiser
        (32, 32, 'mppi')
    """

    planned_steps: int = count(4, low=1)
    """`L`: decisions whose distributions are optimised."""
    policy_steps: int = count(2)
    """`m`: decisions that continue with the base policy, before the critic."""
    optimise_steps: int = count(10)
    """`D`: optimisation steps per decision; 0 leaves the base policy."""
    patience: int = count(0)
    """Steps in a row without a gain (`least_gain`) after which the search ends before step `D`; 0 does all steps. Not
    in the paper."""
    rollouts: int = count(0)
    """Noise sequences per candidate, the same for all (the paper's `n_parallel_rollouts`); 0 scores by the means."""
    deterministic: bool = flag(True)
    """Execute the mean of the first planned distribution instead of a sample."""
    guard: bool = flag(True)
    """Fall back to the base policy's own plan where the optimised one scores below it under the model."""
    keep_scores: bool = flag(False)
    """Return the scores of all candidates, `PlanResult.scores`, so that one can see why a plan won."""
    paper_discount: bool = flag(False)
    """Leave the rewards of the `m` base-policy steps undiscounted, as Eq. 15 prints."""
    entropy_weight: Float[Array, ""] = number(0.0)
    """Weight of the planned distributions' entropy (nats) against the reward of one decision (eta)."""
    discount: Float[Array, ""] = number(0.975, high=1.0)
    """Gamma, per decision."""
    kl_weight: Float[Array, ""] = number(0.1)
    """Weight of the divergence from the base policy's plan (nats); not in the paper."""
    guard_margin: Float[Array, ""] = number(0.0)
    """By how much, in units of return, a plan must be worth more than the base policy's own to be executed, with
    `guard`: what model and critic are not sure of is left to the base policy. Not in the paper."""
    least_gain: Float[Array, ""] = number(0.0)
    """By how much, in units of return, the mean score of a step's candidates must exceed that of all steps before to
    count as a gain, with `patience`. Not in the paper."""
    warm_start_noise: Float[Array, ""] = number(0.01)
    """Half-width of the uniform noise added to the warm start (Algorithm 2, line 5)."""
    search: AbstractSearch = group(SEARCHES, chosen_by="optimiser", default="ars")
    """How plans are improved: `ars`, `gradient`, `mppi`, `cem`, a registered name, or an `AbstractSearch`."""
    risk: AbstractRisk = group(RISKS, chosen_by="pessimism", default="none")
    """How a plan's returns in the world models of an ensemble become one score: `mean`, `worst` or `cvar` (the mean of
    the worst `cvar_fraction`), a registered name, or an `AbstractRisk`; `none` asks the first model alone. Not in the
    paper."""

    def __init__(self, *, search: AbstractSearch | None = None, risk: AbstractRisk | None = None, **settings: Any):
        searches = _kinds("search", AbstractSearch, search, settings)
        risks = _kinds("risk", AbstractRisk, risk, settings)
        own = [item for item in dataclasses.fields(PlanConfig) if "setting" in item.metadata]
        names = [*(item.name for item in own), *searches.settings(), *risks.settings()]
        if len(set(names)) < len(names):
            twice = ", ".join(sorted(name for name in set(names) if names.count(name) > 1))
            raise ValueError(f"A parameter of a search or risk needs a name that no other setting has; got {twice}.")
        check_names(settings, names)
        rules = settings_of(PlanConfig)
        for item in own:
            value = settings.get(item.name, item.default)
            # what is compiled must be no array when equinox looks at it, which it does before `__check_init__`
            setattr(self, item.name, rules[item.name].read(value) if item.metadata.get("static") else value)
        self.search = searches.build(settings) if search is None else searches.replace(search, settings)
        self.risk = risks.build(settings) if risk is None else risks.replace(risk, settings)

    def __check_init__(self) -> None:
        read_parameters(self)

    def __getattr__(self, name: str) -> Any:
        for part in (vars(self).get("search"), vars(self).get("risk")):
            if part is not None and name in (item.name for item in dataclasses.fields(part)):
                return getattr(part, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def live(self) -> tuple[str, ...]:
        """Names of the numbers that may change without compiling anew, those of search and risk too."""
        own = [name for name, rule in settings_of(PlanConfig).items() if rule.live and name in vars(self)]
        parts = (settings_of(type(part)).values() for part in (self.search, self.risk))
        return (*own, *(rule.name for rules in parts for rule in rules if rule.live))

    def numbers(self) -> dict[str, float]:
        """Those numbers by name."""
        return {name: plain_scalar(getattr(self, name)) for name in self.live}

    @property
    def optimiser(self) -> str:
        """Name of the search; its class's name where none is registered."""
        return _name_of(self.search, SEARCHES)

    @property
    def pessimism(self) -> str:
        """Name of the risk; its class's name where none is registered."""
        return _name_of(self.risk, RISKS)


def _kinds(field: str, base: type, held: Any, settings: Mapping[str, Any]) -> Group:
    """The group of `PlanConfig.search` or `.risk`, with the classes of the objects that were given."""
    (rules,) = (item.metadata["group"] for item in dataclasses.fields(PlanConfig) if item.name == field)
    chosen = settings.get(rules["chosen_by"])
    if dataclasses.is_dataclass(chosen) and not isinstance(chosen, base):
        names = ", ".join(rules["kinds"])
        raise ValueError(f"`{rules['chosen_by']}` must be one of {names}, or an {base.__name__}; got {show(chosen)}.")
    objects = [item for item in (held, chosen) if isinstance(item, base)]
    unnamed = {type(item).__name__: type(item) for item in objects if type(item) not in rules["kinds"].values()}
    return Group(**{**rules, "kinds": {**rules["kinds"], **unnamed}})


def _name_of(part: Any, registry: Mapping[str, type]) -> str:
    return next((name for name, kind in registry.items() if kind is type(part)), type(part).__name__)
