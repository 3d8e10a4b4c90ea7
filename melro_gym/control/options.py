"""Settings of the controllers: those that may change while running, and how to act when something goes wrong."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from melro_gym.adaptation import AbstractEstimator, find_estimator
from melro_gym.envs.tables import check_choice
from melro_gym.planning import PlanConfig
from melro_gym.settings import settings_of
from melro_gym.values import plain_scalar

WARM_STARTS = ("agent", "action")
ON_FAILURE = ("raise", "base")


@dataclass
class Options:
    """What the planner's own settings leave open about acting in an environment."""

    warm_start: str = "agent"
    on_failure: str = "raise"
    deadline: float | int | None = None
    chunk_steps: int = 2
    latency_steps: int = 0
    shift_plan: bool = False
    adapt: bool = True
    estimator: AbstractEstimator | str | None = "actuators"

    def __post_init__(self) -> None:
        check_choice("warm_start", self.warm_start, WARM_STARTS)
        check_choice("on_failure", self.on_failure, ON_FAILURE)
        self.estimator = find_estimator(self.estimator)
        self.deadline = check_deadline(self.deadline)
        for name, low in (("chunk_steps", 1), ("latency_steps", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ValueError(f"`{name}` must be an integer of at least {low}; got {value!r}.")


def check_deadline(value: Any) -> float | None:
    """Seconds, or None for no deadline.

    Raises:
        ValueError: not a positive finite number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 < value < math.inf:
        raise ValueError(f"`deadline` must be a positive number of seconds or None; got {value!r}.")
    return float(value)


class LiveSettings:
    """The planner's numbers as attributes: `controller.entropy_weight = 0.1` holds from the next decision on.

    A wrong value raises `ValueError` and changes nothing. Counts and names, and numbers that the chosen search or risk
    does not have, are not among them: a new `config` changes those, and compiles.
    """

    config: PlanConfig

    def __getattr__(self, name: str) -> Any:
        if name in self._live_numbers():
            return plain_scalar(getattr(self.config, name))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        live = () if name.startswith("_") else self._live_numbers()
        if name in live:
            self.config = dataclasses.replace(self.config, **{name: value})
        elif live and name in settings_of(PlanConfig):
            raise ValueError(
                f"`{name}` is no number that may change with optimiser={self.config.optimiser!r} and "
                f"pessimism={self.config.pessimism!r}: {', '.join(live)} are. Give the controller a new `config`."
            )
        else:
            object.__setattr__(self, name, value)

    def _live_numbers(self) -> tuple[str, ...]:
        return self.config.live if "config" in vars(self) else ()
