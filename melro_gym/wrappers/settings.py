"""Settings of the controllers: those that may change while running, and how to act when something goes wrong."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from melro_gym.envs.tables import check_choice
from melro_gym.planning import PlanConfig

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

    def __post_init__(self) -> None:
        check_choice("warm_start", self.warm_start, WARM_STARTS)
        check_choice("on_failure", self.on_failure, ON_FAILURE)
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


class LiveNumber:
    """One number of a controller's `config`, as an attribute that may be set at any time without compiling anew."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> LiveNumber: ...

    @overload
    def __get__(self, instance: Any, owner: type | None = None) -> float: ...

    def __get__(self, instance: Any, owner: type | None = None) -> float | LiveNumber:
        if instance is None:
            return self
        return float(str(np.asarray(getattr(instance.config, self._name))))  # 0.1, not 0.10000000149

    def __set__(self, instance: Any, value: Any) -> None:
        array = np.asarray(value)
        if array.ndim != 0 or array.dtype.kind not in "iuf":
            raise ValueError(f"`{self._name}` must be a number; got {value!r}.")
        instance.config = dataclasses.replace(instance.config, **{self._name: float(array)})


class LiveSettings:
    """The planner's numbers as attributes: `controller.entropy_weight = 0.1` holds from the next decision on.

    A wrong value raises `ValueError` and changes nothing. Counts and names are not among them: a new `config` changes
    those, and compiles.
    """

    config: PlanConfig

    perturbation_std = LiveNumber()
    step_size = LiveNumber()
    entropy_weight = LiveNumber()
    discount = LiveNumber()
    kl_weight = LiveNumber()
    warm_start_noise = LiveNumber()
    temperature = LiveNumber()
    cvar_fraction = LiveNumber()
