"""Settings of the controllers: those that may change while running, and how to act when something goes wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from melro_gym.adaptation import AbstractEstimator
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.planning.defaults import agent_settings
from melro_gym.settings import UnknownSettingError, check_names, read_fields, setting, settings_of, takes_any_source
from melro_gym.values import Setting, did_you_mean, plain_scalar, show


@takes_any_source
@dataclass
class Options:
    """What the planner's own settings leave open about acting in an environment."""

    warm_start: str = setting("agent", choices=("agent", "action"))
    """Who proposes the plan that is improved: `agent`, its own policy; `action`, the action that `step` is given."""
    on_failure: str = setting("raise", choices=("raise", "base"))
    """What to do about an observation or proposal that is not usable, or a plan that is not finite: `raise` an error,
    or execute the `base` policy's mean action, and where the observation is unusable the last action again (before
    the first, the one closest to zero)."""
    deadline: float | None = setting(None, above=0.0)
    """Seconds that a decision may take: the best plan found until then is executed, the base policy's where there is
    none. Planning never goes on for more than one chunk of steps after it. None plans to the end."""
    chunk_steps: int = setting(2, low=1)
    """Optimisation steps between two looks at the clock, with a deadline."""
    latency_steps: int = setting(0, low=0)
    """Steps from an action to its effect. The plan starts from the state that the model predicts for then; before the
    first action, those closest to zero are taken to be in effect."""
    shift_plan: bool = setting(False)
    """Whether the last plan, moved on by one step, is one more candidate, and the start of the search where it scores
    above the base policy's plan. Not in the paper."""
    adapt: bool = setting(True)
    """Whether to learn, from the model's one-step errors, in what the robot differs from the one that the agent was
    trained on, and to plan with that; begins anew at each reset. Has no effect with `latency_steps`. Not in the paper;
    false is the paper's planner."""
    estimator: AbstractEstimator | str | None = setting("auto", instances=(AbstractEstimator,))
    """What learns: `actuators` (how much of each action still arrives), `gauss-newton` (the change that a hardened
    agent is told of, as far as it holds up), `auto` (the latter for hardened agents, the former for others), a
    `melro_gym.adaptation.AbstractEstimator`, the place of a class of one (`package.module:Class`), or none."""

    def __post_init__(self) -> None:
        read_fields(self)


class SettingNotLiveError(AttributeError, ValueError):
    """An attribute of a controller that there is not, or that cannot change while it runs."""


class LiveSettings:
    """The planner's numbers as attributes: `controller.entropy_weight = 0.1` holds from the next decision on.

    A wrong value raises `ValueError` and changes nothing. All settings of the planner can be read; counts and names,
    and numbers that the chosen search or risk does not have, cannot be set: a new `config` changes those, and compiles.
    Neither can attributes that the class does not declare, which would be misspelt ones.
    """

    config: PlanConfig

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for by copy and pickle
            raise AttributeError(name)
        if "config" in vars(self) and name in settings_of(PlanConfig):
            return plain_scalar(getattr(self.config, name))
        raise SettingNotLiveError(self._no_attribute(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "config" and not isinstance(value, PlanConfig):
            raise ValueError(f"`config` must be a `PlanConfig`; got {show(value)}.")
        if name.startswith("_") or _declares(type(self), name):
            object.__setattr__(self, name, value)
        elif name in self._live_numbers():
            self.config = dataclasses.replace(self.config, **{name: value})
        else:
            raise SettingNotLiveError(self._not_live(name) or self._no_attribute(name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._live_numbers()})

    def _live_numbers(self) -> tuple[str, ...]:
        return self.config.live if "config" in vars(self) else ()

    def _not_live(self, name: str) -> str:
        """Why a setting cannot be set, and what to do; empty where it is none."""
        if name in settings_of(PlanConfig):
            return (
                f"`{name}` is no number that may change with optimiser={self.config.optimiser!r} and "
                f"pessimism={self.config.pessimism!r}: {', '.join(self._live_numbers())} are. "
                f"Set controller.config = dataclasses.replace(controller.config, {name}=...)."
            )
        if name in settings_of(Options):
            return f"`{name}` cannot change while the controller runs: make another one with {name}=..."
        return ""

    def _no_attribute(self, name: str) -> str:
        hint = did_you_mean(name, [item for item in dir(self) if not item.startswith("_")], count=1)
        return f"{type(self).__name__!r} object has no attribute {name!r}.{hint}"


def controller_settings() -> dict[str, Setting]:
    """All settings of a controller: the planner's, its search's and risk's, and how it acts."""
    return settings_of(PlanConfig) | settings_of(Options)


def read_settings(agent: Agent, given: Mapping[str, Any]) -> tuple[PlanConfig, Options]:
    """The planner's settings and the rest, from those of a controller; what is not given is as the agent has it.

    Those are its discount, which None stands for too, and `planner` of its metadata; see `agent_settings`.

    Raises:
        UnknownSettingError: a name that neither has; the message says the nearest ones.
        ValueError: a value that is not allowed.
    """
    options = Options(**{name: given[name] for name in settings_of(Options) if name in given})
    rest = {name: value for name, value in given.items() if name not in settings_of(Options)}
    if rest.get("discount") is None:
        rest.pop("discount", None)
    try:
        return PlanConfig(**{**agent_settings(agent), **rest}), options
    except UnknownSettingError:
        check_names(given, [*controller_settings(), "search", "risk"])
        raise


def plain_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a controller as JSON values, but for objects (a search, an estimator), which stay as they are."""
    rules = controller_settings()
    plain: dict[str, Any] = {}
    for name, value in given.items():
        whole = name not in rules or dataclasses.is_dataclass(value) or (name == "discount" and value is None)
        plain[name] = value if whole else rules[name].read(value)
    return plain


def _declares(cls: type, name: str) -> bool:
    """Whether a class, or one that it derives from, has an attribute of that name or an annotation of one."""
    return hasattr(cls, name) or any(name in vars(base).get("__annotations__", {}) for base in cls.__mro__)
